"""``posenet3d data``: convert data sets, and project motion capture with virtual cameras."""

from __future__ import annotations

import argparse
from collections.abc import Sized
from pathlib import Path
from typing import TYPE_CHECKING

from posenet3d.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool

    from posenet3d.cli import Commands
    from posenet3d.core.sequence import PoseSequence
    from posenet3d.io.datasets.data_format import Content, ReadOptions
    from posenet3d.io.mocap.take import Take


def add(commands: Commands) -> None:
    """Add the command ``data``."""
    data = commands.add_parser("data", help="data sets and motion capture to the packed format; virtual cameras")
    actions = data.add_subparsers(dest="action", required=True, metavar="ACTION")
    convert = actions.add_parser("convert", help="to packed clips, or to takes in 3D if the source has no cameras")
    convert.add_argument(
        "--source-fps", "--fps", type=float, help="frames per second, if the file does not say it (amc: 120)"
    )
    project = actions.add_parser(
        "project", aliases=["film"], help="project 3D motion with virtual cameras around it, to packed clips"
    )
    project.set_defaults(action="project")  # under its old name, too
    project.add_argument("--cameras", type=int, default=4, help="around each take (default %(default)s)")
    project.add_argument("--seed", type=int, default=0, help="of their positions (default %(default)s)")
    project.add_argument("--fps", type=float, help="reduce takes with a higher frame rate to this")
    project.add_argument("--source-fps", type=float, help="frames per second of an .amc (default 120)")
    project.add_argument("--train", action="store_true", help="leave the 3D out, for training")
    for action in (convert, project):
        action.add_argument(
            "source", type=Path, metavar="SRC", help="data set, motion-capture file or folder of them, or 2D joints"
        )
        action.add_argument("out", type=Path, metavar="DST.npz", help="file that is written")
        action.add_argument(
            "--format", metavar="NAME", help="h36m, 3dhp, 3dpw, aist, amass, bvh, amc, trc, photographs, 2d, takes"
        )
        action.add_argument("--unit", help="bvh: m, cm, mm, inch or metres per unit (default: by the body's height)")
        action.add_argument("--asf", type=Path, metavar="FILE", help="amc: its skeleton (default: found beside it)")
        action.add_argument(
            "--axes", choices=["y_up", "z_up"], help="bvh, trc, amass: the axis that points up (default: recognised)"
        )
        action.add_argument("--body", metavar="NAME|FILE", help="amass: an official SMPL body (default: the open one)")
        action.add_argument("--subjects", metavar="S9,S11", help="h36m: only these")
        action.add_argument(
            "--detections", metavar="NAME", help="h36m: NAME of data_2d_h36m_NAME.npz (default gt); 3dpw: own or gt"
        )
    data.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write data sets in the packed format, or project motion in 3D with virtual cameras."""
    from tqdm import tqdm

    from posenet3d.io.atomic import check_target
    from posenet3d.io.datasets.read import read

    _check(options)
    check_target(options.out, options.source)
    content = read(options.source, _choices(options), options.format)
    for error in content.left_out:
        tqdm.write(f"left out: {error}")
    for note in content.notes:
        tqdm.write(f"note: {note}")
    if options.action == "convert":
        _convert(content, options)
    else:
        _project(content, options)


def _convert(content: Content, options: argparse.Namespace) -> None:
    import numpy as np
    from tqdm import tqdm

    from posenet3d.io.keypoints.packed import write_packed
    from posenet3d.io.mocap.takes_npz import write_takes

    if not content.takes and not content.sequences:
        raise InputError(options.source, "has no people", "give a file with joints of a person")
    if content.takes:
        write_takes(options.out, content.takes)
        frames = sum(len(take) for take in content.takes)
        tqdm.write(
            f"{options.out}: {_count(content.takes, 'take')} in 3D, {frames} frames; "
            "'posenet3d data project' puts cameras around them"
        )
        _print_unknown(np.concatenate([np.isfinite(take.h36m17()).all(-1) for take in content.takes]))
    else:
        write_packed(options.out, content.sequences)
        tqdm.write(f"{options.out}: {_summary(content.sequences)}")


def _project(content: Content, options: argparse.Namespace) -> None:
    import numpy as np
    from tqdm import tqdm

    from posenet3d.io.datasets.formats import names_of_motion_formats
    from posenet3d.io.keypoints.packed import write_packed
    from posenet3d.synthetic.virtual_cameras import project_with_cameras

    if not content.takes:
        remedy = f"give a file of {', '.join(names_of_motion_formats())}, or the output of 'posenet3d data convert'"
        raise InputError(options.source, "is no motion in 3D without cameras", remedy)
    sequences = project_with_cameras(
        content.takes, cameras=options.cameras, seed=options.seed, fps=options.fps, keep_truth=not options.train
    )
    _check_observed(content.takes, sequences[:: options.cameras], options.source)
    write_packed(options.out, sequences)
    tqdm.write(f"{options.out}: {_summary(sequences)}")
    _print_unknown(np.concatenate([sequence.is_observed for sequence in sequences]))


def _print_unknown(is_known: Bool[np.ndarray, "frames 17"]) -> None:
    """Print the joints that the source has in no frame; projected clips lack them, too."""
    import numpy as np
    from tqdm import tqdm

    from posenet3d.core.skeleton import JOINT_NAMES

    unknown = [name for name, known in zip(JOINT_NAMES, np.any(is_known, axis=0).tolist(), strict=True) if not known]
    if unknown:
        tqdm.write(f"not known in any frame: {', '.join(unknown)}")


def _summary(sequences: list[PoseSequence]) -> str:
    frames = sum(len(sequence) for sequence in sequences)
    truth = sum(sequence.joints_3d is not None for sequence in sequences)
    return f"{_count(sequences, 'clip')}, {frames} frames, {'with 3D' if truth == len(sequences) else '2D only'}"


def _count(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def _check_observed(takes: list[Take], sequences: list[PoseSequence], path: Path) -> None:
    for take, sequence in zip(takes, sequences, strict=True):
        if not sequence.is_observed.any():
            names = ", ".join(take.joint_names[:8])
            problem = f"has no joint that is known here in {take.name} ({names} ...)"
            raise InputError(path, problem, "name hips, knees, ankles, shoulders, elbows and wrists as usual")


def _choices(options: argparse.Namespace) -> ReadOptions:
    from posenet3d.io.datasets.data_format import ReadOptions

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
    from posenet3d.io.mocap import trc
    from posenet3d.io.mocap.amc import INCH_M

    if text is None:
        return None
    units = {**trc.UNITS_M, "inch": INCH_M}
    try:
        unit = units.get(text) or float(text)
    except ValueError:
        unit = 0.0
    if not 0 < unit < 1e4:
        raise InputError("--unit", f"'{text[:20]}' is no unit", f"give one of {', '.join(units)}, or metres per unit")
    return unit


def _check(options: argparse.Namespace) -> None:
    from posenet3d.core.sequence import MAX_FPS, MIN_FPS
    from posenet3d.io.datasets.formats import FORMATS

    names = [known.name for known in FORMATS]
    if options.format not in (None, *names):
        raise InputError("--format", f"'{options.format[:20]}' is not known", f"choose one of {', '.join(names)}")
    if options.out.suffix.lower() != ".npz":
        raise InputError(options.out, "does not end in .npz", "give it that suffix")
    rates = {"--fps": getattr(options, "fps", None), "--source-fps": options.source_fps}
    for name, fps in rates.items():
        if fps is not None and not MIN_FPS <= fps <= MAX_FPS:
            raise InputError(name, f"{fps:g} is not usable", f"give {MIN_FPS:g} to {MAX_FPS:g} frames per second")
    if options.action == "project" and not 1 <= options.cameras <= 100:
        raise InputError("--cameras", f"{options.cameras} is not usable", "give 1 to 100")
    if options.action == "project" and options.seed < 0:
        raise InputError("--seed", f"{options.seed} is negative", "give 0 or more")
