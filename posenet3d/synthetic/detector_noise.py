"""Simulate the errors of a 2D detector: noise correlated in time, missing joints, outliers, swapped legs.

For synthetic sequences only (`posenet3d.synthetic.sequences`), with rates per second and one fixed strength. Training corrupts
whole batches over a wide range of strengths (`posenet3d.training.corruption`).
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT, JOINT_NAMES, MIRROR

NOISE_OF_JOINT = {"wrist": 1.6, "ankle": 1.5, "elbow": 1.2, "knee": 1.1, "hip": 1.2, "pelvis": 0.9}
"""Noise of a joint relative to head and shoulders: ends of limbs move and blur, and a hip has no visible edge."""

LIMBS = (("l_elbow", "l_wrist"), ("r_elbow", "r_wrist"), ("l_knee", "l_ankle"), ("r_knee", "r_ankle"))


@dataclass(frozen=True)
class DetectorNoise:
    """Strength of the errors. Rates are per second, spans in seconds."""

    sigma: float = 0.010  # of the person's height in the image, about a head's tenth: a good detector
    correlated_share: float = 0.6  # share of the variance that is correlated in time
    correlation_s: float = 0.2  # time constant of the correlation
    joint_dropouts: float = 0.04  # per joint
    limb_dropouts: float = 0.06  # per limb: behind the body
    dropout_s: tuple[float, float] = (0.1, 0.5)
    outliers: float = 0.08  # per joint, one frame each, elsewhere on the person
    leg_swaps: float = 0.12  # of the whole person
    swap_s: tuple[float, float] = (0.07, 0.2)


def with_detector_noise(
    sequence: PoseSequence, rng: np.random.Generator, settings: DetectorNoise | None = None
) -> PoseSequence:
    """Return the sequence with noisy 2D and a confidence that reflects the noise; ground truth and camera are unchanged."""
    settings = settings or DetectorNoise()
    frames, fps = len(sequence), sequence.fps
    clean = sequence.keypoints_px.astype(np.float64)
    sigma_px = settings.sigma * _person_size_px(clean)[:, None] * _noise_per_joint()
    error = sigma_px[..., None] * _correlated_noise(frames, settings, fps, rng)
    confidence = _confidence(error, sigma_px, rng)

    keypoints = clean + error
    wild = rng.random(confidence.shape) < settings.outliers / fps
    keypoints[wild] += rng.normal(0, 0.2, (wild.sum(), 2)) * np.repeat(_person_size_px(clean), wild.sum(1))[:, None]
    confidence[wild] = rng.uniform(0.05, 0.3, wild.sum())

    swapped = _spans(frames, settings.leg_swaps, settings.swap_s, fps, rng)
    legs = [JOINT[f"{side}_{part}"] for part in ("hip", "knee", "ankle") for side in "lr"]
    other = [MIRROR[j] for j in legs]
    rows = np.flatnonzero(swapped)[:, None]
    keypoints[rows, legs] = keypoints[rows, other]
    confidence[rows, legs] *= 0.7  # a detector is unsure of both sides then

    confidence[_dropouts(frames, settings, fps, rng)] = 0
    return replace(sequence, keypoints_px=keypoints, confidence=confidence * sequence.confidence)


def _person_size_px(keypoints_px: Float[np.ndarray, "frames 17 2"]) -> Float[np.ndarray, " frames"]:
    """Return the diagonal of the person's bounding box in pixels; the clip's median in frames without joints."""
    seen = np.isfinite(keypoints_px).all(-1).any(-1)
    boxes = keypoints_px[seen]
    size = np.linalg.norm(np.nanmax(boxes, 1) - np.nanmin(boxes, 1), axis=-1)
    height = np.full(len(keypoints_px), np.median(size) if len(size) else 0.0)
    height[seen] = size
    return height


def _noise_per_joint() -> Float[np.ndarray, " 17"]:
    """Return the relative noise of the 17 joints."""
    return np.array([NOISE_OF_JOINT.get(name.split("_")[-1], 0.8) for name in JOINT_NAMES])


def _correlated_noise(
    frames: int, settings: DetectorNoise, fps: float, rng: np.random.Generator
) -> Float[np.ndarray, "frames 17 2"]:
    """Return noise of variance 1: a first-order autoregressive process plus white noise."""
    decay = np.exp(-1 / (settings.correlation_s * fps))
    shocks = rng.normal(size=(frames, len(JOINT_NAMES), 2))
    slow = shocks.copy()
    for t in range(1, frames):
        slow[t] = decay * slow[t - 1] + np.sqrt(1 - decay**2) * shocks[t]
    white = rng.normal(size=slow.shape)
    return np.sqrt(settings.correlated_share) * slow + np.sqrt(1 - settings.correlated_share) * white


def _confidence(
    error_px: Float[np.ndarray, "frames 17 2"], sigma_px: Float[np.ndarray, "frames 17"], rng: np.random.Generator
) -> Float[np.ndarray, "frames 17"]:
    """Return confidences that fall with the error relative to the joint's noise, with some scatter; never 0."""
    relative_error = np.linalg.norm(error_px, axis=-1) / np.maximum(sigma_px, 1e-9)
    return (0.96 * np.exp(-0.03 * relative_error**2) + rng.normal(0, 0.02, relative_error.shape)).clip(0.05, 1)


def _spans(
    frames: int, rate: float, length_s: tuple[float, float], fps: float, rng: np.random.Generator
) -> Bool[np.ndarray, " frames"]:
    """Return a mask of the frames inside spans that begin at random, `rate` per second."""
    inside = np.zeros(frames, bool)
    for start in np.flatnonzero(rng.random(frames) < rate / fps):
        inside[start : start + max(1, round(rng.uniform(*length_s) * fps))] = True
    return inside


def _dropouts(
    frames: int, settings: DetectorNoise, fps: float, rng: np.random.Generator
) -> Bool[np.ndarray, "frames 17"]:
    """Return a mask of missing joints."""
    lost = np.stack(
        [_spans(frames, settings.joint_dropouts * d, settings.dropout_s, fps, rng) for d in _noise_per_joint()], -1
    )
    for limb in LIMBS:
        span = _spans(frames, settings.limb_dropouts, settings.dropout_s, fps, rng)
        for name in limb:
            lost[:, JOINT[name]] |= span
    return lost
