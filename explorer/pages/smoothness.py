"""Smoothness: does it flow? Speed, acceleration and jerk, the spectrum, feet on the floor, bones that keep their length."""

import numpy as np
import streamlit as st

from explorer import sidebar
from explorer.charts import errors as error_charts
from explorer.charts import motion as motion_charts
from explorer.compare import motion as motion_numbers
from explorer.compare.candidates import GROUND_TRUTH
from explorer.compare.motion import ALL_BONES, ALL_JOINTS, ALONE, BONE_LABELS, FOOT_LABELS, MOVING, QUANTITIES
from posenet3d.errors import InputError
from posenet3d.evaluation.motion import HUMAN_HZ, LOW_M, PLANTED_M_S
from posenet3d.lifting.checkpoint import load_teacher
from posenet3d.lifting.single_frame import lift_single_frames

READING = f"""
**How to read it.** The ground truth is the aim, not zero: more jerk than the truth means that the result shakes; less means
that real motion was smoothed away. *{ALONE.capitalize()}* is what the first one's teacher makes of each frame of the raw 2D by
itself, without its neighbours and with nothing cleaned: the others show what looking at time has gained.
"""

NO_TRUTH = f"""
**How to read it.** This clip has no ground truth, so nobody can say how much jerk is right. *{ALONE.capitalize()}* is what the
first one's teacher makes of each frame of the raw 2D by itself, without its neighbours and with nothing cleaned: the others
should have much less jerk than that. Whether real motion was smoothed away with the shaking, the numbers alone cannot tell.
"""

USUAL_JOINTS = [ALL_JOINTS, "left wrist", "right ankle"]  # the ends of the limbs move most
USUAL_BONES = [ALL_BONES, "pelvis to left hip", "left elbow to left wrist"]  # the shortest, and a fast one
FALLS_BELOW = "; one that falls below the truth's has smoothed away the fast part of real motion"
WHOLE_NUMBERS = ("% of truth", "% of joints")  # units of columns whose digits after the point say nothing

choice = sidebar.chosen()
sequence, actors = choice.sequence, choice.actors
fps = float(sequence.fps)
networks = [actor for actor in actors if actor.source is not None]
styles = {GROUND_TRUTH: error_charts.TRUTH, ALONE: motion_charts.ALONE}
styles |= {
    actor.label: style for actor, style in zip(networks, (error_charts.FIRST, error_charts.SECOND), strict=False)
}


def frame_by_frame() -> np.ndarray | None:
    """The raw single-frame lifting by the first network's teacher, kept while this clip is looked at; None without a network."""
    if not networks:
        return None
    first, source = networks[0], networks[0].source
    assert source is not None  # that makes it a network
    kept = st.session_state.get("frame by frame", {})
    if first.key not in kept:
        try:
            teacher = load_teacher(source.folder)
        except InputError as error:
            st.warning(f"Nothing to compare with {ALONE}: {error}")
            return None
        with st.spinner(f"Lifting {ALONE} ..."):
            kept = {first.key: lift_single_frames(teacher, sequence, first.lifted.joints_3d)}
        st.session_state["frame by frame"] = kept
    return kept[first.key]


def at_a_glance() -> None:
    """The table, what it says, and how to read it."""
    st.subheader("Does it flow?")
    for sentence in motion_numbers.verdicts(motions):
        st.markdown(sentence)
    table = motion_numbers.overview(motions, fps)
    formats = {head: "{:.0f}" if head[1] in WHOLE_NUMBERS else "{:.2f}" for head in table.columns}
    st.dataframe(table.style.format(formats, na_rep="–"), width="stretch")
    st.markdown(READING if sequence.joints_3d is not None else NO_TRUTH)
    with st.expander("What the columns mean"):
        st.markdown(COLUMNS)


COLUMNS = f"""
- **speed, acceleration, jerk**: mean over joints and frames, relative to the pelvis. Jerk is the third difference from frame to
  frame, the jitter of `posenet3d evaluate`; at {fps:g} frames a second 1 mm/frame³ is {fps**3 / 1000:.3g} m/s³.
- **jerk, % of truth**: 100 is the aim. **acceleration, error**: mean distance between its acceleration and the truth's.
- **above {HUMAN_HZ:g} Hz**: share of the velocity's power that is faster than nearly all human movement: mostly shaking.
- **foot skating**: mean speed of the ankles, in the camera's frame, while the foot is on the floor. The camera must stand still.
- **bone drift**: standard deviation of a bone's length in % of its mean, averaged over bones. A body of one shape has hardly any.
- **known**: share of joints in all frames that have a position; gaps are left out of every number, never bridged.

Where there is ground truth every answer is first brought to its size, by one factor for the clip (not for the feet).
"""


