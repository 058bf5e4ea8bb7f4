"""Pinhole geometry: pixels to rays, and the virtual camera that looks straight at the pelvis."""

import numpy as np
from jaxtyping import Float

DEFAULT_FOV_DEG = 55.0
"""Horizontal field of view assumed when nothing tells the camera: between a phone's main lens (about 65) and a webcam or
a zoomed camcorder (about 45)."""


def to_rays(keypoints_px: Float[np.ndarray, "*batch 2"], K: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "*batch 2"]:
    """Pixels to the normalised image plane z = 1 (no unit); `K` in pixels, skew ignored."""
    return (keypoints_px - K[:2, 2]) / np.array([K[0, 0], K[1, 1]])


def project(points_cam: Float[np.ndarray, "*batch 3"], K: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "*batch 2"]:
    """Points in the camera frame (any length unit) to pixels; points on or behind the camera plane become NaN."""
    depth = np.where(points_cam[..., 2:] > 1e-6, points_cam[..., 2:], np.nan)
    return points_cam[..., :2] / depth * np.array([K[0, 0], K[1, 1]]) + K[:2, 2]


def look_at_rays(ray: Float[np.ndarray, "frames 2"]) -> Float[np.ndarray, "frames 3 3"]:
    """R_virtual_cam: the smallest turn of the camera that brings each ray (x, y, 1) onto the optical axis.

    A real turn, unlike subtracting the root pixel, keeps the perspective of an off-centre person exact.
    """
    d = np.concatenate([ray, np.ones((len(ray), 1))], -1)
    d /= np.linalg.norm(d, axis=-1, keepdims=True)
    # Rodrigues between d and z: axis d x z, cosine d_z; 1 + d_z > 1 because a ray always points forward.
    ax, ay, c = d[:, 1], -d[:, 0], d[:, 2]
    V = np.zeros((len(d), 3, 3))
    V[:, 0, 2], V[:, 1, 2], V[:, 2, 0], V[:, 2, 1] = ay, -ax, -ay, ax
    return np.eye(3) + V + V @ V / (1 + c)[:, None, None]


def turn_rays(
    R_virtual_cam: Float[np.ndarray, "frames 3 3"], rays: Float[np.ndarray, "frames joints 2"]
) -> Float[np.ndarray, "frames joints 2"]:
    """Rays of the real camera seen in the turned one (still on the plane z = 1)."""
    homogeneous = np.concatenate([rays, np.ones((*rays.shape[:2], 1))], -1)
    turned = np.einsum("fij,fkj->fki", R_virtual_cam, homogeneous)
    return turned[..., :2] / turned[..., 2:]


def horizon_tilt(pelvis_y: Float[np.ndarray, " windows"], size: Float[np.ndarray, " windows"]) -> tuple[float, float]:
    """How far a still camera looks down, from one person walking on level ground: (tilt in radians, correlation).

    On level ground at distance d the pelvis is seen at y = a / d - tan(tilt), and the apparent size of the person is
    proportional to 1 / d. So the intercept of y against size is the horizon: no label and no 3D is needed. (The classical
    single-view relation of Criminisi, Reid and Zisserman, 2000, section 2.)
    """
    _, intercept = np.polyfit(size, pelvis_y, 1)
    return float(np.arctan(-intercept)), float(np.corrcoef(size, pelvis_y)[0, 1])


def pinhole(long_side_px: float, cx: float, cy: float, fov_deg: float = DEFAULT_FOV_DEG) -> Float[np.ndarray, "3 3"]:
    """Intrinsics of a camera whose longer image side spans `fov_deg` degrees."""
    focal = long_side_px / 2 / np.tan(np.radians(fov_deg) / 2)
    return np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]])
