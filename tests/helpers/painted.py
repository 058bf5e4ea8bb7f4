"""A stand-in for a detector, and pictures in which it finds people: joints painted as coloured dots."""

import sys
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image

from posenet3d.core.skeleton import JOINT
from posenet3d.detection.detectors import Detector
from posenet3d.synthetic.sequences import bundled_sequences

WALK = bundled_sequences()[0]
SIZE = 400
SCALE = SIZE / 1000  # the walk's image is 1000 pixels wide
# COCO's joints that Human3.6M has, too; the face is put where the nose is
COCO = [
    *["neck_nose"] * 5, "l_shoulder", "r_shoulder", "l_elbow", "r_elbow", "l_wrist", "r_wrist",
    "l_hip", "r_hip", "l_knee", "r_knee", "l_ankle", "r_ankle",
]  # fmt: skip


@dataclass(frozen=True)
class Painted(Detector):
    """Runs `painted_worker.py` with this Python."""

    @property
    def worker(self) -> Path:
        return Path(__file__).with_name("painted_worker.py")

    def python(self) -> Path:
        return Path(sys.executable)


PAINTED = Painted("painted", "coco17", "for tests", "none", ())


def paint(folder: Path, frames: int, people: int = 1) -> Path:
    """Pictures of the walk; a second person walks 120 pixels to the right of the first."""
    folder.mkdir()
    for frame in range(frames):
        picture = np.zeros((SIZE, SIZE, 3), np.uint8)
        for person in range(people):
            for joint, name in enumerate(COCO):
                x, y = (WALK.keypoints_px[frame, JOINT[name]] * SCALE).round().astype(int)
                # The face's five would cover each other.
                x, y = x + 120 * person + (3 * joint if joint < 5 else 0), y
                picture[y - 1 : y + 2, x - 1 : x + 2] = (100 + person, 10 + 5 * joint, 200)
        Image.fromarray(picture).save(folder / f"{frame:04d}.png")
    return folder


def filmed(path: Path, frames: int) -> Path:
    """The walk as a lossless video."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width = stream.height = SIZE
        stream.pix_fmt = "bgr0"
        for file in sorted(paint(path.with_suffix(""), frames).iterdir()):
            with Image.open(file) as picture:
                frame = av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path
