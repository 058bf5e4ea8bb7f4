"""The command ``posenet3d lift``."""

import argparse
import time
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from posenet3d.cli.detect import detection_progress, detector_for
from posenet3d.core.camera import pinhole
from posenet3d.core.sequence import PoseSequence
from posenet3d.detection.people import find_people
from posenet3d.errors import InputError
from posenet3d.io.atomic import check_target
from posenet3d.io.checked_json import MAX_PIXEL
from posenet3d.io.keypoints.read import choose_track, read_keypoints
from posenet3d.io.lifted_npz import write_lifted
from posenet3d.io.video import Video, is_video, open_video
from posenet3d.lifting.lifter import DEFAULT_HEIGHT_M, Lifter


def lift(options: argparse.Namespace) -> None:
    """``posenet3d lift``: read, choose the person, lift, write."""
    if options.model == "student" and (options.height is not None or options.refine):
        raise InputError("--height and --refine", "are for the teacher", "leave them out: the body has its own size")
    if options.model == "teacher" and options.no_fit:
        raise InputError("--no-fit", "is for the student", "leave it out, or add --model student")
    height = _positive("--height", options.height, DEFAULT_HEIGHT_M)
    if options.fov is not None and not 1 <= options.fov <= 175:
        raise InputError("--fov", f"{options.fov} degrees is not a field of view", "give 1 to 175, for example 65")
    check_target(options.out, options.input)  # before the work, not after it
    watch = _Watch()
    video = open_video(options.input, options.fps) if is_video(options.input) else None
    sequences = _read(options) if video is None else _detect(video, options)
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
        results = [result.at(video.rows) for result in results]  # one row per decoded frame; dropped frames have none
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
        now = time.perf_counter()
        self.laps.append(f"{stage} {now - self.since:.1f} s")
        self.since = now

    def __str__(self) -> str:
        return "time: " + ", ".join(self.laps)


def _read(options: argparse.Namespace) -> list[PoseSequence]:
    for name in ("detector", "detector_model"):
        if getattr(options, name) is not None:
            option = "--" + name.replace("_", "-")
            raise InputError(option, "is for videos", "leave it out: the input holds 2D joints already")
    return read_keypoints(options.input, joint_set=options.joint_set, fps=options.fps)


def _detect(video: Video, options: argparse.Namespace) -> list[PoseSequence]:
    """Find the people in a video and print the notes about them."""
    if options.joint_set is not None:
        raise InputError("--joint-set", "is for files of 2D joints", "leave it out: the detector knows its own")
    detector = detector_for(video, options)
    if options.fov is not None:
        video = replace(video, fov_deg=options.fov)  # as in `_with_fov`; no note that it is unknown
    with detection_progress(video, detector) as progress:
        people = find_people(video, detector, options.detector_model, progress)
    for note in people.notes:
        tqdm.write(note)
    return people.sequences


def _chosen(sequences: list[PoseSequence], options: argparse.Namespace) -> list[PoseSequence]:
    if options.track == "all":
        return sequences
    if options.track is not None and not _is_number(options.track):
        raise InputError("--track", f"'{options.track}' is not a track", "give its number, or all")
    return choose_track(sequences, None if options.track is None else int(options.track), file=options.input)


def _with_fov(sequence: PoseSequence, fov_deg: float) -> PoseSequence:
    if sequence.image_size is None:
        raise InputError("--fov", f"the image size of '{sequence.name}' is unknown", "add --image-size")
    width, height = sequence.image_size
    return replace(sequence, K=pinhole(float(max(width, height)), width / 2, height / 2, fov_deg))


def _image_size(text: str) -> tuple[int, int]:
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
