"""What ``posenet3d detect`` and ``posenet3d detectors`` do."""

import argparse
import json
import sys

from tqdm import tqdm

from posenet3d.detection.detect import Detections, detect
from posenet3d.detection.detectors import DETECTORS, find_detector, install
from posenet3d.errors import InputError
from posenet3d.io.atomic import atomic_write
from posenet3d.io.video import Video, open_video


def detect_command(options: argparse.Namespace) -> None:
    """``posenet3d detect``: a video's people as COCO JSON."""
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


def detectors_command(options: argparse.Namespace) -> None:
    """``posenet3d detectors``: what there is; with ``--install`` one more."""
    if options.install is None:
        for detector in DETECTORS.values():
            state = "installed" if detector.python() else "not installed"
            sys.stdout.write(f"{detector.name:10} {state:14} {detector.words}\n")
        sys.stdout.write("install one with: python -m posenet3d detectors --install NAME\n")
        return
    if options.install not in DETECTORS:
        raise InputError("--install", f"'{options.install}' is not known", f"choose one of {', '.join(DETECTORS)}")
    detector = DETECTORS[options.install]
    sys.stdout.write(f"{detector.name} goes into an environment of its own: {detector.folder}\n")
    if detector.fetches:
        sys.stdout.write(f"When it is first used it downloads {detector.fetches}.\n")
    sys.stdout.write("pip may name packages that are missing: they belong to tools of it that are not used here.\n")
    sys.stdout.flush()
    install(detector)
    sys.stdout.write(f"{detector.name} is installed\n")
