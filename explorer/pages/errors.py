"""Errors: which joint is wrong, when, and how often; and per action where the file holds many clips."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import cache, sidebar
from explorer.charts import errors as error_charts
from explorer.compare import tables
from explorer.compare.candidates import GROUND_TRUTH
from explorer.compare.joint_errors import NO_TRUTH, Measure, colour_top, nan_mean
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.evaluation.evaluate import Evaluation, evaluate

EXPLORE = Path(__file__).with_name("explore.py")
MEASURE = "error measure"
PCK_TOP_MM = 200.0
ROW_PX = 35  # of a table

choice = sidebar.chosen()
sequence = choice.sequence
networks = [actor for actor in choice.actors if actor.source is not None]
measures = tables.measures_by_key(sequence, choice.actors)
styles = {tables.together(networks): error_charts.BOTH, GROUND_TRUTH: error_charts.TRUTH}
styles |= {
    actor.label: style for actor, style in zip(networks, (error_charts.FIRST, error_charts.SECOND), strict=False)
}


@st.fragment  # another measure reruns this part only
def page() -> None:
    """Everything under the overview, in the one measure that is chosen here."""
    left, right = st.columns([1, 2], gap="large", vertical_alignment="bottom")
    measure = choose_measure(left)
    right.markdown(measure.note)
    known = {label: m for label, m in measures[measure.key].items() if np.isfinite(m.values).any()}
    for label in measures[measure.key].keys() - known.keys():
        st.warning(f"{label}: no joint of this clip has a value of this measure.")
    if known:
        this_clip(known, measure)
    clips = sidebar.siblings()
    if networks and len(clips) > 1 and all(clip.joints_3d is not None for clip in clips):
        per_action(clips, measure)


def this_clip(known: Mapping[str, Measure], measure: Measure) -> None:
    """Which joint, when, the worst moments, how often."""
    values = {label: m.values for label, m in known.items()}
    top = colour_top(np.concatenate(list(values.values())))
    moments = tables.moments_table(known, sequence.fps)
    which_joint(known, measure)
    when(values, measure, top, moments)
    left, right = st.columns(2, gap="large")
    with left:
        worst_moments(moments, measure, list(known))
    with right:
        how_often(values, measure, top)


def choose_measure(place: DeltaGenerator) -> Measure:
    """The measure of the whole page; the one chosen for another clip stays if this clip has it, too."""
    first = next(iter(measures))
    if st.session_state.get(MEASURE, first) not in measures:
        del st.session_state[MEASURE]
    words = {key: next(iter(by_label.values())) for key, by_label in measures.items()}
    key = place.selectbox(
        "What to measure",
        list(measures),
        format_func=lambda key: f"{words[key].label} ({words[key].unit})",
        key=MEASURE,
        persist_state="session",
    )
    return words[key]


def which_joint(known: Mapping[str, Measure], measure: Measure) -> None:
    """Bars of the means, and the table that can be sorted and taken away."""
    st.subheader("Which joint")
    left, right = st.columns([5, 8], gap="large")
    means = {label: nan_mean(m.values.T) for label, m in known.items()}
    left.plotly_chart(error_charts.grouped_bars(tables.JOINT_LABELS, means, styles, measure.unit), key="joints")
    table = tables.joint_table(known)
    with right:
        show_table(table, name_px=120)
        st.caption("95 %: what 95 of 100 frames stay below. A click on a column's head sorts.")
        st.download_button(
            "Download this table (csv)",
            table.to_csv(index=False).encode(),
            file_name=re.sub(r"[^\w.]+", "_", f"{sequence.name} {measure.key} per joint.csv"),
            mime="text/csv",
            on_click="ignore",
        )


def when(values: Mapping[str, np.ndarray], measure: Measure, top: float, moments: pd.DataFrame) -> None:
    """The map of every joint in every frame."""
    st.subheader("When")
    st.caption(
        "A row is a joint, a column a frame; bright is bad, grey means that there is no value. "
        "The numbered marks are the worst moments, listed below."
    )
    figure = error_charts.error_map(tables.JOINT_LABELS, values, measure.unit, top, list(moments["frame"]))
    st.plotly_chart(figure, key="error map")


def worst_moments(moments: pd.DataFrame, measure: Measure, labels: list[str]) -> None:
    """A link per moment that opens it in the viewer."""
    st.subheader("Worst moments")
    st.caption(f"Mean over joints: {' | '.join(labels)}; then the worst joint. A click opens the moment in the viewer.")
    for place, moment in enumerate(moments.to_dict("records"), 1):
        means = " | ".join(f"{moment[label]:.{measure.digits}f}" for label in labels)
        at_joint = f"{moment['worst joint']} {moment['at it']:.{measure.digits}f} {measure.unit}"
        words = f"{place}\\. **{moment['time_s']:.2f} s**, frame {moment['frame']}: {means} {measure.unit}; {at_joint}"
        # Not a button with st.switch_page, which drops the sidebar's choice from the address.
        st.page_link(EXPLORE, label=words, icon=":material/play_circle:", query_params={"frame": str(moment["frame"])})


def how_often(values: Mapping[str, np.ndarray], measure: Measure, top: float) -> None:
    """The share of joints below each threshold: PCK where it is about ground truth."""
    is_pck = measure.truth is not None
    st.subheader("How often it is good")
    st.caption(
        "Share of joints below a threshold (PCK). AUC is its mean from 0 to 150 mm, the dotted line."
        if is_pck
        else "Share of joints below a threshold, over all frames."
    )
    figure = error_charts.share_below(values, styles, measure.unit, PCK_TOP_MM if is_pck else top, is_pck)
    st.plotly_chart(figure, key="share below")


def per_action(clips: list[PoseSequence], measure: Measure) -> None:
    """What `evaluate` finds over every clip of the file; only on demand, for every clip has to be lifted."""
    st.subheader("Per action")
    st.markdown(
        f"This file holds {len(clips)} clips; everything above is about one of them. Here all are lifted and compared "
        "with ground truth, which takes some seconds for each. Leaving the page stops it."
    )
    key = (tuple(map(cache.content_key, clips)), choice.lifting, tuple(actor.source for actor in networks))
    kept = st.session_state.setdefault("evaluated", {})
    if st.button("Evaluate every clip of this file"):
        place = st.empty()
        try:
            kept[key] = evaluated(clips, place)
        except InputError as error:
            place.error(str(error))
        else:
            place.empty()
    if key not in kept:
        return
    results = kept[key]
    if not any(clip.action for clip in clips):
        st.info("The file does not say which action a clip shows (field 'action'), so only the whole is told.")
    show_table(tables.action_table(results), name_px=190)
    if measure.key in tables.ACTION_METRICS:
        names, means = tables.action_means(results, measure.key)
        st.plotly_chart(error_charts.grouped_bars(names, means, styles, measure.unit), key="actions")


def evaluated(clips: list[PoseSequence], place: DeltaGenerator) -> dict[str, Evaluation]:
    """The result of `evaluate` for each network that is shown.

    Raises:
        InputError: the clips cannot be lifted or scored.
    """
    steps = len(networks) * len(clips)
    results = {}
    for turn, actor in enumerate(networks):
        assert actor.source is not None  # that makes it a network
        lifted = []
        for number, clip in enumerate(clips):
            done = turn * len(clips) + number
            words = f"{actor.label}: clip {number + 1} of {len(clips)}, {clip.name}"
            place.progress(done / steps, words)

            def show(part: float, done: int = done, words: str = words) -> None:
                place.progress((done + min(part, 1.0)) / steps, words)

            lifted.append(cache.lift(clip, actor.source.folder, actor.source.model, show, choice.lifting)[1])
        results[actor.label] = evaluate(lifted, clips)
    return results


def show_table(table: pd.DataFrame, name_px: int) -> None:
    """A table whole, its columns grouped by whom they are about; a click on a head sorts."""
    named = table.set_index(table.columns[0])
    heads = [tuple(f": {name}".split(": ")[-2:]) for name in named.columns]
    show_numbers(named.set_axis(pd.MultiIndex.from_tuples(heads), axis=1), name_px, ROW_PX * (len(table) + 2) + 3)


def show_numbers(table: pd.DataFrame, name_px: int, height: int | Literal["auto"] = "auto") -> None:
    """A table with one digit after the point and a dash where there is no value; its index is `name_px` wide."""
    names = {"_index": st.column_config.TextColumn(width=name_px)}
    st.dataframe(table.style.format(precision=1), height=height, column_config=names, placeholder="–")


if sequence.joints_3d is None:
    st.info(NO_TRUTH)
show_numbers(tables.clip_table(measures, choice.actors).set_index("mean over the clip"), name_px=170)
page()
