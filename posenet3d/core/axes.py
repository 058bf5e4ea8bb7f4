"""Axis systems of files: rotations from the camera's frame into them."""

import numpy as np

AXES: dict[str, np.ndarray] = {
    "camera": np.eye(3),
    "y_up": np.diag([1.0, -1.0, -1.0]),
    "z_up": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
}
"""R_file_camera. Camera: x right, y down, z forward. y_up: 180 degrees about x, so z points at the viewer (glTF, BVH,
OpenSim). z_up: 90 degrees about x, so y points away from the viewer (AMASS, Blender's own world)."""
