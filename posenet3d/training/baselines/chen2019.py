"""The earlier unsupervised method, for comparison: single-frame adversarial lifting as Chen et al. (CVPR 2019) describe it.

Same network, losses and computing as our teacher, and what the paper does around them instead of ours:
the 2D is moved to the pelvis and scaled, the camera stands ten trunk-and-head lengths away, people are turned about the camera's
own axes, frames know nothing of each other, and nothing cleans the 2D. The guard against the mirror world is ours; without it
half the runs end there.
"""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from posenet3d.config import from_dict, to_dict
from posenet3d.core.camera import to_rays
from posenet3d.core.lifted import Lifted
from posenet3d.core.normalise import head_length, unproject
from posenet3d.core.rotation import turn_about
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT
from posenet3d.lifting.checkpoint import load_weights, read_config
from posenet3d.models.discriminators import DiscriminatorConfig
from posenet3d.models.teacher import Teacher, TeacherConfig
from posenet3d.training.clips import Clips, Tilt, training_clips
from posenet3d.training.lifter import FramePhase, Networks, TeacherTraining, TeacherWeights
from posenet3d.training.loop import PhasePlan, fit
from posenet3d.training.run_folder import describe_clips, open_run

WEIGHTS = "earlier.safetensors"
_UNIT = 0.1  # head to pelvis at the camera's distance: the camera is 10 such lengths away (section 3)
_ELEVATION = math.pi / 9  # random views look from up to so far above or below
_PELVIS = JOINT["pelvis"]


@dataclass(frozen=True)
class Chen2019Training(TeacherTraining):
    """`TeacherTraining` with the earlier method's values; it has one phase."""

    model: TeacherConfig = field(default_factory=lambda: TeacherConfig(unit=_UNIT))
    discriminator: DiscriminatorConfig = field(default_factory=lambda: DiscriminatorConfig(dropout=0.25))
    weights: TeacherWeights = field(default_factory=lambda: TeacherWeights(gradient_penalty=0.0))
    cleaner_steps: int = 0
    frame_steps: int = 10000  # as much computing as the teacher gets in its three phases
    temporal_steps: int = 0


class EarlierPhase(FramePhase):
    """The teacher's per-frame phase with random views about the camera's axes."""

    def _turns(self, count: int, rng: torch.Generator) -> Tensor:
        azimuth, elevation = torch.rand(2, count, generator=rng) * 2 - 1
        turns = turn_about("x", elevation * _ELEVATION) @ turn_about("y", azimuth * math.pi)
        return turns.to(self.device)


def train_chen2019(
    sequences: list[PoseSequence], settings: Chen2019Training, out: Path, *, resume: bool = False
) -> Teacher:
    """Train on 2D sequences and leave a run folder in `out`; its weights are `WEIGHTS`, so that no list offers them as a lifter.

    Args:
        sequences: the training data.
        settings: networks, losses, steps.
        out: run folder.
        resume: go on where the run in `out` stopped.
    """
    training, held_out = (_normalised_clips(clips) for clips in training_clips(sequences))
    torch.manual_seed(settings.loop.seed)
    networks = Networks(settings).to("cuda" if torch.cuda.is_available() else "cpu")
    every = to_dict(settings)
    open_run(
        out,
        "earlier",
        describe_clips(training),
        {"model": every.pop("model"), "training": every},
        resume=resume,
    )
    level = Tilt(0.0, 0.0, 0)  # unused: `EarlierPhase` turns about the camera's axes
    plan = PhasePlan("frame", settings.frame_steps, lambda: EarlierPhase(networks, training, held_out, settings, level))
    fit(networks, [plan], out, settings.loop, resume=resume, exports={WEIGHTS: ["teacher"]})
    return networks.teacher


def load_chen2019(folder: Path) -> Teacher:
    """The network of a run that `train_chen2019` left.

    Raises:
        InputError: the folder holds none, or it is damaged.
    """
    network = Teacher(from_dict(TeacherConfig, read_config(folder)["model"]))
    load_weights(network, folder, WEIGHTS)
    return network.eval()


@torch.no_grad()
def lift_chen2019(network: Teacher, sequence: PoseSequence) -> Lifted:
    """Every frame by itself, from the 2D as it came; a joint that was not seen is interpolated in time.

    Returns:
        Joints of unknown size and place, one scale for the clip: to be compared after alignment only.
    """
    px = _interpolated(sequence.keypoints_px.astype(np.float64), sequence.is_observed)
    rays = torch.from_numpy(to_rays(px, sequence.intrinsics()).astype(np.float32))
    rays = _normalised(rays)
    joints = unproject(rays, network.lift_frames(rays), network.config.unit)
    return Lifted(
        name=sequence.name,
        joints_3d=joints.numpy(),
        cleaned_px=px.astype(np.float32),
        fps=sequence.fps,
        model="teacher",
        checkpoint="earlier",
        confidence=sequence.confidence,
        packed_at=sequence.packed_at,
    )


def _normalised_clips(clips: Clips) -> Clips:
    return replace(clips, rays=torch.cat([_normalised(clips.rays[start:stop]) for start, stop in clips.bounds]))


def _normalised(rays: Float[Tensor, "frames 17 2"]) -> Float[Tensor, "frames 17 2"]:
    """A clip moved to the pelvis, frame by frame, and scaled to a mean distance of `_UNIT` from head to pelvis."""
    centred = rays - rays[:, _PELVIS, None]
    return centred * (_UNIT / max(head_length(centred), 1e-6))


def _interpolated(px: Float[np.ndarray, "frames 17 2"], is_observed: np.ndarray) -> Float[np.ndarray, "frames 17 2"]:
    """Joints that were not seen, linearly between the frames in which they were; where never seen, at the others' middle."""
    filled = np.where(is_observed[..., None], px, np.nan)
    middle = np.nanmean(filled, axis=(0, 1))
    frames = np.arange(len(px))
    for joint in range(px.shape[1]):
        seen = np.flatnonzero(is_observed[:, joint])
        for axis in range(2):
            if len(seen):
                filled[:, joint, axis] = np.interp(frames, seen, filled[seen, joint, axis])
            else:
                filled[:, joint, axis] = middle[axis]
    return filled
