"""Pinhole geometry: pixels and rays, intrinsics, look-at rotations, and the virtual camera that looks at the pelvis."""

import numpy as np
from jaxtyping import Float

DEFAULT_FOV_DEG = 55.0
"""Field of view across the longer image side where nothing else is known: between a phone's main lens (about 65) and a webcam or
a zoomed camcorder (about 45)."""


def to_rays(keypoints_px: Float[np.ndarray, "*batch 2"], K: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "*batch 2"]:
    """Return the rays of pixels as points (x, y) on the plane z = 1 (no unit); `K` in pixels, its skew is ignored."""
    return (keypoints_px - K[:2, 2]) / np.array([K[0, 0], K[1, 1]])


def to_pixels(rays: Float[np.ndarray, "*batch 2"], K: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "*batch 2"]:
    """Return the pixels of points on the plane z = 1; the inverse of `to_rays`."""
    return rays * np.array([K[0, 0], K[1, 1]]) + K[:2, 2]


def project(points_cam: Float[np.ndarray, "*batch 3"], K: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "*batch 2"]:
    """Return the pixels of points in the camera frame (any length unit); NaN for points on or behind the camera plane."""
    depth = np.where(points_cam[..., 2:] > 1e-6, points_cam[..., 2:], np.nan)
    return to_pixels(points_cam[..., :2] / depth, K)


def look_at_rays(ray: Float[np.ndarray, "frames 2"]) -> Float[np.ndarray, "frames 3 3"]:
    """Return R_virtual_cam: the smallest rotation of the camera that brings each ray (x, y, 1) onto the optical axis.

    Unlike subtracting the root's pixel, a rotation keeps the perspective of an off-centre person exact.
    """
    d = np.concatenate([ray, np.ones((len(ray), 1))], -1)
    d /= np.linalg.norm(d, axis=-1, keepdims=True)
    # Rodrigues' formula between d and z: axis d x z, cosine d_z; 1 + d_z > 1 because a ray always points forward.
    ax, ay, c = d[:, 1], -d[:, 0], d[:, 2]
    V = np.zeros((len(d), 3, 3))
    V[:, 0, 2], V[:, 1, 2], V[:, 2, 0], V[:, 2, 1] = ay, -ax, -ay, ax
    return np.eye(3) + V + V @ V / (1 + c)[:, None, None]


def turn_rays(
    R_virtual_cam: Float[np.ndarray, "frames 3 3"], rays: Float[np.ndarray, "frames joints 2"]
) -> Float[np.ndarray, "frames joints 2"]:
    """Return rays of the real camera in the frame of the rotated one, again as points on the plane z = 1."""
    homogeneous = np.concatenate([rays, np.ones((*rays.shape[:2], 1))], -1)
    turned = np.einsum("fij,fkj->fki", R_virtual_cam, homogeneous)
    return turned[..., :2] / turned[..., 2:]


def horizon_tilt(pelvis_y: Float[np.ndarray, " windows"], size: Float[np.ndarray, " windows"]) -> tuple[float, float]:
    """Estimate how far a static camera looks down from one person who walks on level ground.

    On level ground at distance d the pelvis appears at y = a / d - tan(tilt), and the apparent size of the person is
    proportional to 1 / d. So the intercept of y against size is the horizon; neither labels nor 3D are needed.
    Source: the single-view relation of Criminisi, Reid and Zisserman, 2000, section 2.

    Args:
        pelvis_y: of the pelvis on the plane z = 1, per window of frames.
        size: apparent size of the person in the same windows.

    Returns:
        Tilt in radians and the correlation of y and size.
    """
    _, intercept = np.polyfit(size, pelvis_y, 1)
    return float(np.arctan(-intercept)), float(np.corrcoef(size, pelvis_y)[0, 1])


def pinhole(long_side_px: float, cx: float, cy: float, fov_deg: float = DEFAULT_FOV_DEG) -> Float[np.ndarray, "3 3"]:
    """Return the intrinsics K of a camera whose longer image side spans `fov_deg` degrees; `cx`, `cy` in pixels."""
    focal = long_side_px / 2 / np.tan(np.radians(fov_deg) / 2)
    return np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]])


def pinhole_of_image(image_size: tuple[int, int], fov_deg: float = DEFAULT_FOV_DEG) -> Float[np.ndarray, "3 3"]:
    """Return the intrinsics K of a camera with this field of view, centred on an image of (width, height) pixels."""
    width, height = image_size
    return pinhole(float(max(width, height)), width / 2, height / 2, fov_deg)


def look_at(position: Float[np.ndarray, " 3"], target: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "3 3"]:
    """Return R_cam_world of a level camera: x right, y down, z towards the target; the world's y axis points up."""
    z = (target - position) / np.linalg.norm(target - position)
    x = np.cross(z, [0.0, 1.0, 0.0])
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])
