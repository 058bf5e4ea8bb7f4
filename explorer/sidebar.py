"""The sidebar: choose a sequence, a person in it, and one or two 3D results; lift them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import cache, session
from explorer.compare.candidates import (
    GROUND_TRUTH,
    NONE,
    Candidate,
    LiftingOptions,
    Source,
    sources_of,
    truth_of,
)
from explorer.markdown import as_text
from explorer.session import Choice
from posenet3d.core.camera import DEFAULT_FOV_DEG
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError

NO_CHECKPOINT = (
    "No checkpoint was found. Train one with `python -m posenet3d train teacher --data FILE --out runs/first`, "
    "then reload this page."
)

SHOW_HELP = "Student: an SMPL-format body with one shape for the whole clip. Teacher: a skeleton without a body."
COMPARE_HELP = "A second result, next to the first or over it: another model, another checkpoint, or ground truth."


def choose() -> None:
    """Draw the sidebar and store the choice for `chosen`."""
    session.CHOICE.set(None)
    with st.sidebar:
        sequence = _choose_sequence()
        labels, sources = _choose_candidates(sequence)
        options, sequence = _choose_options([sources[label].model for label in labels if label in sources], sequence)
        distances = st.empty()
    if not labels:
        st.error(NO_CHECKPOINT)
        return
    place = st.empty()
    try:
        candidates = tuple(_candidate(label, sources.get(label), sequence, options, place) for label in labels)
    except InputError as error:
        st.error(as_text(error))
        return
    finally:
        place.empty()
    distances.caption(as_text(_distances(candidates)))
    video = session.VIDEOS.get().get(session.SEQUENCE.get(""))
    session.remember_choice(Choice(sequence, candidates, options, video))


def chosen() -> Choice:
    """Return the choice of this run; stop the page where there is none, because the reason is already shown."""
    choice = session.CHOICE.get()
    if choice is None:
        st.stop()
    return choice


def select(name: str, person: int) -> None:
    """Choose an uploaded file and a person in it, as the select boxes do; for a button's `on_click`."""
    session.SEQUENCE.set(name)
    session.person_of(name).set(person)


def _candidate(
    label: str, source: Source | None, sequence: PoseSequence, options: LiftingOptions, place: DeltaGenerator
) -> Candidate:
    if source is None:
        truth = truth_of(sequence)
        assert truth is not None  # only offered where there is one
        return Candidate(label, f"truth {cache.content_key(sequence)}", truth)
    bar: DeltaGenerator | None = None

    def report_progress(share: float) -> None:
        nonlocal bar
        if bar is None:  # a stored result reports no progress and needs no bar
            box = place.container()
            bar = box.empty()
            box.button("Cancel", key=f"cancel {label}", on_click=_undo)
        bar.progress(min(share, 1.0), as_text(f"Lifting {sequence.name} with {label} ..."))

    key, lifted = cache.lift(sequence, source, options, report_progress)
    return Candidate(label, key, lifted, source)


def _distances(candidates: Sequence[Candidate]) -> str:
    """Return each result's distance from the camera; field of view and body height change it."""
    depths = {
        candidate.label: candidate.lifted.joints_3d[:, 0, 2] for candidate in candidates if candidate.source is not None
    }
    median = {label: float(np.nanmedian(depth)) for label, depth in depths.items() if np.isfinite(depth).any()}
    if not median:
        return ""
    return "Distance from the camera: " + ", ".join(f"{label} {metres:.1f} m" for label, metres in median.items())


def _undo() -> None:
    """Return to what was shown before the lifting that is being cancelled."""
    session.restore_choice()


def _choose_sequence() -> PoseSequence:
    files = {name: [sequence] for name, sequence in cache.bundled().items()} | session.UPLOADS.get()
    name = st.selectbox("Sequence", list(files), key=session.SEQUENCE.key, bind="query-params")
    people = files[name]
    session.SIBLINGS.set(people)
    if len(people) == 1:
        return people[0]
    index = st.selectbox(
        "Person or clip",
        range(len(people)),
        format_func=lambda i: f"{people[i].name} ({len(people[i])} frames)",
        key=session.person_of(name).key,
        help="The most completely detected person comes first.",
    )
    return people[index]


def _choose_candidates(sequence: PoseSequence) -> tuple[list[str], dict[str, Source]]:
    """Return the labels of the one or two chosen candidates (none without a checkpoint), and the source of each label."""
    sources = sources_of(cache.checkpoints())
    if not sources:
        return [], {}
    offered = list(sources) + ([GROUND_TRUTH] if sequence.joints_3d is not None else [])
    session.SHOW.forget_unless(offered)
    first = st.selectbox("Show", offered, key=session.SHOW.key, bind="query-params", help=SHOW_HELP)
    others = [NONE, *(label for label in offered if label != first)]
    session.BESIDE.forget_unless(others)
    default = min(len(others) - 1, 1)
    second = st.selectbox(
        "Compare with", others, index=default, key=session.BESIDE.key, bind="query-params", help=COMPARE_HELP
    )
    return [first] if second == NONE else [first, second], sources


def _choose_options(models: Sequence[str], sequence: PoseSequence) -> tuple[LiftingOptions, PoseSequence]:
    """Return the lifting options that matter to the chosen models, and the sequence with the chosen camera."""
    options = LiftingOptions()
    if not models:
        return options, sequence
    session.initialise_lifting_options()
    with st.expander("Lifting options"):
        if "student" in models:  # its body has its own size and bones of constant length
            fit = st.toggle(
                "Fit the student to the 2D joints",
                key=session.FIT.key,
                persist_state="session",
                help="Moves the body's joints onto the 2D joints. Off: the network's own output (command line: --no-fit).",
            )
            options = replace(options, fit=fit)
        if "teacher" in models:
            height_m = st.number_input(
                "Body height for the teacher (m)",
                min_value=0.3,
                max_value=3.0,
                step=0.01,
                key=session.HEIGHT_M.key,
                persist_state="session",
                help="Sets the scale: one view cannot tell a tall person far away from a short person nearby.",
            )
            refine = st.toggle(
                "Constant bone lengths",
                key=session.REFINE.key,
                persist_state="session",
                help="Adjusts depth so that every bone keeps its length over the clip (command line: --refine).",
            )
            options = replace(options, height_m=height_m, refine=refine)
        if sequence.K is None and sequence.image_size is not None:
            sequence = _with_camera(sequence)
    return options, sequence


def _with_camera(sequence: PoseSequence) -> PoseSequence:
    """Let the visitor choose the field of view of a camera whose intrinsics the file does not state."""
    fov_deg = st.number_input(
        "Field of view (degrees)",
        min_value=5.0,
        max_value=170.0,
        step=5.0,
        key=session.FIELD_OF_VIEW_DEG.key,
        persist_state="session",
        help="Across the longer side of the image; the file does not state it. A phone's main camera has about 65 degrees, "
        "a webcam 45 to 55. Too small a value places the person too far away (command line: --fov).",
    )
    if fov_deg == DEFAULT_FOV_DEG:
        return sequence
    return sequence.with_fov(fov_deg)
