"""Rows of regressors: a joint or landmark as a non-negative mean of skin vertices, fitted over many bodies."""

import numpy as np
from scipy.optimize import nnls

ROW_SUM, MEAN_SHAPE = 1e3, 25.0
"""Weights of "the row sums to 1" and of "the mean body is met exactly", against a mean squared error of 1."""

SMALLEST = 1e-4


def fit_row(points: np.ndarray, goal: np.ndarray, spread: float = 2e-3) -> np.ndarray:
    """Weights w >= 0 with sum 1 such that w @ points[s] is near goal[s] for all samples s.

    Args:
        points: candidate vertices (samples, candidates, axes) in metres; axes is 2 where x is 0 by symmetry.
        goal: (samples, axes) in metres.
        spread: pull towards equal weights, in metres; keeps one vertex from standing for the whole.
    """
    count = points.shape[1]
    rows = points.swapaxes(1, 2).reshape(-1, count)
    mean, goal_mean = points.mean(0).T, goal.mean(0)
    ones = np.ones(count)
    normal = rows.T @ rows / len(points) + MEAN_SHAPE * mean.T @ mean + ROW_SUM * np.outer(ones, ones)
    normal += spread**2 * np.eye(count)
    right = rows.T @ goal.ravel() / len(points) + MEAN_SHAPE * mean.T @ goal_mean + ROW_SUM + spread**2 / count
    lower = np.linalg.cholesky(normal)
    weights, _ = nnls(lower.T, np.linalg.solve(lower, right), maxiter=50 * count)
    weights[weights < SMALLEST] = 0
    return weights / weights.sum()


class Mirrored:
    """A full symmetric surface made of a half: the half's vertices first, then mirror images of those off the plane.

    Attributes:
        partner: index of each vertex's mirror image.
        half: number of vertices of the half.
    """

    def __init__(self, off_plane: np.ndarray):
        self.half = len(off_plane)
        self.side = np.flatnonzero(off_plane)
        images = self.half + np.arange(len(self.side))
        self.partner = np.concatenate([np.arange(self.half), self.side])
        self.partner[self.side] = images

    def faces(self, faces: np.ndarray) -> np.ndarray:
        """Faces of the full surface, the mirrored ones turned round."""
        return np.concatenate([faces, self.partner[faces][:, ::-1]])

    def unfold(self, values: np.ndarray, image: np.ndarray) -> np.ndarray:
        """Values of the half's vertices, followed by those of the mirrored side, taken from `image` (half, ...)."""
        return np.concatenate([values, image[self.side]])

    def left(self, row: np.ndarray) -> np.ndarray:
        """A regressor row of the full surface from one over the half."""
        return np.concatenate([row, np.zeros(len(self.side))])

    def right(self, row: np.ndarray) -> np.ndarray:
        """The mirror image of `left`."""
        return self.left(row)[self.partner]

    def middle(self, row: np.ndarray) -> np.ndarray:
        """The symmetric row."""
        return 0.5 * (self.left(row) + self.right(row))
