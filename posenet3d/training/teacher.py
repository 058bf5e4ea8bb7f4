"""Stage 1: the teacher learns to lift 2D joints to 3D from 2D alone.

Three phases, each a few hundred to a few thousand steps: the denoiser of the 2D, the per-frame lifter against a pose
discriminator, and the temporal refinement against a motion discriminator as well. Temporal terms from the first step on were
tried and end worse (docs/experiments.md).
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from posenet3d.config import from_dict, to_dict
from posenet3d.core.normalise import at_pelvis, head_length
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.run_config import RunConfig
from posenet3d.lifting.checkpoint import load_weights
from posenet3d.models.discriminators import DiscriminatorConfig
from posenet3d.models.teacher import Teacher, TeacherConfig
from posenet3d.training.clips import STATED_TILT, Clips, Tilt, measure_tilt, training_clips, usual_sizes
from posenet3d.training.corruption import noisy_copy
from posenet3d.training.denoiser import DenoiserPhase
from posenet3d.training.lifter import (
    LifterData,
    LifterPhase,
    Networks,
    TeacherTraining,
    frame_phase,
    temporal_phase,
)
from posenet3d.training.loop import PhasePlan, fit
from posenet3d.training.run_folder import describe_clips, open_run


def train_teacher(
    sequences: list[PoseSequence],
    settings: TeacherTraining,
    out: Path,
    *,
    resume: bool = False,
    init: Path | None = None,
) -> Teacher:
    """Train on 2D sequences and write a run folder; 3D in the sequences is ignored.

    Args:
        sequences: the training data; one take in twenty is held out for validation on 2D.
        settings: networks, losses, steps.
        out: run folder (``config.json``, ``model.safetensors``, ``metrics.jsonl``, ``state/``).
        resume: continue where the run in `out` stopped.
        init: a run folder to load initial weights from.
    """
    training, held_out = training_clips(sequences)
    centred, centred_held_out = (replace(clips, rays=at_pelvis(clips.rays)) for clips in (training, held_out))
    tilt = _tilt(settings, training)
    unit = head_length(centred.rays)
    if not unit > 1e-6:
        raise InputError("the training data", "heads and pelvises are in one place", "check the keypoints")
    sizes = usual_sizes(centred, unit)
    settings = replace(settings, model=replace(settings.model, unit=unit, sizes=sizes))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    torch.manual_seed(settings.loop.seed)
    networks = Networks(settings.model, settings.discriminator).to(device)
    teacher = networks.teacher
    if init is not None:
        load_weights(teacher, init)
    content = {
        "model": to_dict(settings.model),
        "training": {key: value for key, value in to_dict(settings).items() if key != "model"},
        "tilt_deg": {"mean": tilt.mean * 180 / torch.pi, "sd": tilt.sd * 180 / torch.pi, "clips": tilt.clips},
    }
    open_run(out, "teacher", describe_clips(training), content, resume=resume)

    def denoising() -> DenoiserPhase:
        return DenoiserPhase(
            teacher.denoiser, training, held_out,
            lr=settings.lr_denoiser, batch=settings.denoiser_batch, frames=settings.denoiser_frames,
        )  # fmt: skip

    def frame() -> LifterPhase:
        return frame_phase(networks, LifterData(centred, centred_held_out), settings, tilt)

    def temporal() -> LifterPhase:
        noisy = noisy_copy(teacher.denoiser, training, torch.Generator().manual_seed(settings.loop.seed))
        data = LifterData(centred, centred_held_out, noisy, settings.noisy_share)
        return temporal_phase(networks, data, settings, tilt)

    plans = [
        PhasePlan("denoiser", settings.denoiser_steps, denoising),
        PhasePlan("frame", settings.frame_steps, frame),
        PhasePlan("temporal", settings.temporal_steps, temporal),
    ]
    exports = {
        "model.safetensors": ["teacher"],
        "discriminators.safetensors": ["pose_discriminator", "motion_discriminator"],
    }
    fit(networks, plans, out, settings.loop, resume=resume, exports=exports)
    return teacher


def _tilt(settings: TeacherTraining, training: Clips) -> Tilt:
    """Return the cameras' tilt: as set, else as measured on the training 2D."""
    if settings.tilt_mean_deg is None and settings.tilt_sd_deg is None:
        return measure_tilt(training)
    mean = STATED_TILT.mean if settings.tilt_mean_deg is None else settings.tilt_mean_deg * torch.pi / 180
    return Tilt(mean, STATED_TILT.sd if settings.tilt_sd_deg is None else settings.tilt_sd_deg * torch.pi / 180, 0)


class TeacherRun(NamedTuple):
    """The settings of a teacher's run with which stage 3 continues."""

    model: TeacherConfig
    discriminator: DiscriminatorConfig
    tilt: Tilt
    roll_sd_deg: float


def read_teacher_run(run: Path) -> TeacherRun:
    """Read the settings of a run of stage 1.

    Raises:
        InputError: the run is of another stage, or its config is damaged.
    """
    config = RunConfig.read(run)
    try:
        training, tilt = config.training or {}, config.tilt_deg or {}
        return TeacherRun(
            from_dict(TeacherConfig, dict(config.model)),
            from_dict(DiscriminatorConfig, training["discriminator"]),
            Tilt(tilt["mean"] * torch.pi / 180, tilt["sd"] * torch.pi / 180, tilt["clips"]),
            float(training["roll_sd_deg"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            run / "config.json", f"is not of a teacher's run ({error})", "give a run of stage 1"
        ) from error
