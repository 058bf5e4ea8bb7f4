"""Everything that is kept between reruns; the only file that caches."""

import hashlib
import re
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from explorer.compare.candidates import Actor
from explorer.viewer import payload as viewer_payload
from posenet3d.core.lifted import Lifted
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.keypoints.read import read_keypoints
from posenet3d.lifting.checkpoint import list_checkpoints
from posenet3d.lifting.lifter import DEFAULT_HEIGHT_M, BodyLifter, Lifter, SkeletonLifter
from posenet3d.synthetic.sequences import bundled_sequences

KEPT_RESULTS = 64
"""Lifted clips kept for all visitors together, about 1 MB each."""

Upload = tuple[str, bytes]


def checkpoints() -> dict[str, Path]:
    """Checkpoints by name; looked up anew each time, for a training run may just have written one."""
    return list_checkpoints()


@st.cache_resource
def bundled() -> dict[str, PoseSequence]:
    """The sequences that come with the app."""
    return {sequence.name: sequence for sequence in bundled_sequences()}


@st.cache_data(max_entries=8, show_spinner="Reading the upload ...")
def read_upload(files: tuple[Upload, ...], fps: float | None = None) -> list[PoseSequence]:
    """Sequences of uploaded files: one file by itself, several as one folder (OpenPose writes one per frame).

    Raises:
        InputError: with the sentence for the user, naming the uploaded file and not our temporary copy of it.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / clip_name(files[0][0])  # readers name the clip after it
        folder.mkdir()
        for name, content in files:
            (folder / Path(name).name).write_bytes(content)
        source = folder / Path(files[0][0]).name if len(files) == 1 else folder
        try:
            return read_keypoints(source, fps=fps)
        except InputError as error:
            raise InputError(Path(error.file).name, error.problem, error.remedy) from error


def clip_name(first_file: str) -> str:
    """The clip that a frame's file belongs to: 'cam01' for cam01.0000.json, 'clip' for clip_0012_keypoints.json."""
    return re.sub(r"[._-]*\d+(_keypoints)?$", "", Path(first_file).stem) or "upload"


@dataclass(frozen=True)
class Lifting:
    """How the user wants a sequence lifted: options of `SkeletonLifter` and, the last, of `BodyLifter`."""

    height_m: float = DEFAULT_HEIGHT_M
    refine: bool = False
    fit: bool = True

    def options(self, model: str) -> dict[str, Any]:
        """Return the options that apply to a model."""
        return {"fit": self.fit} if model == "student" else {"height_m": self.height_m, "refine": self.refine}


def lift(
    sequence: PoseSequence, folder: Path, model: str, progress: Callable[[float], None], how: Lifting
) -> tuple[str, Lifted]:
    """The lifted sequence and the key of this result; `progress` is called only when there is work to do."""
    stamp = max(file.stat().st_mtime for file in folder.glob("*.safetensors"))
    key = hashlib.sha256(f"{content_key(sequence)} {folder} {stamp} {model} {how}".encode()).hexdigest()
    kept = _results()
    if key not in kept:
        # Not st.cache_data: it cannot replay a progress bar that was made outside the cached function.
        progress(0.0)
        lifter = _lifter(str(folder), stamp, model)
        kept[key] = lifter([sequence], **how.options(model), progress=progress)[0]
        while len(kept) > KEPT_RESULTS:
            kept.popitem(last=False)
    return key, kept[key]


def payload(sequence: PoseSequence, actors: Sequence[Actor]) -> dict[str, Any]:
    """What the viewer shows; not to be changed by the caller.

    Raises:
        InputError: an actor's body is not here.
    """
    return _payload(content_key(sequence), tuple(f"{actor.label} {actor.key}" for actor in actors), sequence, actors)


@st.cache_resource(max_entries=8, show_spinner=False)
def _payload(clip: str, keys: tuple[str, ...], _sequence: PoseSequence, _actors: Sequence[Actor]) -> dict[str, Any]:
    return viewer_payload.payload(_sequence, _actors)


def content_key(sequence: PoseSequence) -> str:
    """The same for equal content, whatever file it came from."""
    digest = hashlib.sha256(f"{sequence.name} {sequence.fps} {sequence.image_size}".encode())
    for array in (sequence.keypoints_px, sequence.confidence, sequence.K, sequence.joints_3d):
        digest.update(b"-" if array is None else array.tobytes())
    return digest.hexdigest()


@st.cache_resource(max_entries=4, show_spinner="Loading the checkpoint ...")
def _lifter(folder: str, stamp: float, model: str) -> SkeletonLifter | BodyLifter:
    return Lifter.load(Path(folder), model=model)


@st.cache_resource
def _results() -> OrderedDict[str, Lifted]:
    return OrderedDict()
