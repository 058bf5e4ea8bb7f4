"""Joints & smoothness: the whole clip in a few numbers and still charts."""

import numpy as np
import streamlit as st

from explorer import figures, sidebar
from explorer.measures import NO_TRUTH, measures_of, nan_mean, smoothness
from explorer.scene import joint_label
from posenet3d import metrics
from posenet3d.skeleton import BONES, JOINT_NAMES, SIDES

LABELS = [joint_label(name) for name in JOINT_NAMES]

choice = sidebar.chosen()
sequence, lifted = choice.sequence, choice.lifted
measures = {measure.key: measure for measure in measures_of(sequence, lifted)}
curve = smoothness(sequence, lifted)
has_truth = sequence.joints_3d is not None
drift_percent, _ = metrics.bone_length_drift(lifted.joints_3d)


def overview() -> None:
    """The clip's averages in one row."""
    shown = {f"{m.short} ({m.unit})": f"{metrics.finite_mean(m.values):.1f}" for m in measures.values()}
    shown[f"Acceleration ({curve.unit})"] = f"{metrics.finite_mean(curve.lifted):.2f}"
    row = st.container(horizontal=True, gap="large")
    for label, value in shown.items():
        row.metric(label, value, width="content")
    if not has_truth:
        st.info(NO_TRUTH)


def per_joint() -> None:
    """Mean of one measure per joint, and beside it the share of joints below a threshold."""
    left, right = st.columns(2, gap="large")
    with left:
        key = st.selectbox("Mean of each joint", list(measures), format_func=lambda k: measures[k].label)
        measure = measures[key]
        means = nan_mean(measure.values.T)
        st.plotly_chart(figures.joint_bars(LABELS, SIDES, means, measure.unit), key="per joint")
    with right:
        if has_truth:
            st.markdown("**Share of joints below a threshold (PCK)**")
            errors = {m.short: m.values for m in measures.values() if m.unit == "mm"}
            st.plotly_chart(figures.pck_curves(errors), key="pck")
        else:
            bone_lengths()


def bone_lengths() -> None:
    """How much each bone changes its length."""
    st.markdown("**Bone-length drift: standard deviation in % of the bone's mean length**")
    names = [f"{LABELS[parent]} – {LABELS[child]}" for parent, child in BONES]
    sides = [SIDES[child] for _, child in BONES]
    st.plotly_chart(figures.joint_bars(names, sides, drift_percent, "%"), key="bones")


def motion() -> None:
    """Speed or acceleration of chosen joints over time."""
    st.markdown("**Motion of single joints, relative to the pelvis**")
    left, right = st.columns([1, 2])
    kind = left.segmented_control("Quantity", ["Speed", "Acceleration"], default="Speed", required=True)
    names = right.multiselect("Joints", LABELS, default=["left wrist", "right ankle"])
    of, order, unit = {"Speed": (metrics.speed, 1, "m/s"), "Acceleration": (metrics.acceleration, 2, "m/s²")}[kind]
    scale = sequence.fps**order / metrics.MM
    body, truth = metrics.root_relative(lifted.joints_3d), {}
    if sequence.joints_3d is not None:
        body = metrics.clip_aligned(lifted.joints_3d, sequence.joints_3d)
        truth = _of_joints(of(metrics.root_relative(sequence.joints_3d)) * scale, names)
    curves = _of_joints(of(body) * scale, names)
    st.plotly_chart(figures.over_time(curves, truth, sequence.fps, unit), key="motion")


def _of_joints(values: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    return {name: values[:, LABELS.index(name)] for name in names}


overview()
per_joint()
motion()
if has_truth:
    bone_lengths()
