"""Ten betas from a population: principal components, turned so that the first three can be read."""

from collections.abc import Callable

import numpy as np

N_BETAS = 10
WATER = 1000.0
"""Density of a body, kg/m3, near enough to speak of mass."""


def mean_and_directions(
    skins: np.ndarray, faces: np.ndarray, female: np.ndarray, say: Callable[[str], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean (half, 3) and directions (half, 3, 10) of half skins (people, half, 3); betas have unit variance.

    The components span the ten widest directions of the population, vertices weighed by their area. Within that space
    the axes are turned: beta 0 follows stature (positive is taller), beta 1 slimness at the same stature, beta 2 runs from
    masculine to feminine, and the others are ordered by variance.
    """
    people = len(skins)
    mean = skins.mean(0)
    area = vertex_areas(mean, faces)
    offsets = skins - mean
    weighed = (offsets * np.sqrt(area / area.mean())[:, None]).reshape(people, -1)
    variance, vectors = np.linalg.eigh(weighed @ weighed.T / (people - 1))
    explained = variance[: -N_BETAS - 1 : -1]
    scores = vectors[:, : -N_BETAS - 1 : -1] * np.sqrt(people - 1)
    stature = np.ptp(skins[..., 1], axis=1)
    mass = WATER * np.array([2 * half_volume(skin, faces) for skin in skins])
    wishes = np.stack([stature, -np.log(mass / stature**2), female], 1)
    scores = scores @ readable_axes(scores, wishes, explained)
    directions = np.einsum("pk,pvc->vck", scores / (people - 1), offsets, optimize=True)
    error = np.linalg.norm(np.einsum("vck,pk->pvc", directions, scores[:200], optimize=True) - offsets[:200], axis=-1)
    say(
        f"{people} adults: {stature.mean():.3f} +- {stature.std():.3f} m, {mass.mean():.1f} +- {mass.std():.1f} kg; ten betas "
        f"explain {explained.sum() / variance.sum():.1%} and miss a skin by {1e3 * error.mean():.1f} mm on average"
    )
    return mean, directions


def readable_axes(scores: np.ndarray, wishes: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Rotation (10, 10) whose first columns predict the wishes (people, n), each after those before it."""
    count = wishes.shape[1]
    slopes = scores.T @ (wishes - wishes.mean(0))
    first, upper = np.linalg.qr(slopes)
    first *= np.sign(np.diag(upper))
    complement = np.linalg.svd(first, full_matrices=True)[0][:, count:]
    _, turn = np.linalg.eigh(complement.T @ np.diag(variance) @ complement)
    rest = complement @ turn[:, ::-1]
    rest *= np.sign(rest[np.abs(rest).argmax(0), np.arange(rest.shape[1])])  # a sign that does not hang on LAPACK
    return np.concatenate([first, rest], 1)


def vertex_areas(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """A third of the area of the faces around each vertex."""
    a, b, c = points[faces].swapaxes(0, 1)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    return np.bincount(faces.ravel(), np.repeat(area / 3, 3), len(points))


def half_volume(points: np.ndarray, faces: np.ndarray) -> float:
    """Volume between a half surface and the plane x = 0, on which the tetrahedra of the missing lid are flat."""
    a, b, c = points[faces].swapaxes(0, 1)
    return float((a * np.cross(b, c)).sum() / 6)
