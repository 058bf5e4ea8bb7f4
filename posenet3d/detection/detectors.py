"""Detectors of 2D joints behind one small interface, each in a process of its own.

A detector brings packages that do not go together with ours (MediaPipe's protobuf is older than Streamlit's), or that die where
a GL library is missing. So it may live in an environment of its own, made by `install` in the user's data folder, and is only
spoken to: pictures in, joints out. One that is importable here is used as it is.
"""

import contextlib
import importlib.util
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
import platformdirs
from jaxtyping import Float

from posenet3d.errors import InputError
from posenet3d.io.video import Picture
from posenet3d.paths import BUNDLED_POSE2D

Joints = Float[np.ndarray, "joints 3"]
"""One person: x, y in pixels, confidence; in the detector's joint set."""

READY = "ready"  # the last file that `install` writes

WEIGHTS = BUNDLED_POSE2D
"""The bundled networks: the runs ``estimator`` and ``finder``."""


@dataclass(frozen=True)
class Detector:
    """What a detector is called, what it is, and what its worker needs."""

    name: str
    joint_set: str
    words: str
    module: str
    pip: tuple[tuple[str, ...], ...]  # arguments of `pip install`, one call each
    fetches: str = ""  # what it downloads when it is first used
    weights: Path | None = None  # our own: its networks

    @property
    def worker(self) -> Path:
        """The program that runs where the packages are; it imports nothing of ours."""
        return Path(__file__).parent / "workers" / f"{self.name}_worker.py"

    @property
    def folder(self) -> Path:
        """Where its own environment is, or would be."""
        home = os.environ.get("POSENET3D_DETECTORS") or platformdirs.user_data_path("posenet3d") / "detectors"
        return Path(home) / self.name

    def python(self) -> Path | None:
        """The interpreter that can run it; None if it is not installed."""
        if self.weights is not None:
            return Path(sys.executable)
        if (self.folder / READY).is_file():
            return _python_in(self.folder)
        return Path(sys.executable) if importlib.util.find_spec(self.module) else None


# OpenCV comes without its windows ("headless"): they need GL libraries that a server does not have. MediaPipe asks for
# packages that only its other tools use (JAX, sound), so it is installed without them.
DETECTORS = {
    detector.name: detector
    for detector in (
        Detector(
            "rtmlib",
            "coco17",
            "RTMPose through rtmlib (Apache-2.0): several people, the more exact one",
            "rtmlib",
            (("--no-deps", "rtmlib>=0.0.13,<0.1"), ("onnxruntime>=1.17,<2", "opencv-python-headless>=4.8,<5", "tqdm")),
            fetches="about 70 MB of weights from download.openmmlab.com",
        ),
        Detector(
            "mediapipe",
            "mediapipe33",
            "MediaPipe's BlazePose (Apache-2.0): one person, weights inside, about ten pictures a second on two cores",
            "mediapipe",
            (
                ("--no-deps", "mediapipe==0.10.14"),
                (
                    "absl-py>=2",
                    "attrs>=19.1",
                    "flatbuffers>=2",
                    "protobuf>=4.25.3,<5",
                    "numpy>=1.26,<3",
                    "matplotlib>=3.8,<4",
                    "opencv-python-headless>=4.8,<5",
                ),
            ),
        ),
        Detector(
            "pose2d",
            "crowdpose14",
            "our own small networks: several people, nothing to install; far less exact, sometimes people in things",
            "posenet3d",
            (),
            weights=WEIGHTS,
        ),
    )
}
"""Best first."""


def find_detector(name: str | None = None) -> Detector:
    """The detector of that name, or the best one that is installed: our own always is.

    Raises:
        InputError: there is none of that name, or it is not installed.
    """
    if name is None:
        return next(detector for detector in DETECTORS.values() if detector.python() is not None)
    if name not in DETECTORS:
        raise InputError("--detector", f"'{name}' is not known", f"choose one of {', '.join(DETECTORS)}")
    if DETECTORS[name].python() is None:
        remedy = f"install it with: python -m posenet3d detectors --install {name}"
        raise InputError("--detector", f"{name} is not installed", remedy)
    return DETECTORS[name]


def install(detector: Detector) -> None:
    """Make the detector's own environment; what pip says goes to the terminal.

    Raises:
        InputError: it is a part of this program, an environment cannot be made here, or pip could not install the packages.
    """
    if detector.weights is not None:
        raise InputError(detector.name, "is a part of this program", "use it: --detector " + detector.name)
    folder = detector.folder
    shutil.rmtree(folder, ignore_errors=True)  # a half-made one
    try:
        folder.mkdir(parents=True)
        venv.create(folder, with_pip=True, clear=True)
        for packages in detector.pip:
            command = [str(_python_in(folder)), "-m", "pip", "install", "--disable-pip-version-check", *packages]
            subprocess.run(command, check=True)
    except OSError as error:
        raise InputError(
            folder, f"cannot be made ({error.strerror})", "make room, or set POSENET3D_DETECTORS"
        ) from error
    except subprocess.CalledProcessError as error:
        remedy = "see pip's words above; on Debian: apt-get install python3-venv"
        raise InputError(detector.name, "could not be installed", remedy) from error
    (folder / READY).write_text("\n".join(package for call in detector.pip for package in call))


class RunningDetector:
    """A detector at work: give it pictures one by one; close it, or use it in a ``with`` statement.

    Raises:
        InputError: from any method, if the detector stopped; with its last words.
    """

    def __init__(self, detector: Detector, model_file: Path | None = None):
        python = detector.python()
        if python is None:
            find_detector(detector.name)  # says what to install
        self.detector = detector
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        command = [str(python), str(detector.worker), *([] if model_file is None else [str(model_file)])]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self._words, env=_environment())

    def people(self, picture: Picture) -> list[Joints]:
        """Everybody in a picture."""
        height, width = picture.shape[:2]
        try:
            _of(self._process.stdin).write(struct.pack("<II", width, height) + picture.tobytes())
            _of(self._process.stdin).flush()
            answer = _of(self._process.stdout).readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            raise self._stopped()
        return [np.array(person, dtype=np.float64).reshape(-1, 3) for person in json.loads(answer)]

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):
            _of(self._process.stdin).close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _of(self._process.stdout).close()
        self._words.close()

    def __enter__(self) -> "RunningDetector":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _stopped(self) -> InputError:
        self._process.wait()
        self._words.seek(0)
        lines = [line for line in self._words.read().decode(errors="replace").splitlines() if line.strip()]
        words = lines[-1].strip() if lines else f"exit code {self._process.returncode}"
        remedy = f"install it again: python -m posenet3d detectors --install {self.detector.name}"
        if self.detector.fetches:
            remedy = f"it needs the network once, for {self.detector.fetches}; or {remedy}"
        return InputError(f"detector {self.detector.name}", f"stopped ({words})", remedy)


def _environment() -> dict[str, str]:
    """Ours, less what would lead the detector's Python to our packages."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}


def _python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _of(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # asked for at the start
    return pipe
