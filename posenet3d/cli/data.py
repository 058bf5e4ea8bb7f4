"""What ``posenet3d data convert`` and ``posenet3d data project`` do."""

import argparse
from collections.abc import Sized
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from tqdm import tqdm

from posenet3d.core.sequence import MAX_FPS, MIN_FPS, PoseSequence
from posenet3d.core.skeleton import JOINT_NAMES
from posenet3d.errors import InputError
from posenet3d.io.atomic import check_target
from posenet3d.io.datasets.data_format import Content, ReadOptions
from posenet3d.io.datasets.formats import FORMATS, names_of_motion_formats
from posenet3d.io.datasets.read import read
from posenet3d.io.keypoints.packed import write_packed
from posenet3d.io.mocap import trc
from posenet3d.io.mocap.amc import INCH_M
from posenet3d.io.mocap.take import Take
from posenet3d.io.mocap.takes_npz import write_takes
from posenet3d.synthetic.virtual_cameras import project_with_cameras

UNITS_M = {**trc.UNITS_M, "inch": INCH_M}


def data(options: argparse.Namespace) -> None:
    """``posenet3d data``: the packed format out of data sets, and virtual cameras for motion in 3D."""
    _check(options)
    check_target(options.out, options.source)
    content = read(options.source, _choices(options), options.format)
    for error in content.left_out:
        tqdm.write(f"left out: {error}")
    if options.action == "convert":
        _convert(content, options)
    else:
        _project(content, options)


def _convert(content: Content, options: argparse.Namespace) -> None:
    if not content.takes and not content.sequences:
        raise InputError(options.source, "has nobody in it", "give a file with somebody's joints")
    if content.takes:
        write_takes(options.out, content.takes)
        frames = sum(len(take) for take in content.takes)
        tqdm.write(
            f"{options.out}: {_count(content.takes, 'take')} in 3D, {frames} frames; "
            "'posenet3d data project' puts cameras around them"
        )
        _tell_unknown(np.concatenate([np.isfinite(take.h36m17()).all(-1) for take in content.takes]))
    else:
        write_packed(options.out, content.sequences)
        tqdm.write(f"{options.out}: {_told(content.sequences)}")


def _project(content: Content, options: argparse.Namespace) -> None:
    if not content.takes:
        remedy = f"give a file of {', '.join(names_of_motion_formats())}, or what 'posenet3d data convert' made of it"
        raise InputError(options.source, "is no motion in 3D without cameras", remedy)
    sequences = project_with_cameras(
        content.takes, cameras=options.cameras, seed=options.seed, fps=options.fps, keep_truth=not options.train
    )
    _check_seen(content.takes, sequences[:: options.cameras], options.source)
    write_packed(options.out, sequences)
    tqdm.write(f"{options.out}: {_told(sequences)}")
    _tell_unknown(np.concatenate([sequence.is_observed for sequence in sequences]))


def _tell_unknown(is_known: Bool[np.ndarray, "frames 17"]) -> None:
    """Say which joints the source has in no frame: what is filmed lacks them, and a lifter has to do without."""
    unknown = [name for name, known in zip(JOINT_NAMES, np.any(is_known, axis=0).tolist(), strict=True) if not known]
    if unknown:
        tqdm.write(f"not known in any frame: {', '.join(unknown)}")


def _told(sequences: list[PoseSequence]) -> str:
    frames = sum(len(sequence) for sequence in sequences)
    truth = sum(sequence.joints_3d is not None for sequence in sequences)
    return f"{_count(sequences, 'clip')}, {frames} frames, {'with 3D' if truth == len(sequences) else '2D only'}"


def _count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def _check_seen(takes: list[Take], sequences: list[PoseSequence], path: Path) -> None:
    for take, sequence in zip(takes, sequences, strict=True):
        if not sequence.is_observed.any():
            names = ", ".join(take.joint_names[:8])
            problem = f"has no joint that is known here in {take.name} ({names} ...)"
            raise InputError(path, problem, "name hips, knees, ankles, shoulders, elbows and wrists as usual")


def _choices(options: argparse.Namespace) -> ReadOptions:
    return ReadOptions(
        detections=options.detections,
        subjects=None if options.subjects is None else tuple(part.strip() for part in options.subjects.split(",")),
        unit=_unit(options.unit),
        asf=options.asf,
        axes=options.axes,
        body=options.body,
        source_fps=options.source_fps,
    )


def _unit(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        unit = UNITS_M.get(text) or float(text)
    except ValueError:
        unit = 0.0
    if not 0 < unit < 1e4:
        raise InputError("--unit", f"'{text[:20]}' is no unit", f"give one of {', '.join(UNITS_M)}, or metres per unit")
    return unit


def _check(options: argparse.Namespace) -> None:
    names = [known.name for known in FORMATS]
    if options.format not in (None, *names):
        raise InputError("--format", f"'{options.format[:20]}' is not known", f"choose one of {', '.join(names)}")
    if options.out.suffix.lower() != ".npz":
        raise InputError(options.out, "does not end in .npz", "name the file that is written so")
    rates = {"--fps": getattr(options, "fps", None), "--source-fps": options.source_fps}
    for name, fps in rates.items():
        if fps is not None and not MIN_FPS <= fps <= MAX_FPS:
            raise InputError(name, f"{fps:g} is not usable", f"give {MIN_FPS:g} to {MAX_FPS:g} frames per second")
    if options.action == "project" and not 1 <= options.cameras <= 100:
        raise InputError("--cameras", f"{options.cameras} is not usable", "give 1 to 100")
    if options.action == "project" and options.seed < 0:
        raise InputError("--seed", f"{options.seed} is negative", "give 0 or more")
