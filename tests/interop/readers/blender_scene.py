"""Run by Blender's Python: import a glTF or BVH with the importer's defaults and store where Blender puts it as JSON."""

import json
import sys
from pathlib import Path

import bpy

source, fps, target = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
if source.endswith(".bvh"):
    bpy.ops.import_anim.bvh(filepath=source, update_scene_fps=True, update_scene_duration=True)
else:
    scene.render.fps = round(float(fps))  # the importer turns the file's seconds into frames of the scene
    bpy.ops.import_scene.gltf(filepath=source)
(armature,) = (one for one in scene.objects if one.type == "ARMATURE")
skins = [one for one in scene.objects if one.type == "MESH" and one.find_armature() is armature]
first, last = (round(end) for end in armature.animation_data.action.frame_range)
frames = []
for frame in range(first, last + 1):
    scene.frame_set(frame)
    bones = {bone.name: list(armature.matrix_world @ bone.head) for bone in armature.pose.bones}
    lowest = None
    for skin in skins:
        shown = skin.evaluated_get(bpy.context.evaluated_depsgraph_get())
        lowest = min((shown.matrix_world @ vertex.co).z for vertex in shown.to_mesh().vertices)
    frames.append({"bones": bones, "lowest": lowest})
found = {
    "fps": scene.render.fps / scene.render.fps_base,
    "seconds": (last - first) / (scene.render.fps / scene.render.fps_base),
    "metres_per_unit": scene.unit_settings.scale_length,
    "frames": frames,
}
Path(target).write_text(json.dumps(found))
