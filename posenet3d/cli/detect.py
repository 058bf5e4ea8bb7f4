"""The commands ``posenet3d detect`` and ``posenet3d detectors``."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

from posenet3d.detection.detect import detect
from posenet3d.detection.detectors import DETECTORS, RECOMMENDED, Detector, find_detector, install
from posenet3d.errors import InputError
from posenet3d.io.atomic import atomic_write
from posenet3d.io.video import Video, open_video


def detect_command(options: argparse.Namespace) -> None:
    """``posenet3d detect``: write the people of a video as COCO JSON."""
    if not options.out.parent.is_dir():
        raise InputError(options.out, "its folder does not exist", "make the folder first")
    video = open_video(options.input, options.fps)
    detector = detector_for(video, options)
    with detection_progress(video, detector) as progress:
        detections = detect(video, detector, options.detector_model, progress)
    if (decoded := len(detections.images)) < len(video):
        tqdm.write(f"{video.file}: only the first {decoded} of {len(video)} frames can be decoded", file=sys.stderr)
    with atomic_write(options.out) as file:
        file.write(json.dumps(detections.to_coco()).encode())
    found = f"{len(detections.people)} detections of {detections.n_tracks} person(s) in {decoded} frames"
    tqdm.write(f"{options.out}: {found}")


def detector_for(video: Video, options: argparse.Namespace) -> Detector:
    """Return the detector that the options name, else the best installed one; recommend a better one than the built-in.

    Raises:
        InputError: the detector is not known or not installed.
    """
    detector = find_detector(options.detector)
    if options.detector is None and detector.is_builtin:
        tqdm.write(
            f"no other detector is installed, so the built-in networks find the people in {video.file.name}; "
            f"{RECOMMENDED.title} is far more accurate: {RECOMMENDED.install_command}",
            file=sys.stderr,
        )
    return detector


@contextmanager
def detection_progress(video: Video, detector: Detector) -> Iterator[Callable[[float], None]]:
    """Show a progress bar; yields the callback that is told the share done."""
    with tqdm(total=len(video), unit="frame", desc=f"detect ({detector.name})") as bar:
        yield lambda share: bar.update(round(share * len(video)) - bar.n)


def detectors_command(options: argparse.Namespace) -> None:
    """``posenet3d detectors``: list the detectors, or with ``--install`` install one."""
    if options.install is None:
        for detector in DETECTORS.values():
            state = "installed" if detector.python() else "not installed"
            sys.stdout.write(f"{detector.name:10} {state:14} {detector.description}\n")
        sys.stdout.write("install one with: python -m posenet3d detectors --install NAME\n")
        return
    if options.install not in DETECTORS:
        raise InputError("--install", f"'{options.install}' is not known", f"choose one of {', '.join(DETECTORS)}")
    detector = DETECTORS[options.install]
    sys.stdout.write(f"{detector.name} goes into an environment of its own: {detector.folder}\n")
    if detector.download:
        sys.stdout.write(f"On first use it downloads {detector.download}.\n")
    sys.stdout.write("pip may warn of missing packages: they belong to parts of the detector that are not used here.\n")
    sys.stdout.flush()
    install(detector)
    sys.stdout.write(f"{detector.name} is installed\n")
