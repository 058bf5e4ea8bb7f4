"""Compute cameras from pairs of 3D and 2D points (resection), for data sets that are distributed without cameras.

First linear (direct linear transform: Hartley and Zisserman, Multiple View Geometry, section 7.1), then least squares with
lens distortion. The distortion has Human3.6M's form, because its 2D was projected so: a ray x (two numbers) appears at
``x (1 + k1 r2 + k2 r2^2 + k3 r2^3 + p . x) + p r2``. OpenCV's form has other factors in the tangential terms.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import rq
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

MAX_POINTS = 600
"""Points used to compute a camera; more only take longer."""


@dataclass(frozen=True)
class FoundCamera:
    """A computed camera and its reprojection error."""

    K: Float[np.ndarray, "3 3"]  # pixels
    R_cam_world: Float[np.ndarray, "3 3"]
    t_cam: Float[np.ndarray, " 3"]  # x_cam = R_cam_world x_world + t_cam, unit of the points
    distortion: Float[np.ndarray, " 5"]  # k1 k2 p1 p2 k3
    error_px: float  # median reprojection error

    def to_camera(self, points: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
        """Return world points in the camera's frame."""
        return points @ self.R_cam_world.T + self.t_cam


def find_camera(points: Float[np.ndarray, "points 3"], pixels: Float[np.ndarray, "points 2"]) -> FoundCamera:
    """Compute the camera that projects world points to pixels; rows that are not finite are left out.

    Raises:
        ValueError: fewer than 12 pairs, or all points in one plane.
    """
    known = np.flatnonzero(np.isfinite(points).all(1) & np.isfinite(pixels).all(1))
    if len(known) < 12:
        raise ValueError("fewer than 12 points are seen")
    chosen = known[np.random.default_rng(0).permutation(len(known))[:MAX_POINTS]]
    points, pixels = points[chosen].astype(np.float64), pixels[chosen].astype(np.float64)
    K, R, t = _direct_linear_transform(points, pixels)
    start = np.concatenate([Rotation.from_matrix(R).as_rotvec(), t, K[[0, 1, 0, 1], [0, 1, 2, 2]], np.zeros(5)])
    found = least_squares(
        lambda values: (_project(values, points) - pixels).ravel(), start, x_scale="jac", loss="soft_l1", max_nfev=60
    ).x
    distance_px = np.linalg.norm(_project(found, points) - pixels, axis=1)
    fx, fy, cx, cy = found[6:10]
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
    return FoundCamera(
        K, Rotation.from_rotvec(found[:3]).as_matrix(), found[3:6], found[10:], float(np.median(distance_px))
    )


def find_intrinsics(
    points_cam: Float[np.ndarray, "points 3"], pixels: Float[np.ndarray, "points 2"]
) -> tuple[Float[np.ndarray, "3 3"], float]:
    """Compute K (pixels) of a camera without distortion from points in its own frame, and its median error in pixels.

    Raises:
        ValueError: fewer than 4 points are seen.
    """
    known = np.isfinite(points_cam).all(1) & np.isfinite(pixels).all(1) & (np.nan_to_num(points_cam[:, 2]) > 0)
    if known.sum() < 4:
        raise ValueError("fewer than 4 points are seen")
    rays = points_cam[known, :2] / points_cam[known, 2:]
    (fx, cx), (fy, cy) = (np.polyfit(rays[:, axis], pixels[known, axis], 1) for axis in range(2))
    distance_px = np.linalg.norm(rays * [fx, fy] + [cx, cy] - pixels[known], axis=1)
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]), float(np.median(distance_px))


def _direct_linear_transform(points: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return K, R and t by the direct linear transform, on points and pixels normalised to mean 0 and scale 1."""
    from_points, from_pixels = _normaliser(points), _normaliser(pixels)
    X = _homogeneous(points) @ from_points.T
    x = _homogeneous(pixels) @ from_pixels.T
    zeros = np.zeros_like(X)
    rows = np.concatenate([np.hstack([X, zeros, -x[:, :1] * X]), np.hstack([zeros, X, -x[:, 1:2] * X])])
    _, values, Vt = np.linalg.svd(rows, full_matrices=False)
    if values[-2] < 1e-8 * values[0]:
        raise ValueError("all points lie in one plane")
    P = np.linalg.inv(from_pixels) @ Vt[-1].reshape(3, 4) @ from_points
    P *= np.sign(np.median((_homogeneous(points) @ P.T)[:, 2]))  # the points are in front of the camera
    K, R = rq(P[:, :3])
    signs = np.diag(np.sign(np.diag(K)))
    K, R = K @ signs, signs @ R
    if np.linalg.det(R) < 0:
        raise ValueError("the pixels are a mirror image of the points")
    t = np.linalg.solve(K, P[:, 3])
    return K / K[2, 2], R, t


def _normaliser(values: np.ndarray) -> np.ndarray:
    """Return the homogeneous matrix that moves points to mean 0 and scales them to standard deviation 1."""
    size = values.shape[1]
    scale = 1 / max(float(values.std()), 1e-12)
    matrix = np.diag([scale] * size + [1.0])
    matrix[:size, size] = -scale * values.mean(0)
    return matrix


def _homogeneous(values: np.ndarray) -> np.ndarray:
    """Append a column of ones."""
    return np.concatenate([values, np.ones((len(values), 1))], 1)


def _project(values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Project world points to pixels with the 15 values of a camera: rotation, t, fx fy cx cy, distortion."""
    cam = points @ Rotation.from_rotvec(values[:3]).as_matrix().T + values[3:6]
    ray = cam[:, :2] / np.where(np.abs(cam[:, 2:]) > 1e-9, cam[:, 2:], 1e-9)
    k1, k2, p1, p2, k3 = values[10:]
    p = np.array([p1, p2])
    r2 = (ray**2).sum(1, keepdims=True)
    distorted = ray * (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + ray @ p[:, None]) + p * r2
    return distorted * values[6:8] + values[8:10]
