"""The sidebar: which sequence, which person in it, which one or two 3D answers to it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import cache
from explorer.browser_video import Backdrop
from explorer.cache import Lifting
from explorer.compare.candidates import GROUND_TRUTH, NOBODY, Actor, Source, sources_of, truth_of
from posenet3d.core.camera import DEFAULT_FOV_DEG
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError

NO_CHECKPOINT = (
    "No checkpoint was found. Train one with `python -m posenet3d train teacher --data FILE --out runs/first`, "
    "then reload this page."
)


PERSON_OF = "person of "
FOV = "field of view"

FIRST_HELP = "Student: a body in SMPL's format, with one shape for the clip. Teacher: a free skeleton."
SECOND_HELP = (
    "Shown beside the first or over it: another model, another checkpoint, or ground truth where there is one."
)


@dataclass(frozen=True)
class Choice:
    """What the pages look at: a sequence, one or two answers to it, how they were lifted, and its video if there is one."""

    sequence: PoseSequence
    actors: tuple[Actor, ...]
    lifting: Lifting
    video: Backdrop | None = None


def choose() -> None:
    """Draw the sidebar and remember the choice for `chosen`."""
    st.session_state["choice"] = None
    with st.sidebar:
        sequence = _choose_sequence()
        labels, sources = _choose_actors(sequence)
        lifting, sequence = _lifting_options([sources[label].model for label in labels if label in sources], sequence)
        effect = st.empty()
    if not labels:
        st.error(NO_CHECKPOINT)
        return
    place = st.empty()
    try:
        actors = tuple(_actor(label, sources.get(label), sequence, lifting, place) for label in labels)
    except InputError as error:
        st.error(str(error))
        return
    finally:
        place.empty()
    effect.caption(_distances(actors))
    st.session_state["choice"] = Choice(sequence, actors, lifting, videos().get(st.session_state["sequence"]))
    st.session_state["settled"] = {key: value for key, value in st.session_state.items() if _is_choice(str(key))}


def chosen() -> Choice:
    """The choice of this run; ends the page quietly where there is none (the reason is already on it)."""
    choice = st.session_state.get("choice")
    if choice is None:
        st.stop()
    return choice


def siblings() -> list[PoseSequence]:
    """Every person or clip of the file that the chosen sequence came from."""
    return st.session_state["siblings"]


def show(name: str, person: int) -> None:
    """Choose an uploaded file and a person in it, as if by the select boxes; for a button's `on_click`."""
    st.session_state["sequence"] = name
    st.session_state[_person_of(name)] = person


def left_at(sequence: PoseSequence) -> int:
    """The frame on which the viewer rested when this clip was last looked at."""
    return st.session_state.get("left at", {}).get(cache.content_key(sequence), 0)


def leave_at(sequence: PoseSequence, frame: int) -> None:
    """Remember the frame on which the viewer rests; for `left_at`."""
    st.session_state["left at"] = {cache.content_key(sequence): frame}


def _actor(label: str, source: Source | None, sequence: PoseSequence, lifting: Lifting, place: DeltaGenerator) -> Actor:
    if source is None:
        truth = truth_of(sequence)
        assert truth is not None  # only offered where there is one
        return Actor(label, f"truth {cache.content_key(sequence)}", truth)
    bar: DeltaGenerator | None = None

    def advance(part: float) -> None:
        nonlocal bar
        if bar is None:  # there is work to do
            box = place.container()
            bar = box.empty()
            box.button("Cancel", key=f"cancel {label}", on_click=_take_back)
        bar.progress(min(part, 1.0), f"Lifting {sequence.name} with the {label} ...")

    key, lifted = cache.lift(sequence, source.folder, source.model, advance, lifting)
    return Actor(label, key, lifted, source)


def _distances(actors: Sequence[Actor]) -> str:
    """How far away everybody stands: what a change of the camera or of the height changes first."""
    depths = {actor.label: actor.lifted.joints_3d[:, 0, 2] for actor in actors if actor.source}
    far = {label: float(np.nanmedian(depth)) for label, depth in depths.items() if np.isfinite(depth).any()}
    return "From the camera: " + ", ".join(f"{label} {metres:.1f} m" for label, metres in far.items()) if far else ""


