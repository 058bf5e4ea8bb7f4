"""Everything that is kept between reruns and for all visitors; the only file of the app that caches."""

import atexit
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import streamlit as st

from explorer import browser_video, notebooks
from explorer.browser_video import BrowserVideo
from explorer.compare.candidates import Candidate, LiftingOptions, Source
from explorer.notebooks import Lab, Notebook
from explorer.uploads import Upload, on_disk
from explorer.viewer.payload import ViewerPayload, make_payload
from posenet3d import api
from posenet3d.core.lifted import Lifted
from posenet3d.core.sequence import PoseSequence
from posenet3d.evaluation.evaluate import Evaluation
from posenet3d.lifting.checkpoint import list_checkpoints, load_teacher
from posenet3d.lifting.lifter import BodyLifter, Lifter, SkeletonLifter
from posenet3d.lifting.single_frame import lift_single_frames
from posenet3d.synthetic.sequences import bundled_sequences

KEPT_RESULTS = 64
"""Lifted clips kept for all visitors together, about 1 MB each."""

KEPT_RESULT_BYTES = 256 * 10**6
"""Long clips are larger, so that fewer are kept; the newest one always is."""

KEPT_EVALUATIONS = 16

Value = TypeVar("Value")


def checkpoints() -> dict[str, Path]:
    """Return checkpoints by name; read anew each time, because a training run may just have written one."""
    return list_checkpoints()


@st.cache_resource
def bundled() -> dict[str, PoseSequence]:
    """Return the bundled sequences by name."""
    return {sequence.name: sequence for sequence in bundled_sequences()}


@st.cache_data(max_entries=8, show_spinner="Reading the upload ...")
def read_upload(files: tuple[Upload, ...], fps: float | None = None) -> list[PoseSequence]:
    """Read sequences from uploaded files: one file by itself, several as one folder (OpenPose writes one per frame).

    Raises:
        InputError: names the uploaded file and not our temporary copy of it.
    """
    with on_disk(Path(files[0][0]).name, files) as source:
        return api.read(source, fps=fps)


def thumbnails(video: BrowserVideo, tracks: Sequence[PoseSequence]) -> list[str]:
    """Return `explorer.browser_video.thumbnails`, computed once per video and tracks."""
    return _thumbnails(_video_key(video), tuple(map(content_key, tracks)), video, tracks)


@st.cache_data(max_entries=4, show_spinner=False)
def _thumbnails(
    video_key: str, track_keys: tuple[str, ...], _video: BrowserVideo, _tracks: Sequence[PoseSequence]
) -> list[str]:
    return browser_video.thumbnails(_video, _tracks)


def _video_key(video: BrowserVideo) -> str:
    return hashlib.sha256(f"{video.original.size} {video.fps} ".encode() + video.content).hexdigest()


def lift(
    sequence: PoseSequence, source: Source, options: LiftingOptions, progress: Callable[[float], None]
) -> tuple[str, Lifted]:
    """Return the key of the result and the lifted sequence.

    Args:
        sequence: to lift.
        source: the model that lifts it.
        options: of the lifting.
        progress: is given the share done, 0 to 1; not called for a stored result.

    Raises:
        InputError: the checkpoint cannot be read.
    """
    stamp = max(file.stat().st_mtime for file in source.folder.glob("*.safetensors"))
    key = _digest(content_key(sequence), str(source.folder), str(stamp), source.model, str(options))
    stored = _results()
    if key not in stored:
        # Not st.cache_data: it cannot replay a progress bar that was made outside the cached function.
        progress(0.0)
        lifter = _lifter(str(source.folder), stamp, source.model)
        _keep(stored, key, lifter([sequence], **options.for_model(source.model), progress=progress)[0], KEPT_RESULTS)
        while len(stored) > 1 and sum(map(_size, stored.values())) > KEPT_RESULT_BYTES:
            stored.popitem(last=False)
    return key, stored[key]


def _size(lifted: Lifted) -> int:
    """Return the memory of a result in bytes; a body takes about as much as three sets of joints."""
    return lifted.joints_3d.nbytes * (4 if lifted.body is None else 7)


def lift_frame_by_frame(sequence: PoseSequence, candidate: Candidate) -> np.ndarray:
    """Return the candidate's sequence lifted frame by frame, by the teacher in the candidate's checkpoint.

    Raises:
        InputError: the checkpoint has no teacher or cannot be read.
    """
    assert candidate.source is not None  # ground truth has no checkpoint
    return _lift_frame_by_frame(candidate.key, candidate.source.folder, sequence, candidate.lifted.joints_3d)


