"""``posenet3d lift``: lift the 2D joints of a file or a video to 3D."""

from __future__ import annotations

import argparse
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posenet3d.cli.detect import add_detector_options, choose_detector, progress_bar
from posenet3d.errors import InputError

if TYPE_CHECKING:
    from posenet3d.api import People
    from posenet3d.cli import Commands
    from posenet3d.core.progress import OnProgress
    from posenet3d.core.sequence import PoseSequence


def add(commands: Commands) -> None:
    """Add the command ``lift``."""
    lift = commands.add_parser("lift", help="2D joints to a 3D skeleton", description="Lift 2D joints to 3D.")
    lift.add_argument(
        "input", type=Path, metavar="INPUT", help="video, folder of images, keypoint file or folder, packed .npz set"
    )
    lift.add_argument("-o", "--out", type=Path, required=True, metavar="OUT.npz")
    lift.add_argument("--model", choices=["teacher", "student"], default="teacher")
    lift.add_argument("--checkpoint", metavar="NAME|DIR", help="default: the bundled one")
    lift.add_argument("--track", metavar="N|all", help="which person (default: the most complete track)")
    add_detector_options(lift)
    lift.add_argument("--joint-set", metavar="NAME", help="force the input's joint set, e.g. BODY_25B")
    lift.add_argument(
        "--units",
        choices=["px", "share", "centred", "percent"],
        help="of the coordinates, where it cannot be recognised",
    )
    lift.add_argument("--height", type=float, metavar="M", help="body height in metres, sets the scale (default 1.70)")
    lift.add_argument("--image-size", metavar="WxH", help="of the video, in pixels, if the file does not say it")
    lift.add_argument("--fov", type=float, metavar="DEG", help="field of view along the image's longer side")
    lift.add_argument(
        "--no-fit", action="store_true", help="student: the network alone, without fitting its body to the 2D"
    )
    lift.add_argument("--refine", action="store_true", help="optimise each clip for bones of constant length (slower)")
    lift.add_argument("--fps", type=float, help="frames per second of the input (default: as stored, else 30)")
    lift.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Read, choose the person, lift, write."""
    import numpy as np
    from tqdm import tqdm

    from posenet3d import api
    from posenet3d.io.atomic import check_target
    from posenet3d.io.lifted_npz import write_lifted

    _check(options)
    check_target(options.out, options.input)  # before the work, not after it
    lift = api.load_lifter(  # first: a mistake in these options shows before the work
        options.model,
        options.checkpoint,
        height_m=options.height,
        refine=options.refine,
        fit=False if options.no_fit else None,
    )
    watch = _Watch()
    people = _read(options)
    for note in people.notes:
        tqdm.write(note)
    sequences = _chosen(people.sequences, options)
    if left_out := [s.name for s in people.sequences if all(s is not chosen for chosen in sequences)]:
        tqdm.write(f"lifted is {sequences[0].name}; left out: {_listed(left_out)} (--track N or --track all)")
    watch.lap("detect" if people.video else "read")
    with tqdm(total=sum(len(s) for s in sequences), unit="frame", desc="lift") as bar:
        results = lift(sequences, lambda share: bar.update(round(share * bar.total) - bar.n))
    watch.lap("lift")
    results = [api.at_video_frames(result, people.video) for result in results]
    write_lifted(options.out, results)
    watch.lap("write")
    frames = sum(len(r) for r in results)
    empty = sum(int(np.isnan(r.joints_3d[:, 0, 0]).sum()) for r in results)
    note = f", {empty} of them without a person" if empty else ""
    tqdm.write(f"{options.out}: {frames} frames of {len(results)} clip(s){note}, checkpoint {results[0].checkpoint}")
    tqdm.write(str(watch))


class _Watch:
    """Measures how long each stage takes."""

    def __init__(self) -> None:
        self.laps: list[str] = []
        self.since = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps.append(f"{stage} {now - self.since:.1f} s")
        self.since = now

    def __str__(self) -> str:
        return "time: " + ", ".join(self.laps)


def _check(options: argparse.Namespace) -> None:
    """Refuse options that do not go together, under the names that they have on the command line."""
    if options.model == "student" and (options.height is not None or options.refine):
        raise InputError("--height and --refine", "are for the teacher", "leave them out: the body has its own size")
    if options.model == "teacher" and options.no_fit:
        raise InputError("--no-fit", "is for the student", "leave it out, or add --model student")
    if options.height is not None and not 0.3 <= options.height <= 3.0:
        problem = f"{options.height} is not a body height in metres"
        raise InputError("--height", problem, "give 0.3 to 3.0, for example 1.75")
    if options.fov is not None and not 1 <= options.fov <= 175:
        raise InputError("--fov", f"{options.fov} degrees is not a field of view", "give 1 to 175, for example 65")


def _read(options: argparse.Namespace) -> People:
    """Read the input; a video with a progress bar."""
    from posenet3d import api
    from posenet3d.core.progress import no_progress
    from posenet3d.io.video import is_video, open_video

    given = {"detector": options.detector, "detector_model": options.detector_model}
    bar: AbstractContextManager[tuple[Any, OnProgress]] = nullcontext((None, no_progress))
    if is_video(options.input):
        for option, value in (("--joint-set", options.joint_set), ("--units", options.units)):
            if value is not None:
                raise InputError(option, "is for files of 2D joints", "leave it out: the detector knows its own")
        n_frames = len(open_video(options.input, options.fps))
        detector = choose_detector(options.input, options)
        given["detector"] = detector.name
        bar = progress_bar(detector, n_frames)
    else:
        for name, value in given.items():
            if value is not None:
                option = "--" + name.replace("_", "-")
                raise InputError(option, "is for videos", "leave it out: the input holds 2D joints already")
    size = None if options.image_size is None else _image_size(options.image_size)
    with bar as (_, progress):
        return api.read_people(
            options.input,
            joint_set=options.joint_set,
            units=options.units,
            fps=options.fps,
            image_size=size,
            fov_deg=options.fov,
            progress=progress,
            **given,
        )


def _chosen(sequences: list[PoseSequence], options: argparse.Namespace) -> list[PoseSequence]:
    """Return the sequences to lift: all of them, a numbered track, or the default."""
    from posenet3d.io.keypoints.read import choose_track

    if options.track == "all":
        return sequences
    if options.track is not None and not _is_number(options.track):
        raise InputError("--track", f"'{options.track}' is not a track", "give its number, or all")
    return choose_track(sequences, None if options.track is None else int(options.track), file=options.input)


def _listed(names: list[str]) -> str:
    """Return up to five names, and how many more there are."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _image_size(text: str) -> tuple[int, int]:
    """Return (width, height) in pixels from text such as 1920x1080."""
    from posenet3d.io.checked_json import MAX_PIXEL

    width, _, height = text.lower().partition("x")
    if not all(_is_number(side) and 0 < int(side) <= MAX_PIXEL for side in (width, height)):
        raise InputError("--image-size", f"'{text}' is not a size in pixels", "write it as 1920x1080")
    return int(width), int(height)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 15
