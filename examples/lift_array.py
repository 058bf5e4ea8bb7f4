"""Lift an array of 2D joints that a program holds in memory: ``python lift_array.py joints.npy [fps]``.

The array is (frames, 17, 2) or (frames, 17, 3) in COCO's order: x, y in pixels, and confidence if there is one.
"""

import sys

import numpy as np

import posenet3d as p3

array = np.load(sys.argv[1])
fps = float(sys.argv[2]) if len(sys.argv) > 2 else 30.0
sequence = p3.PoseSequence.from_keypoints(array, joint_set="coco17", fps=fps, image_size=(1920, 1080))
result = p3.lift(sequence, height_m=1.75)
np.save(sys.argv[1].replace(".npy", "_3d.npy"), result.joints_3d)
print(
    f"{result.joints_3d.shape} in metres; the pelvis is {np.nanmean(result.joints_3d[:, 0, 2]):.2f} m from the camera"
)
