"""Smoothness: speed, acceleration and jerk, velocity spectrum, foot skating, and bone lengths."""

import numpy as np
import streamlit as st

from explorer import cache, session, sidebar
from explorer.charts import errors as error_charts
from explorer.charts import motion as motion_charts
from explorer.charts.style import BASELINE, FIRST, SECOND, TRUTH
from explorer.compare import motion as motion_numbers
from explorer.compare.candidates import GROUND_TRUTH
from explorer.compare.motion import (
    ALL_BONES,
    ALL_JOINTS,
    BONE_LABELS,
    FOOT_LABELS,
    FRAME_BY_FRAME,
    MOVING,
    QUANTITIES,
)
from explorer.markdown import as_text
from posenet3d.errors import InputError
from posenet3d.evaluation.motion import HUMAN_HZ, LOW_M, PLANTED_M_S

READING = f"""
**How to read it.** The aim is the value of ground truth, not zero: more jerk than ground truth means that the result shakes;
less means that real motion was smoothed away. *{FRAME_BY_FRAME.capitalize()}* is a baseline: the first result's teacher lifts
each frame of the raw 2D joints by itself, without denoising and without neighbouring frames.
"""

NO_TRUTH = f"""
**How to read it.** This clip has no ground truth, so the right amount of jerk is unknown. *{FRAME_BY_FRAME.capitalize()}* is a
baseline: the first result's teacher lifts each frame of the raw 2D joints by itself, without denoising and without neighbouring
frames. The results should have much less jerk. Whether real motion was smoothed away as well, these numbers cannot tell.
"""

DEFAULT_JOINTS = [ALL_JOINTS, "left wrist", "right ankle"]  # the ends of the limbs move most
DEFAULT_BONES = [ALL_BONES, "pelvis to left hip", "left elbow to left wrist"]  # the shortest, and a fast one
TOO_LOW = "; a line that falls below ground truth has lost the fast part of real motion"
WHOLE_NUMBERS = ("% of truth", "% of joints")  # units of columns that are shown without decimals

choice = sidebar.chosen()
sequence, candidates = choice.sequence, choice.candidates
fps = float(sequence.fps)
networks = [candidate for candidate in candidates if candidate.source is not None]
styles = {GROUND_TRUTH: TRUTH, FRAME_BY_FRAME: BASELINE}
styles |= {candidate.label: style for candidate, style in zip(networks, (FIRST, SECOND), strict=False)}


def frame_by_frame() -> np.ndarray | None:
    """Return the baseline by the first network's teacher; None without a network or without its teacher."""
    if not networks:
        return None
    try:
        return cache.lift_frame_by_frame(sequence, networks[0])
    except InputError as error:
        st.warning(f"The baseline '{FRAME_BY_FRAME}' is missing: {as_text(error)}")
        return None


def overview() -> None:
    """Draw the table of all numbers, and sentences that summarise it."""
    st.subheader("Smoothness at a glance")
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
  frame, the jitter of `posenet3d evaluate`; at {fps:g} frames per second 1 mm/frame³ is {fps**3 / 1000:.3g} m/s³.
- **jerk, % of truth**: 100 is the aim. **acceleration, error**: mean distance between its acceleration and ground truth's.
- **above {HUMAN_HZ:g} Hz**: share of the velocity's power that is faster than nearly all human movement: mostly shaking.
- **foot skating**: mean speed of the ankles, in the camera's frame, while the foot is on the floor. The camera must stand still.
- **bone drift**: standard deviation of a bone's length in % of its mean, averaged over bones; near 0 for a body of one shape.
- **known**: share of joints in all frames that have a position; gaps are left out of every number and not interpolated.

