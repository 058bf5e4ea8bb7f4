"""``posenet3d detect``: detect the 2D joints of all people in a video."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from posenet3d.errors import InputError

if TYPE_CHECKING:
    from posenet3d.cli import Commands
    from posenet3d.core.progress import OnProgress
    from posenet3d.detection.detectors import Detector


def add(commands: Commands) -> None:
    """Add the command ``detect``."""
    detect = commands.add_parser("detect", help="2D joints of all people in a video or in images, as COCO JSON")
    detect.add_argument("input", type=Path, metavar="INPUT", help="video, image, or folder of images")
    detect.add_argument("-o", "--out", type=Path, required=True, metavar="OUT.json")
    add_detector_options(detect)
    detect.add_argument("--fps", type=float, help="frames per second (default: as stored, else 30)")
    detect.set_defaults(run=run)


def add_detector_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a detector to the parser of a command that reads videos."""
    parser.add_argument("--detector", metavar="NAME", help="for videos (default: the best installed one)")
    parser.add_argument("--detector-model", type=Path, metavar="FILE", help="mediapipe: another .task file")


def run(options: argparse.Namespace) -> None:
    """Write the people of a video as COCO JSON."""
    from tqdm import tqdm

    from posenet3d import api
    from posenet3d.io.atomic import atomic_write
    from posenet3d.io.video import open_video

    if not options.out.parent.is_dir():
        raise InputError(options.out, "its folder does not exist", "make the folder first")
    n_frames = len(open_video(options.input, options.fps))
    with progress_bar(choose_detector(options.input, options), n_frames) as (detector, progress):
        detections = api.detect(
            options.input,
            detector=detector.name,
            detector_model=options.detector_model,
            fps=options.fps,
            progress=progress,
        )
    if (decoded := len(detections.images)) < n_frames:
        lost = f"{n_frames - decoded} of {n_frames} frames cannot be decoded; their rows stay empty"
        tqdm.write(f"{options.input}: {lost}", file=sys.stderr)
    with atomic_write(options.out) as file:
        file.write(json.dumps(detections.to_coco()).encode())
    found = f"{len(detections.people)} detections of {detections.n_tracks} person(s) in {decoded} frames"
    tqdm.write(f"{options.out}: {found}")


def choose_detector(path: Path, options: argparse.Namespace) -> Detector:
    """Return the detector that the options name, else the best installed one; recommend a better one than the built-in.

    Raises:
        InputError: the detector is not known or not installed.
    """
    from tqdm import tqdm

    from posenet3d.detection.detectors import RECOMMENDED, find_detector

    detector = find_detector(options.detector)
    if options.detector is None and detector.is_builtin:
        tqdm.write(
            f"no other detector is installed, so the built-in networks find the people in {path.name}; "
            f"{RECOMMENDED.title} is far more accurate: {RECOMMENDED.install_command}",
            file=sys.stderr,
        )
    return detector


@contextmanager
def progress_bar(detector: Detector, n_frames: int) -> Iterator[tuple[Detector, OnProgress]]:
    """Show a progress bar; yields the detector and the callback that is told the share done."""
    from tqdm import tqdm

    with tqdm(total=n_frames, unit="frame", desc=f"detect ({detector.name})") as bar:
        yield detector, lambda share: bar.update(round(share * n_frames) - bar.n)
