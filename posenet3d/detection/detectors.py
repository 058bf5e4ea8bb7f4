"""2D pose detectors behind one small interface, each in a process of its own.

A detector brings packages that conflict with ours (MediaPipe's protobuf is older than Streamlit's), or that crash the process
where a GL library is missing. So it may live in an environment of its own, which `install` makes in the user's data folder. This
module only exchanges data with its process: images in, joints out. A detector that can be imported here is used as it is.
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
from jaxtyping import Float, UInt8

from posenet3d.errors import InputError
from posenet3d.io.lock import locked
from posenet3d.paths import BUNDLED_POSE2D

Joints = Float[np.ndarray, "joints 3"]
"""One person: x, y in pixels and score, in the detector's joint set."""

PIP_RANGE = "pip>=26,<27"
"""Python brings an older pip, with known holes in unpacking archives (CVE-2025-8869, CVE-2026-1703)."""

INSTALLED_MARK = "ready"  # the last file that `install` writes


@dataclass(frozen=True)
class Detector:
    """A 2D pose detector: its name, what users read about it, and what its process needs."""

    name: str
    joint_set: str
    description: str
    module: str  # importable where the detector is installed
    pip: tuple[tuple[str, ...], ...]  # arguments of `pip install`, one call each
    title: str = ""  # how its authors write the name
    licence: str = ""
    install_size: str = ""
    download: str = ""  # what it downloads on first use
    weights: Path | None = None  # the built-in detector: folder of its networks
    is_recommended: bool = False  # the one to install first

    @property
    def worker(self) -> Path:
        """The program that runs where the packages are; it does not import this library."""
        return Path(__file__).parent / "workers" / f"{self.name}_worker.py"

    @property
    def folder(self) -> Path:
        """The folder of its own environment, made or not."""
        home = os.environ.get("POSENET3D_DETECTORS") or platformdirs.user_data_path("posenet3d") / "detectors"
        return Path(home) / self.name

    @property
    def is_builtin(self) -> bool:
        """Whether it is a part of this program, so that there is nothing to install."""
        return self.weights is not None

    @property
    def install_command(self) -> str:
        """The command line that installs it."""
        return f"python -m posenet3d detectors --install {self.name}"

    def python(self) -> Path | None:
        """Return the interpreter that can run it; None if it is not installed."""
        if self.is_builtin:
            return Path(sys.executable)
        if (self.folder / INSTALLED_MARK).is_file():
            return _python_in(self.folder)
        return Path(sys.executable) if importlib.util.find_spec(self.module) else None


# OpenCV's "headless" package: the other one needs GL libraries that a server does not have. MediaPipe asks for packages that
# only its other tools use (JAX, sound), so it is installed without them.
DETECTORS = {
    detector.name: detector
    for detector in (
        Detector(
            "rtmlib",
            "coco17",
            "RTMPose through rtmlib (Apache-2.0): several people, the most accurate one",
            "rtmlib",
            (("--no-deps", "rtmlib>=0.0.13,<0.1"), ("onnxruntime>=1.17,<2", "opencv-python-headless>=4.8,<5", "tqdm")),
            title="RTMPose",
            licence="Apache-2.0",
            download="about 70 MB of weights from download.openmmlab.com",
        ),
        Detector(
            "mediapipe",
            "mediapipe33",
            "MediaPipe's BlazePose (Apache-2.0): one person, weights included, about ten frames per second on two cores",
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
            title="MediaPipe",
            licence="Apache-2.0",
            install_size="about 150 MB",
            is_recommended=True,
        ),
        Detector(
            "pose2d",
            "crowdpose14",
            "built-in small networks: several people, nothing to install; far less accurate, sometimes finds people in objects",
            "posenet3d",
            (),
            title="built-in networks",
            weights=BUNDLED_POSE2D,
        ),
    )
}
"""Most accurate first."""

RECOMMENDED = next(detector for detector in DETECTORS.values() if detector.is_recommended)
"""The detector that the app and the command line offer to install."""


