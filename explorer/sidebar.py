"""The sidebar: which sequence, which person in it, which checkpoint; and the upload."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from explorer import resources
from explorer.resources import Lifting
from posenet3d.checkpoint import models_of
from posenet3d.errors import InputError
from posenet3d.inference import DEFAULT_HEIGHT_M
from posenet3d.lifted import Lifted, lifted_bytes
from posenet3d.sequence import PoseSequence

FILE_TYPES = ["json", "npz", "csv", "zip"]

NO_CHECKPOINT = (
    "No checkpoint was found. Train one with `python -m posenet3d train teacher --data FILE --out runs/first`, "
    "then reload this page."
)


MODEL_HELP = "Teacher: a free skeleton. Student: the joints of a body in SMPL's format, with one shape for the clip."


@dataclass(frozen=True)
class Choice:
    """What the pages look at."""

    key: str
    sequence: PoseSequence
    lifted: Lifted
    checkpoint: str
    folder: Path


def choose() -> None:
    """Draw the sidebar and remember the choice for `chosen`."""
    st.session_state["choice"] = None
    with st.sidebar:
        sequence = _choose_sequence()
        checkpoint, folder = _choose_checkpoint()
        lifting = _lifting_options(folder)
        _upload()
    if folder is None:
        st.error(NO_CHECKPOINT)
        return
    bar = st.empty()

    def show(part: float) -> None:
        bar.progress(min(part, 1.0), f"Lifting {sequence.name} to 3D ...")

    try:
        key, lifted = resources.lift(sequence, folder, show, lifting)
    except InputError as error:
        st.error(str(error))
        return
    finally:
        bar.empty()
    with st.sidebar:
        _download(lifted)
    st.session_state["choice"] = Choice(key, sequence, lifted, checkpoint, folder)


def chosen() -> Choice:
    """The choice of this run; ends the page quietly where there is none (the reason is already on it)."""
    choice = st.session_state.get("choice")
    if choice is None:
        st.stop()
    return choice


def _choose_sequence() -> PoseSequence:
    sources = {name: [sequence] for name, sequence in resources.bundled().items()} | _uploaded()
    name = st.selectbox("Sequence", list(sources), key="sequence", bind="query-params")
    people = sources[name]
    if len(people) == 1:
        return people[0]
    index = st.selectbox(
        "Person or clip",
        range(len(people)),
        format_func=lambda i: f"{people[i].name} ({len(people[i])} frames)",
        key=f"person of {name}",
        help="The one seen most completely comes first.",
    )
    return people[index]


def _choose_checkpoint() -> tuple[str, Path | None]:
    found = resources.checkpoints()
    if not found:
        return "", None
    name = st.selectbox("Checkpoint", list(found), key="checkpoint", bind="query-params")
    return name, found[name]


def _lifting_options(folder: Path | None) -> Lifting:
    models = ["teacher"] if folder is None else models_of(folder)
    model = "teacher"
    if len(models) > 1:
        model = st.radio("Model", models, horizontal=True, help=MODEL_HELP)
    if model == "student":  # its body has its own size and bones of constant length
        is_fitted = st.toggle(
            "Fit to the 2D",
            value=True,
            help="Turns the body's joints onto the 2D; off shows the network's own answer (the command line's --no-fit).",
        )
        return Lifting(model, is_fitted=is_fitted)
    height_m = st.number_input(
        "Body height (m)",
        min_value=0.3,
        max_value=3.0,
        value=DEFAULT_HEIGHT_M,
        step=0.01,
        help="Sets the scale: one view cannot tell a tall person far away from a short one nearby.",
    )
    is_refined = st.toggle(
        "Steady bones",
        help="Nudges depth so that every bone keeps its length over the clip (the command line's --refine).",
    )
    return Lifting(model, height_m, is_refined)


def _download(lifted: Lifted) -> None:
    st.download_button(
        "Download 3D joints (npz)",
        lambda: lifted_bytes([lifted]),
        file_name=f"{lifted.name}.npz",
        on_click="ignore",
        help="joints_3d (frames, 17, 3): metres, camera frame, x right, y down, z forward.",
    )


def _upload() -> None:
    st.file_uploader(
        "Your own 2D joints",
        type=FILE_TYPES,
        accept_multiple_files=True,
        key="upload",
        on_change=_take_upload,
        help="What a 2D detector wrote: COCO or AlphaPose json, all json files of an OpenPose folder (or a zip of it), "
        "npz or csv. The files stay on this computer.",
    )
    st.number_input(
        "Frames per second of the upload",
        min_value=1.0,
        max_value=1000.0,
        value=None,
        placeholder="as in the file, else 30",
        key="upload_fps",
        on_change=_take_upload,
    )
    for problem in st.session_state.get("upload_problems", []):
        st.error(problem)


def _take_upload() -> None:
    """Read what was uploaded and select what is new; what fails is said in a sentence and changes nothing else."""
    known = set(_uploaded())
    st.session_state["upload_problems"] = []
    for name, files in _grouped(st.session_state["upload"] or []).items():
        try:
            _uploaded()[name] = resources.read_upload(files, st.session_state["upload_fps"])
        except InputError as error:
            st.session_state["upload_problems"].append(str(error))
    if new := [name for name in _uploaded() if name not in known]:
        st.session_state["sequence"] = new[-1]


def _grouped(files: Sequence[UploadedFile]) -> dict[str, tuple[resources.Upload, ...]]:
    """Uploaded files by the name to show: OpenPose's frames are one clip together, any other file is one by itself."""
    contents = [(file.name, file.getvalue()) for file in files]
    frames = sorted((n, content) for n, content in contents if n.endswith(".json") and b'"people"' in content)
    groups: dict[str, tuple[resources.Upload, ...]]
    groups = {name: ((name, content),) for name, content in contents if (name, content) not in frames}
    if not frames:
        return groups
    return groups | {f"{resources.clip_name(frames[0][0])} ({len(frames)} frames)": tuple(frames)}


def _uploaded() -> dict[str, list[PoseSequence]]:
    return st.session_state.setdefault("uploaded", {})