def _is_choice(key: str) -> bool:
    return key in ("sequence", "show", "beside", FOV, *asdict(Lifting())) or key.startswith(PERSON_OF)


def _take_back() -> None:
    """Back to what was shown before the lifting that is being cancelled."""
    st.session_state.update(st.session_state.get("settled", {}))


def _person_of(name: str) -> str:
    return PERSON_OF + name


def _choose_sequence() -> PoseSequence:
    sources = {name: [sequence] for name, sequence in cache.bundled().items()} | uploaded()
    name = st.selectbox("Sequence", list(sources), key="sequence", bind="query-params")
    people = st.session_state["siblings"] = sources[name]
    if len(people) == 1:
        return people[0]
    index = st.selectbox(
        "Person or clip",
        range(len(people)),
        format_func=lambda i: f"{people[i].name} ({len(people[i])} frames)",
        key=_person_of(name),
        help="The one seen most completely comes first.",
    )
    return people[index]


def _choose_actors(sequence: PoseSequence) -> tuple[list[str], dict[str, Source]]:
    """Labels of the one or two that are shown (none without a checkpoint), and where each comes from."""
    sources = sources_of(cache.checkpoints())
    if not sources:
        return [], {}
    offered = list(sources) + ([GROUND_TRUTH] if sequence.joints_3d is not None else [])
    _keep_offered("show", offered)
    first = st.selectbox("Show", offered, key="show", bind="query-params", help=FIRST_HELP)
    others = [NOBODY, *(label for label in offered if label != first)]
    _keep_offered("beside", others)
    usual = min(len(others) - 1, 1)
    second = st.selectbox("Beside it", others, index=usual, key="beside", bind="query-params", help=SECOND_HELP)
    return [first] if second == NOBODY else [first, second], sources


def _keep_offered(key: str, offered: Sequence[str]) -> None:
    """Forget a remembered choice that is not on offer any more: ground truth of another sequence, a deleted run."""
    if st.session_state.get(key, offered[0]) not in offered:
        del st.session_state[key]


def _lifting_options(models: Sequence[str], sequence: PoseSequence) -> tuple[Lifting, PoseSequence]:
    """How to lift; only what matters to the models that are shown. And the sequence, as the camera that is stated sees it."""
    how = Lifting()
    if not models:
        return how, sequence
    for key, usual in (
        asdict(how) | {FOV: DEFAULT_FOV_DEG}
    ).items():  # not as the widgets' own first values: a cancelled lifting sets them back
        st.session_state.setdefault(key, usual)
    with st.expander("Lifting"):
        if "student" in models:  # its body has its own size and bones of constant length
            fit = st.toggle(
                "Fit the student to the 2D",
                key="fit",
                persist_state="session",
                help="Turns the body's joints onto the 2D; off shows the network's own answer (the command line's "
                "--no-fit).",
            )
            how = replace(how, fit=fit)
        if "teacher" in models:
            height_m = st.number_input(
                "Body height for the teacher (m)",
                min_value=0.3,
                max_value=3.0,
                step=0.01,
                key="height_m",
                persist_state="session",
                help="Sets the scale: one view cannot tell a tall person far away from a short one nearby.",
            )
            refine = st.toggle(
                "Steady bones",
                key="refine",
                persist_state="session",
                help="Nudges depth so that every bone keeps its length over the clip (the command line's --refine).",
            )
            how = replace(how, height_m=height_m, refine=refine)
        if sequence.K is None and sequence.image_size is not None:
            fov_deg = st.number_input(
                "Field of view (degrees)",
                min_value=5.0,
                max_value=170.0,
                step=5.0,
                key=FOV,
                persist_state="session",
                help="Across the longer side of the image; the file does not say it. A phone's main lens has about 65, a "
                "webcam 45 to 55. Too narrow puts the person too far away (the command line's --fov).",
            )
            sequence = sequence.with_fov(fov_deg) if fov_deg != DEFAULT_FOV_DEG else sequence
    return how, sequence


def uploaded() -> dict[str, list[PoseSequence]]:
    """What this visitor has uploaded: by file name the people or clips in it."""
    return st.session_state.setdefault("uploaded", {})


def videos() -> dict[str, Backdrop]:
    """The videos that this visitor laid behind uploads: by the same file name."""
    return st.session_state.setdefault("videos", {})
