"""Lift keypoints to a body and write it for Blender: ``python export_to_blender.py walk_openpose/ walk.glb``.

In Blender: File > Import > glTF 2.0. The body is skinned and animated, in metres, y up; BVH (walk.bvh) has the skeleton alone.
"""

import sys

import posenet3d as p3

source, out = sys.argv[1:3]
result = p3.lift(source, model="student")
p3.export(result, out)
p3.export(result, out.rsplit(".", 1)[0] + ".bvh")
print(f"{out}: {len(result)} frames, body '{result.body.body_model}'")