@st.cache_resource(max_entries=16, show_spinner="Lifting frame by frame ...")
def _lift_frame_by_frame(key: str, folder: Path, _sequence: PoseSequence, _joints_3d: np.ndarray) -> np.ndarray:
    return lift_single_frames(load_teacher(folder), _sequence, _joints_3d)


def evaluation(
    clips: Sequence[PoseSequence], networks: Sequence[Candidate], options: LiftingOptions
) -> dict[str, Evaluation] | None:
    """Return what `evaluate_clips` computed for these clips, networks and options; None before it did."""
    return _evaluations().get(_evaluation_key(clips, networks, options))


def evaluate_clips(
    clips: Sequence[PoseSequence],
    networks: Sequence[Candidate],
    options: LiftingOptions,
    progress: Callable[[float, str], object],
) -> None:
    """Lift every clip with each network, evaluate it against ground truth, and store the results for `evaluation`.

    Args:
        clips: with ground truth.
        networks: candidates that come from a checkpoint.
        options: of the lifting.
        progress: is given the share done, 0 to 1, and a description of the present clip.

    Raises:
        InputError: the clips cannot be lifted or evaluated.
    """
    steps = len(networks) * len(clips)
    results = {}
    for turn, candidate in enumerate(networks):
        assert candidate.source is not None  # that makes it a network
        lifted = []
        for number, clip in enumerate(clips):
            done = turn * len(clips) + number
            text = f"{candidate.label}: clip {number + 1} of {len(clips)}, {clip.name}"
            progress(done / steps, text)

            def report(share: float, done: int = done, text: str = text) -> None:
                progress((done + min(share, 1.0)) / steps, text)

            lifted.append(lift(clip, candidate.source, options, report)[1])
        results[candidate.label] = api.evaluate(lifted, clips)
    _keep(_evaluations(), _evaluation_key(clips, networks, options), results, KEPT_EVALUATIONS)


def payload(sequence: PoseSequence, candidates: Sequence[Candidate]) -> ViewerPayload:
    """Return what the viewer shows; the caller must not change its arrays.

    Raises:
        InputError: the body model of a candidate is missing.
    """
    keys = tuple(f"{candidate.label} {candidate.key}" for candidate in candidates)
    return _payload(content_key(sequence), keys, sequence, candidates)


@st.cache_resource(max_entries=8, show_spinner=False)
def _payload(
    clip: str, keys: tuple[str, ...], _sequence: PoseSequence, _candidates: Sequence[Candidate]
) -> ViewerPayload:
    return make_payload(_sequence, _candidates)


def content_key(sequence: PoseSequence) -> str:
    """Return a key that is equal for equal content, whichever file it came from."""
    digest = hashlib.sha256(f"{sequence.name} {sequence.fps} {sequence.image_size}".encode())
    for array in (sequence.keypoints_px, sequence.confidence, sequence.K, sequence.joints_3d):
        digest.update(b"-" if array is None else array.tobytes())
    return digest.hexdigest()


def read_notebook(file: Path) -> Notebook:
    """Return a built notebook; it is read again when its file changes.

    With its pictures a notebook is a megabyte of JSON, and the Learn page shows every title at each rerun.
    """
    return _read_notebook(file, file.stat().st_mtime_ns)


@st.cache_resource(max_entries=16, show_spinner=False)
def _read_notebook(file: Path, changed_ns: int) -> Notebook:
    return notebooks.read_notebook(file)


@st.cache_resource(show_spinner=False)
def jupyter_lab() -> Lab:
    """Start one Jupyter Lab for all visitors; it ends with the app."""
    lab = Lab()
    atexit.register(lab.close)
    return lab


def forget_jupyter_lab() -> None:
    """Start another Jupyter Lab at the next call of `jupyter_lab`."""
    jupyter_lab.clear()


@st.cache_resource(max_entries=4, show_spinner="Loading the checkpoint ...")
def _lifter(folder: str, stamp: float, model: str) -> SkeletonLifter | BodyLifter:
    return Lifter.load(Path(folder), model=model)


@st.cache_resource
def _results() -> OrderedDict[str, Lifted]:
    return OrderedDict()


@st.cache_resource
def _evaluations() -> OrderedDict[str, dict[str, Any]]:
    return OrderedDict()


def _evaluation_key(clips: Sequence[PoseSequence], networks: Sequence[Candidate], options: LiftingOptions) -> str:
    sources = [str(candidate.source) for candidate in networks]
    return _digest(*map(content_key, clips), *sources, str(options))


def _digest(*parts: str) -> str:
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _keep(stored: OrderedDict[str, Value], key: str, value: Value, limit: int) -> None:
    """Store a value and drop the oldest ones beyond `limit`."""
    stored[key] = value
    while len(stored) > limit:
        stored.popitem(last=False)
