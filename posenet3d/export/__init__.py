"""A lifted clip for other programs: AMASS, BVH, glTF, TRC, CSV and OBJ, one module per format.

Every exporter is a function from one `Lifted` to an `Exported`: the bytes of the file and what to tell the user about it.
Lengths are metres except in TRC (millimetres). The axes are those of `posenet3d.export.motion.AXES`: what we call the
world is the camera's frame turned so that up is up, with the camera at the origin. Nothing knows where the floor is or by
how much the camera was tilted, so neither is corrected.
"""