Where there is ground truth, every result is first scaled to its size by one factor for the clip (except for the feet).
"""


@st.fragment
def motion() -> None:
    """Draw speed, acceleration or jerk over time and per joint."""
    st.subheader("Motion")
    left, right = st.columns([1, 2], gap="large", vertical_alignment="bottom")
    kind = left.segmented_control(
        "Quantity",
        list(QUANTITIES),
        default="Acceleration",
        required=True,
        key=session.QUANTITY.key,
        persist_state="session",
    )
    names = right.multiselect(
        "Joints over time",
        [ALL_JOINTS, *MOVING],
        default=DEFAULT_JOINTS,
        key=session.JOINTS_OVER_TIME.key,
        persist_state="session",
    )
    assert kind is not None  # required
    quantity = QUANTITIES[kind]
    is_full_height = st.toggle(
        f"Show {FRAME_BY_FRAME} at full height",
        help="Off: the scale fits the other lines, and higher values are cut off.",
        key=session.FULL_HEIGHT.key,
        persist_state="session",
    )
    cut = None if is_full_height else FRAME_BY_FRAME
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
    """Draw the spectrum of the velocities."""
    st.subheader("Velocity spectrum")
    left, right = st.columns([2, 1], gap="large")
    name = right.selectbox("Joint", [ALL_JOINTS, *MOVING], key=session.SPECTRUM_JOINT.key, persist_state="session")
    right.markdown(
        f"The power of the velocity at each frequency. Nearly all human movement is slower than {HUMAN_HZ:g} Hz, left of the "
        "dotted line; there the lines should agree. **A line that stays high on the right shows shaking"
        f"{TOO_LOW if motion_numbers.truth_in(motions) else ''}.** Both axes are logarithmic: one grid line up is ten "
        "times the power."
    )
    spectra = motion_numbers.spectra(motions, name, fps)
    if spectra:
        left.plotly_chart(motion_charts.spectrum(spectra, styles, HUMAN_HZ), key="spectrum")
    else:
        left.info("No stretch without a gap is long enough for a spectrum: two seconds, or the clip if it is shorter.")
    if missing := [m.label for m in motions if m.label not in spectra and spectra]:
        right.caption(f"No spectrum, because no two seconds are without a gap: {as_text(', '.join(missing))}.")


@st.fragment
def feet() -> None:
    """Draw the speed of the feet, and when they stand on the floor."""
    st.subheader("Feet on the floor")
    by_truth = f"the ankle of ground truth moves slower than {PLANTED_M_S:g} m/s (as in WHAM and GVHMR)"
    by_height = (
        f"the ankle of {motions[0].label} is less than {100 * LOW_M:g} cm above its estimated standing height (as in the "
        "successors of MDM)"
    )
    st.caption(
        "Speed of the ankles in the camera's frame. Grey: the foot is on the floor; a line above zero there shows foot "
        f"skating. On the floor means that {by_height if sequence.joints_3d is None else by_truth}: the same frames for all."
    )
    on_floor = motion_numbers.feet_on_floor(motions, fps)
    panels = {name: motion_numbers.foot_curves(motions, foot, fps) for foot, name in enumerate(FOOT_LABELS)}
    shaded = {name: on_floor[:, foot] for foot, name in enumerate(FOOT_LABELS)}
    figure = motion_charts.over_time(panels, styles, fps, "m/s", cut=FRAME_BY_FRAME, shaded=shaded)
    st.plotly_chart(figure, key="feet")


@st.fragment
def bones() -> None:
    """Draw the change of bone lengths."""
    st.subheader("Bone lengths")
    names = st.multiselect(
        "Bones over time",
        [ALL_BONES, *BONE_LABELS],
        default=DEFAULT_BONES,
        key=session.BONES_OVER_TIME.key,
        persist_state="session",
    )
    left, right = st.columns([2, 1], gap="large")
    if names:
        left.caption("Deviation of a bone from its median length in the clip. A real bone stays at 0.")
        panels = {name: motion_numbers.bone_drift(motions, name) for name in names}
        left.plotly_chart(motion_charts.over_time(panels, styles, fps, "%", cut=FRAME_BY_FRAME), key="drift over time")
    right.caption("Standard deviation of each bone's length in % of its mean.")
    spread = motion_numbers.bone_spread(motions)
    right.plotly_chart(error_charts.grouped_bars(BONE_LABELS, spread, styles, "%"), key="bone spread")


motions = motion_numbers.motions_of(sequence, candidates, frame_by_frame())
overview()
motion()
vibration()
feet()
bones()