@st.fragment
def motion() -> None:
    """Speed, acceleration or jerk: when, and of which joint."""
    st.subheader("Motion")
    left, right = st.columns([1, 2], gap="large", vertical_alignment="bottom")
    kind = left.segmented_control(
        "Quantity", list(QUANTITIES), default="Acceleration", required=True, key="quantity", persist_state="session"
    )
    names = right.multiselect(
        "Over time", [ALL_JOINTS, *MOVING], default=USUAL_JOINTS, key="joints over time", persist_state="session"
    )
    assert kind is not None  # required
    quantity = QUANTITIES[kind]
    is_whole = st.toggle(
        f"Show {ALONE} at full height",
        help="Off: the scale is made for the others, and what is beyond it is cut.",
        key="is_whole",
        persist_state="session",
    )
    cut = None if is_whole else ALONE
    st.caption(f"{quantity.note} Relative to the pelvis.")
    left, right = st.columns([2, 1], gap="large")
    if names:
        panels = {name: motion_numbers.over_time(motions, quantity, name, fps) for name in names}
        figure = motion_charts.over_time(panels, styles, fps, quantity.unit, cut)
        left.plotly_chart(figure, key="motion over time")
    means = motion_numbers.per_joint(motions, quantity, fps)
    right.plotly_chart(motion_charts.per_joint(MOVING, means, styles, quantity.unit, cut), key="motion per joint")


@st.fragment
def vibration() -> None:
    """The spectrum of the velocities."""
    st.subheader("Slow and fast: the spectrum")
    left, right = st.columns([2, 1], gap="large")
    name = right.selectbox("Joint", [ALL_JOINTS, *MOVING], key="joint of the spectrum", persist_state="session")
    right.markdown(
        f"Every motion is a sum of slow and fast swings. People move slowly: nearly all of it lies below {HUMAN_HZ:g} Hz, to "
        "the left of the dotted line. There the lines should lie together. **A line that stays high on the right is "
        f"shaking{FALLS_BELOW if motion_numbers.truth_in(motions) else ''}.** Both axes are logarithmic: one line up is ten "
        "times the power."
    )
    spectra = motion_numbers.spectra(motions, name, fps)
    if spectra:
        left.plotly_chart(motion_charts.spectrum(spectra, styles, HUMAN_HZ), key="spectrum")
    else:
        left.info("No stretch without a gap is long enough for a spectrum: two seconds, or the clip if it is shorter.")
    if missing := [m.label for m in motions if m.label not in spectra and spectra]:
        right.caption(f"Without a spectrum, for want of two seconds without a gap: {', '.join(missing)}.")


@st.fragment
def feet() -> None:
    """How fast the feet move, and when they should not."""
    st.subheader("Feet on the floor")
    by_truth = f"the truth's ankle moves slower than {PLANTED_M_S:g} m/s (as WHAM and GVHMR judge it)"
    by_height = (
        f"the ankle of {motions[0].label} is less than {100 * LOW_M:g} cm above the height at which it stands, as far as that "
        "can be told without the truth (so do the successors of MDM)"
    )
    st.caption(
        "Speed of the ankles in the camera's frame. Grey: the foot is on the floor and should stand; a line that is up there "
        f"skates. On the floor means that {by_height if sequence.joints_3d is None else by_truth}: the same frames for all."
    )
    on_floor = motion_numbers.feet_on_floor(motions, fps)
    panels = {name: motion_numbers.foot_curves(motions, foot, fps) for foot, name in enumerate(FOOT_LABELS)}
    shaded = {name: on_floor[:, foot] for foot, name in enumerate(FOOT_LABELS)}
    figure = motion_charts.over_time(panels, styles, fps, "m/s", cut=ALONE, shaded=shaded)
    st.plotly_chart(figure, key="feet")


@st.fragment
def bones() -> None:
    """Whether bones keep their length."""
    st.subheader("Bones that keep their length")
    names = st.multiselect(
        "Over time", [ALL_BONES, *BONE_LABELS], default=USUAL_BONES, key="bones over time", persist_state="session"
    )
    left, right = st.columns([2, 1], gap="large")
    if names:
        left.caption("How far a bone is from its median length in the clip. A real bone stays at 0.")
        panels = {name: motion_numbers.bone_drift(motions, name) for name in names}
        left.plotly_chart(motion_charts.over_time(panels, styles, fps, "%", cut=ALONE), key="drift over time")
    right.caption("Standard deviation of each bone's length in % of its mean.")
    spread = motion_numbers.bone_spread(motions)
    right.plotly_chart(error_charts.grouped_bars(BONE_LABELS, spread, styles, "%"), key="bone spread")


motions = motion_numbers.motions_of(sequence, actors, frame_by_frame())
at_a_glance()
motion()
vibration()
feet()
bones()
