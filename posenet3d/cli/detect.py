"""``posenet3d detect``: find the 2D joints of everybody in a video."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from posenet3d.errors import InputError

if TYPE_CHECKING:
    from posenet3d.cli import Commands
    from posenet3d.detection.detect import Detections
    from posenet3d.io.video import Video


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
    """Write a video's people as COCO JSON."""
    from tqdm import tqdm

    from posenet3d.io.atomic import atomic_write
    from posenet3d.io.video import open_video

    if not options.out.parent.is_dir():
        raise InputError(options.out, "its folder does not exist", "make the folder first")
    video = open_video(options.input, options.fps)
    detections = look(video, options)
    with atomic_write(options.out) as file:
        file.write(json.dumps(detections).encode())
    images, people = detections["images"], detections["annotations"]
    tracks = len({person["track_id"] for person in people})
    tqdm.write(f"{options.out}: {len(people)} detections of {tracks} person(s) in {len(images)} pictures")


def look(video: Video, options: argparse.Namespace) -> Detections:
    """Run the detector that the options name, with a progress bar.

    Raises:
        InputError: there is none, or it or the film fails.
    """
    from tqdm import tqdm

    from posenet3d.detection.detect import detect
    from posenet3d.detection.detectors import find_detector

    detector = find_detector(options.detector)
    if options.detector is None and detector.weights is not None:
        better = "mediapipe sees far better: python -m posenet3d detectors --install mediapipe"
        tqdm.write(
            f"no other detector is installed, so our own small networks look at {video.file.name}; {better}",
            file=sys.stderr,
        )
    with tqdm(total=len(video), unit="picture", desc=f"detect ({detector.name})") as bar:
        detections = detect(
            video, detector, options.detector_model, lambda share: bar.update(round(share * len(video)) - bar.n)
        )
    if (looked := len(detections["images"])) < len(video):
        tqdm.write(f"{video.file}: only the first {looked} of {len(video)} pictures can be decoded", file=sys.stderr)
    return detections
