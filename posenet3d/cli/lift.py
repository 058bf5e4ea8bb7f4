"""``posenet3d lift``: lift the 2D joints of a file or a video to 3D."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from posenet3d.cli.detect import add_detector_options, look
from posenet3d.errors import InputError

if TYPE_CHECKING:
    from posenet3d.cli import Commands
    from posenet3d.core.sequence import PoseSequence
    from posenet3d.io.video import Video


def add(commands: Commands) -> None:
    """Add the command ``lift``."""
    lift = commands.add_parser("lift", help="2D joints to a 3D skeleton", description="Lift 2D joints to 3D.")
    lift.add_argument(
        "input", type=Path, metavar="INPUT", help="video, folder of pictures, keypoint file or folder, packed .npz set"
    )
    lift.add_argument("-o", "--out", type=Path, required=True, metavar="OUT.npz")
    lift.add_argument("--model", choices=["teacher", "student"], default="teacher")
    lift.add_argument("--checkpoint", metavar="NAME|DIR", help="default: the bundled one")
    lift.add_argument("--track", metavar="N|all", help="which person (default: the most complete track)")
    add_detector_options(lift)
    lift.add_argument("--joint-set", metavar="NAME", help="force the input's joint set, e.g. BODY_25B")
    lift.add_argument("--height", type=float, metavar="M", help="body height in metres, sets the scale (default 1.70)")
    lift.add_argument("--image-size", metavar="WxH", help="of the video, in pixels, where the file does not say it")
    lift.add_argument("--fov", type=float, metavar="DEG", help="field of view along the image's longer side")
    lift.add_argument(
        "--no-fit", action="store_true", help="student: the network alone, its joints not turned onto the 2D"
    )
    lift.add_argument("--refine", action="store_true", help="nudge each clip towards bones of constant length (slower)")
    lift.add_argument("--fps", type=float, help="frames per second of the input (default: as stored, else 30)")
    lift.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Read, choose the person, lift, write."""
    import numpy as np
    from tqdm import tqdm

    from posenet3d.io.atomic import check_target
    from posenet3d.io.lifted_npz import write_lifted
    from posenet3d.io.video import is_video, open_video
    from posenet3d.lifting.lifter import DEFAULT_HEIGHT_M, Lifter

    if options.model == "student" and (options.height is not None or options.refine):
        raise InputError("--height and --refine", "are for the teacher", "leave them out: the body has its own size")
    if options.model == "teacher" and options.no_fit:
        raise InputError("--no-fit", "is for the student", "leave it out, or add --model student")
    height = _positive("--height", options.height, DEFAULT_HEIGHT_M)
    check_target(options.out, options.input)  # said before the work, not after it
    watch = _Watch()
    video = open_video(options.input, options.fps) if is_video(options.input) else None
    sequences = _read(options) if video is None else _look(video, options)
    sequences = _chosen(sequences, options)
    watch.lap("detect" if video else "read")
    if options.image_size is not None:
        size = _image_size(options.image_size)
        sequences = [replace(s, image_size=size) for s in sequences]
    if options.fov is not None:
        sequences = [_with_fov(s, options.fov) for s in sequences]
    lifter = Lifter.load(options.checkpoint, model=options.model)
    with tqdm(total=sum(len(s) for s in sequences), unit="frame", desc="lift") as bar:
        results = lifter(
            sequences,
            height_m=height,
            refine=options.refine,
            fit=not options.no_fit,
            progress=lambda share: bar.update(round(share * bar.total) - bar.n),
        )
    watch.lap("lift")
    if video is not None and not video.has_constant_rate:
        # One row per decoded frame; frames that the video lacks have none.
        results = [result.at(video.frame_index) for result in results]
    write_lifted(options.out, results)
    watch.lap("write")
    frames = sum(len(r) for r in results)
    empty = sum(int(np.isnan(r.joints_3d[:, 0, 0]).sum()) for r in results)
    note = f", {empty} of them without a person" if empty else ""
    tqdm.write(f"{options.out}: {frames} frames of {len(results)} clip(s){note}, checkpoint {lifter.name}")
    tqdm.write(str(watch))


class _Watch:
    """How long the stages took."""

    def __init__(self) -> None:
        self.laps: list[str] = []
        self.since = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Note the seconds since the last lap as those of `stage`."""
        now = time.perf_counter()
        self.laps.append(f"{stage} {now - self.since:.1f} s")
        self.since = now

    def __str__(self) -> str:
        return "time: " + ", ".join(self.laps)


def _read(options: argparse.Namespace) -> list[PoseSequence]:
    from posenet3d.io.keypoints.read import read_keypoints

    for name in ("detector", "detector_model"):
        if getattr(options, name) is not None:
            option = "--" + name.replace("_", "-")
            raise InputError(option, "is for videos", "leave it out: the input holds 2D joints already")
    return read_keypoints(options.input, joint_set=options.joint_set, fps=options.fps)


def _look(video: Video, options: argparse.Namespace) -> list[PoseSequence]:
    """Find the people in a video, and say what was done to what was found."""
    from tqdm import tqdm

    from posenet3d.core.camera import DEFAULT_FOV_DEG
    from posenet3d.detection.detect import sequences_in
    from posenet3d.detection.left_right import fix_left_right

    if options.joint_set is not None:
        raise InputError("--joint-set", "is for files of 2D joints", "leave it out: the detector knows its own")
    detections = look(video, options)
    sequences, notes = fix_left_right(sequences_in(video, detections))
    for note in notes:
        tqdm.write(note)
    if options.fov is None and video.fov_deg is None:
        tqdm.write(f"camera: nothing says how wide it sees; {DEFAULT_FOV_DEG:g} degrees are assumed (--fov)")
    return sequences


def _chosen(sequences: list[PoseSequence], options: argparse.Namespace) -> list[PoseSequence]:
    from posenet3d.io.keypoints.read import choose_track

    if options.track == "all":
        return sequences
    if options.track is not None and not _is_number(options.track):
        raise InputError("--track", f"'{options.track}' is not a track", "give its number, or all")
    return choose_track(sequences, None if options.track is None else int(options.track), file=options.input)


def _with_fov(sequence: PoseSequence, fov_deg: float) -> PoseSequence:

    if not 1 <= fov_deg <= 175:
        raise InputError("--fov", f"{fov_deg} degrees is not a field of view", "give 1 to 175, for example 65")
    if sequence.image_size is None:
        raise InputError("--fov", f"the image size of '{sequence.name}' is unknown", "add --image-size")
    return sequence.with_fov(fov_deg)


def _image_size(text: str) -> tuple[int, int]:
    from posenet3d.io.checked_json import MAX_PIXEL

    width, _, height = text.lower().partition("x")
    if not all(_is_number(side) and 0 < int(side) <= MAX_PIXEL for side in (width, height)):
        raise InputError("--image-size", f"'{text}' is not a size in pixels", "write it as 1920x1080")
    return int(width), int(height)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _positive(name: str, value: float | None, default: float) -> float:
    if value is None:
        return default
    if not 0.3 <= value <= 3.0:
        raise InputError(name, f"{value} is not a body height in metres", "give 0.3 to 3.0, for example 1.75")
    return value