def find_detector(name: str | None = None) -> Detector:
    """Return the detector of that name, or the most accurate installed one; the built-in one always is installed.

    Raises:
        InputError: no detector has that name, or it is not installed.
    """
    if name is None:
        return next(detector for detector in DETECTORS.values() if detector.python() is not None)
    if name not in DETECTORS:
        raise InputError("--detector", f"'{name}' is not known", f"choose one of {', '.join(DETECTORS)}")
    if DETECTORS[name].python() is None:
        remedy = f"install it with: {DETECTORS[name].install_command}"
        raise InputError("--detector", f"{name} is not installed", remedy)
    return DETECTORS[name]


def install(detector: Detector) -> None:
    """Make the detector's own environment; pip's output goes to the terminal.

    Raises:
        InputError: the detector is built in, it is being installed by another process, no environment can be made here, or
            pip could not install the packages.
    """
    if detector.is_builtin:
        raise InputError(detector.name, "is a part of this program", "use it: --detector " + detector.name)
    folder = detector.folder
    with locked(folder.with_name(f".{folder.name}.lock"), f"the installation of {detector.name}"):
        _install(detector, folder)


def _install(detector: Detector, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # an interrupted installation
    try:
        folder.mkdir(parents=True)
        venv.create(folder, with_pip=True, clear=True)
        for packages in (("--upgrade", PIP_RANGE), *detector.pip):
            command = [str(_python_in(folder)), "-m", "pip", "install", "--disable-pip-version-check", *packages]
            subprocess.run(command, check=True)
    except OSError as error:
        raise InputError(
            folder, f"cannot be made ({error.strerror})", "make room, or set POSENET3D_DETECTORS"
        ) from error
    except subprocess.CalledProcessError as error:
        remedy = "see pip's messages above; on Debian: apt-get install python3-venv"
        raise InputError(detector.name, "could not be installed", remedy) from error
    (folder / INSTALLED_MARK).write_text("\n".join(package for call in detector.pip for package in call))


class RunningDetector:
    """A detector's process: takes images one by one. Close it, or use it in a ``with`` statement.

    Raises:
        InputError: from any method, if the process stopped; the message holds the last line of its stderr.
    """

    def __init__(self, detector: Detector, model_file: Path | None = None):
        python = detector.python()
        if python is None:
            find_detector(detector.name)  # raises, and names the command that installs it
        self.detector = detector
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        command = [str(python), str(detector.worker), *([] if model_file is None else [str(model_file)])]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self._stderr, env=_environment())

    def detect(self, image: UInt8[np.ndarray, "height width 3"]) -> list[Joints]:
        """Detect the people in an RGB image."""
        height, width = image.shape[:2]
        try:
            _opened(self._process.stdin).write(struct.pack("<II", width, height) + image.tobytes())
            _opened(self._process.stdin).flush()
            answer = _opened(self._process.stdout).readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            raise self._stopped()
        return [np.array(person, dtype=np.float64).reshape(-1, 3) for person in json.loads(answer)]

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):
            _opened(self._process.stdin).close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _opened(self._process.stdout).close()
        self._stderr.close()

    def __enter__(self) -> "RunningDetector":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _stopped(self) -> InputError:
        self._process.wait()
        self._stderr.seek(0)
        lines = [line for line in self._stderr.read().decode(errors="replace").splitlines() if line.strip()]
        reason = lines[-1].strip() if lines else f"exit code {self._process.returncode}"
        remedy = f"install it again: {self.detector.install_command}"
        if self.detector.download:
            remedy = f"it needs the network once, for {self.detector.download}; or {remedy}"
        return InputError(f"detector {self.detector.name}", f"stopped ({reason})", remedy)


def _environment() -> dict[str, str]:
    """Return our environment without the variables that would lead the detector's Python to our packages."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}


def _python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _opened(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # requested in `__init__`
    return pipe
