"""The baseline of Chen et al. (CVPR 2019): single-frame adversarial lifting without video, as the paper describes it.

Same network, losses and compute as our teacher, and the paper's choices around them instead of ours:
the 2D is moved to the pelvis and scaled, the camera stands ten trunk-and-head lengths away, people are rotated about the camera's
own axes, frames are independent of each other, and the 2D is not denoised. The guard against mirrored depth is ours; without it
half the runs end with mirrored depth.
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
from posenet3d.core.threads import network_threads
from posenet3d.io.run_config import RunConfig
from posenet3d.lifting.checkpoint import load_weights
from posenet3d.models.discriminators import DiscriminatorConfig
from posenet3d.models.teacher import Teacher, TeacherConfig
from posenet3d.training import terms
from posenet3d.training.clips import Clips, training_clips
from posenet3d.training.lifter import LifterData, LifterPhase, Networks, guard_steps
from posenet3d.training.loop import LoopSettings, PhasePlan, fit
from posenet3d.training.loss_term import completed, default_weights
from posenet3d.training.run_folder import describe_clips, open_run
from posenet3d.training.term_inputs import Discriminators

WEIGHTS = "earlier.safetensors"
"""Weights of the baseline; under this name, so that `list_checkpoints` does not list them as a lifter."""

STAGE = "earlier"
"""The stage in ``config.json``."""

_UNIT = 0.1  # head to pelvis at the camera's distance: the camera is 10 such lengths away (section 3)
_MAX_ELEVATION = math.pi / 9  # random views look from up to this angle above or below
_PELVIS = JOINT["pelvis"]


def _weights() -> dict[str, float]:
    return default_weights((*terms.FRAME_TERMS, *terms.DISCRIMINATOR_TERMS)) | {"gradient_penalty": 0.0}


@dataclass(frozen=True)
class Chen2019Training:
    """Settings of the baseline: the paper's values, and the teacher's where the paper gives none."""

    model: TeacherConfig = field(default_factory=lambda: TeacherConfig(unit=_UNIT))
    discriminator: DiscriminatorConfig = field(default_factory=lambda: DiscriminatorConfig(dropout=0.25))
    weights: dict[str, float] = field(default_factory=_weights)
    loop: LoopSettings = field(default_factory=LoopSettings)
    frame_steps: int = 10000  # as much compute as the teacher gets in its three phases
    frame_batch: int = 384
    lr: float = 3e-4
    lr_discriminator: float = 2e-4

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", completed(self.weights, _weights()))
        if self.frame_steps < 1 or self.frame_batch < 2:
            raise ValueError("frame_steps must be at least 1, frame_batch at least 2")
        if not (0 < self.lr < 1 and 0 < self.lr_discriminator < 1):
            raise ValueError("lr and lr_discriminator must lie between 0 and 1")


def train_chen2019(
    sequences: list[PoseSequence], settings: Chen2019Training, out: Path, *, resume: bool = False
) -> Teacher:
    """Train on 2D sequences and write a run folder with `WEIGHTS`.

    Args:
        sequences: the training data.
        settings: networks, losses, steps.
        out: run folder.
        resume: continue where the run in `out` stopped.
    """
    training, held_out = (_normalised_clips(clips) for clips in training_clips(sequences))
    torch.manual_seed(settings.loop.seed)
    networks = Networks(settings.model, settings.discriminator).to("cuda" if torch.cuda.is_available() else "cpu")
    content = to_dict(settings)
    content = {"model": content.pop("model"), "training": content}
    open_run(out, STAGE, describe_clips(training), content, resume=resume)
    data = LifterData(training, held_out)
    plan = PhasePlan("frame", settings.frame_steps, lambda: _frame_phase(networks, data, settings))
    fit(networks, [plan], out, settings.loop, resume=resume, exports={WEIGHTS: ["teacher"]})
    return networks.teacher


def _frame_phase(networks: Networks, data: LifterData, settings: Chen2019Training) -> LifterPhase:
    teacher = networks.teacher
    return LifterPhase(
        teacher=teacher,
        lift=teacher.lift_frames,
        trained=list(teacher.frame.parameters()),
        discriminators=Discriminators(networks.pose_discriminator, None),
        terms=terms.FRAME_TERMS,
        weights=settings.weights,
        data=data,
        offsets=torch.zeros(1, dtype=torch.long),
        batch=settings.frame_batch,
        rotations=_rotations,
        lr=settings.lr,
        lr_discriminator=settings.lr_discriminator,
        guard_steps=guard_steps(settings.frame_steps),
    )


def _rotations(count: int, rng: torch.Generator) -> Float[Tensor, "batch 3 3"]:
    """Sample rotations about the camera's own axes: any azimuth, then a limited elevation."""
    azimuth, elevation = torch.rand(2, count, generator=rng) * 2 - 1
    return turn_about("x", elevation * _MAX_ELEVATION) @ turn_about("y", azimuth * math.pi)


def load_chen2019(folder: Path) -> Teacher:
    """Load the network of a run that `train_chen2019` wrote.

    Raises:
        InputError: the folder holds none, or it is damaged.
    """
    network = Teacher(from_dict(TeacherConfig, dict(RunConfig.read(folder).model)))
    load_weights(network, folder, WEIGHTS)
    return network.eval()


@network_threads()
@torch.no_grad()
def lift_chen2019(network: Teacher, sequence: PoseSequence) -> Lifted:
    """Lift every frame by itself, from the raw 2D; unseen joints are interpolated in time.

    Returns:
        Joints of unknown size and place, one scale for the clip: compare them after alignment only.
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
        checkpoint=STAGE,
        confidence=sequence.confidence,
        packed_at=sequence.packed_at,
    )


def _normalised_clips(clips: Clips) -> Clips:
    return replace(clips, rays=torch.cat([_normalised(clips.rays[start:stop]) for start, stop in clips.bounds]))


def _normalised(rays: Float[Tensor, "frames 17 2"]) -> Float[Tensor, "frames 17 2"]:
    """Move a clip to the pelvis, frame by frame, and scale it to a mean distance of `_UNIT` from head to pelvis."""
    centred = rays - rays[:, _PELVIS, None]
    return centred * (_UNIT / max(head_length(centred), 1e-6))


def _interpolated(px: Float[np.ndarray, "frames 17 2"], is_observed: np.ndarray) -> Float[np.ndarray, "frames 17 2"]:
    """Interpolate unseen joints linearly over time; put a joint that is never seen at the middle of the others."""
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
