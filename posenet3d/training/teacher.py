"""Stage 1: the teacher learns to lift 2D joints to 3D from 2D alone.

Three phases, each a few hundred to a few thousand steps: the cleaner (2D denoising), the per-frame lifter against a pose
discriminator, and the temporal refinement against a motion discriminator as well. Temporal terms from the first step on were
tried and end worse (docs/experiments.md).
"""

from dataclasses import replace
from pathlib import Path

import torch

from posenet3d.config import to_dict
from posenet3d.core.normalise import at_pelvis, head_length
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.lifting.checkpoint import load_weights
from posenet3d.models.teacher import Teacher
from posenet3d.training.clips import STATED_TILT, Clips, Tilt, measure_tilt, training_clips, usual_sizes
from posenet3d.training.denoiser import DenoiserPhase
from posenet3d.training.lifter import FramePhase, Networks, TeacherTraining, TemporalPhase, noisy_copy
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
    """Train on 2D sequences and leave a run folder in `out`; any 3D they carry is not looked at.

    Args:
        sequences: the training data; one take in twenty is held out for validation on 2D.
        settings: networks, losses, steps.
        out: run folder (``config.json``, ``model.safetensors``, ``metrics.jsonl``, ``state/``).
        resume: go on where the run in `out` stopped.
        init: a run folder to start the weights from.
    """
    training, held_out = training_clips(sequences)
    pelvis_rays = at_pelvis(training.rays)
    tilt = _tilt(settings, training)
    unit = head_length(pelvis_rays)
    if not unit > 1e-6:
        raise InputError("the training data", "heads and pelvises are in one place", "check the keypoints")
    sizes = usual_sizes(replace(training, rays=pelvis_rays), unit)
    settings = replace(settings, model=replace(settings.model, unit=unit, sizes=sizes))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    torch.manual_seed(settings.loop.seed)
    networks = Networks(settings).to(device)
    teacher = networks.teacher
    if init is not None:
        load_weights(teacher, init)
    content = {
        "model": to_dict(settings.model),
        "training": {key: value for key, value in to_dict(settings).items() if key != "model"},
        "tilt_deg": {"mean": tilt.mean * 180 / torch.pi, "sd": tilt.sd * 180 / torch.pi, "clips": tilt.clips},
    }
    open_run(out, "teacher", describe_clips(training), content, resume=resume)

    def lifting(phase: type[FramePhase]) -> FramePhase:
        return phase(
            networks,
            replace(training, rays=pelvis_rays),
            replace(held_out, rays=at_pelvis(held_out.rays)),
            settings,
            tilt,
        )

    def temporal() -> FramePhase:
        phase = lifting(TemporalPhase)
        rng = torch.Generator().manual_seed(settings.loop.seed)
        phase.sources.append(noisy_copy(teacher.cleaner, training, rng))
        return phase

    def cleaning() -> DenoiserPhase:
        return DenoiserPhase(
            teacher.cleaner, training, held_out,
            lr=settings.lr_cleaner, batch=settings.cleaner_batch, frames=settings.cleaner_frames,
        )  # fmt: skip

    plans = [
        PhasePlan("cleaner", settings.cleaner_steps, cleaning),
        PhasePlan("frame", settings.frame_steps, lambda: lifting(FramePhase)),
        PhasePlan("temporal", settings.temporal_steps, temporal),
    ]
    exports = {
        "model.safetensors": ["teacher"],
        "discriminators.safetensors": ["pose_discriminator", "motion_discriminator"],
    }
    fit(networks, plans, out, settings.loop, resume=resume, exports=exports)
    return teacher


def _tilt(settings: TeacherTraining, training: Clips) -> Tilt:
    """The cameras' tilt: as set, else as measured on the training 2D."""
    if settings.tilt_mean_deg is None and settings.tilt_sd_deg is None:
        return measure_tilt(training)
    mean = STATED_TILT.mean if settings.tilt_mean_deg is None else settings.tilt_mean_deg * torch.pi / 180
    return Tilt(mean, STATED_TILT.sd if settings.tilt_sd_deg is None else settings.tilt_sd_deg * torch.pi / 180, 0)
