"""Errors: by joint, over time, by threshold, and per action where the file holds many clips."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import cache, session, sidebar
from explorer.charts import errors as error_charts
from explorer.charts.style import BOTH, FIRST, SECOND, TRUTH
from explorer.compare import tables
from explorer.compare.candidates import GROUND_TRUTH
from explorer.compare.joint_errors import NO_TRUTH, Measure, colour_top, nan_mean
from explorer.compare.labels import JOINT_LABELS
from explorer.markdown import as_text
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError

EXPLORE = Path(__file__).with_name("explore.py")
MAX_PCK_THRESHOLD_MM = 200.0
ROW_HEIGHT_PX = 35  # of a table

choice = sidebar.chosen()
sequence = choice.sequence
networks = [candidate for candidate in choice.candidates if candidate.source is not None]
measures = tables.measures_by_key(sequence, choice.candidates)
styles = {tables.label_of_both(networks): BOTH, GROUND_TRUTH: TRUTH}
styles |= {candidate.label: style for candidate, style in zip(networks, (FIRST, SECOND), strict=False)}


@st.fragment  # another measure reruns this part only
def page() -> None:
    """Draw everything below the overview, for one chosen measure."""
    left, right = st.columns([1, 2], gap="large", vertical_alignment="bottom")
    measure = choose_measure(left)
    right.markdown(measure.note)
    known = {label: m for label, m in measures[measure.key].items() if np.isfinite(m.values).any()}
    for label in measures[measure.key].keys() - known.keys():
        st.warning(f"{as_text(label)}: this measure has no value for any joint of this clip.")
    if known:
        this_clip(known, measure)
    clips = session.SIBLINGS.get()
    if networks and len(clips) > 1 and all(clip.joints_3d is not None for clip in clips):
        per_action(clips, measure)


def this_clip(known: Mapping[str, Measure], measure: Measure) -> None:
    """Draw the errors of the chosen clip."""
    values = {label: m.values for label, m in known.items()}
    top = colour_top(np.concatenate(list(values.values())))
    moments = tables.moments_table(known, sequence.fps)
    by_joint(known, measure)
    over_time(values, measure, top, moments)
    left, right = st.columns(2, gap="large")
    with left:
        worst_moments(moments, measure, list(known))
    with right:
        below_threshold(values, measure, top)


def choose_measure(place: DeltaGenerator) -> Measure:
    """Choose the measure of the page; one chosen for another clip stays if this clip has it, too."""
    session.ERROR_MEASURE.forget_unless(measures)
    examples = {key: next(iter(by_label.values())) for key, by_label in measures.items()}
    key = place.selectbox(
        "Measure",
        list(measures),
        format_func=lambda key: f"{examples[key].label} ({examples[key].unit})",
        key=session.ERROR_MEASURE.key,
        persist_state="session",
    )
    return examples[key]


def by_joint(known: Mapping[str, Measure], measure: Measure) -> None:
    """Draw the means as bars, and a table that can be sorted and downloaded."""
    st.subheader("Error by joint")
    left, right = st.columns([5, 8], gap="large")
    means = {label: nan_mean(m.values.T) for label, m in known.items()}
    left.plotly_chart(error_charts.grouped_bars(JOINT_LABELS, means, styles, measure.unit), key="joints")
    table = tables.joint_table(known)
    with right:
        show_table(table, name_px=120)
        st.caption("95 %: the 95th percentile over the frames. Click a column's header to sort.")
        st.download_button(
            "Download this table (csv)",
            table.to_csv(index=False).encode(),
            file_name=re.sub(r"[^\w.]+", "_", f"{sequence.name} {measure.key} per joint.csv"),
            mime="text/csv",
            on_click="ignore",
        )


def over_time(values: Mapping[str, np.ndarray], measure: Measure, top: float, moments: pd.DataFrame) -> None:
    """Draw the error map."""
    st.subheader("Error over time")
    st.caption(
        "Each row is a joint, each column a frame. Bright colours are large errors; grey means no value. "
        "The numbered marks are the worst moments, listed below."
    )
    figure = error_charts.error_map(JOINT_LABELS, values, measure.unit, top, list(moments["frame"]))
    st.plotly_chart(figure, key="error map")


def worst_moments(moments: pd.DataFrame, measure: Measure, labels: list[str]) -> None:
    """Draw one link per moment that opens the moment in the viewer."""
    st.subheader("Worst moments")
    st.caption(
        f"Mean over joints: {as_text(' | '.join(labels))}; then the worst joint. Click to open a moment in the viewer."
    )
    for place, moment in enumerate(moments.to_dict("records"), 1):
        means = " | ".join(f"{moment[label]:.{measure.digits}f}" for label in labels)
        worst = f"{moment['worst joint']} {moment['worst value']:.{measure.digits}f} {measure.unit}"
        text = f"{place}\\. **{moment['time_s']:.2f} s**, frame {moment['frame']}: {means} {measure.unit}; {worst}"
        # Not a button with st.switch_page, which drops the sidebar's choice from the address bar.
        st.page_link(EXPLORE, label=text, icon=":material/play_circle:", query_params={"frame": str(moment["frame"])})


def below_threshold(values: Mapping[str, np.ndarray], measure: Measure, top: float) -> None:
    """Draw the share of joints below each threshold: PCK for errors against ground truth."""
    is_pck = measure.truth is not None
    st.subheader("Joints below a threshold")
    st.caption(
        "Share of joints below a threshold (PCK). AUC is its mean from 0 to 150 mm (dotted line)."
        if is_pck
        else "Share of joints below a threshold, over all frames."
    )
    figure = error_charts.share_below(values, styles, measure.unit, MAX_PCK_THRESHOLD_MM if is_pck else top, is_pck)
    st.plotly_chart(figure, key="share below")


def per_action(clips: list[PoseSequence], measure: Measure) -> None:
    """Draw the evaluation of every clip of the file; only on demand, because every clip has to be lifted."""
    st.subheader("Per action")
    st.markdown(
        f"This file holds {len(clips)} clips; everything above is about one of them. The button lifts all clips and compares "
        "them with ground truth, which takes some seconds per clip. Leaving the page stops it."
    )
    if st.button("Evaluate every clip of this file"):
        place = st.empty()
        try:
            cache.evaluate_clips(
                clips, networks, choice.options, lambda share, text: place.progress(share, as_text(text))
            )
        except InputError as error:
            place.error(as_text(error))
        else:
            place.empty()
    results = cache.evaluation(clips, networks, choice.options)
    if results is None:
        return
    if not any(clip.action for clip in clips):
        st.info(
            "The file does not name the actions of its clips (field 'action'), so only the mean of all clips is shown."
        )
    show_table(tables.action_table(results), name_px=190)
    if measure.key in tables.ACTION_METRICS:
        names, means = tables.action_means(results, measure.key)
        st.plotly_chart(error_charts.grouped_bars(names, means, styles, measure.unit), key="actions")


def show_table(table: pd.DataFrame, name_px: int) -> None:
    """Draw a whole table with its columns grouped by label."""
    named = table.set_index(table.columns[0])
    heads = [tuple(f": {name}".split(": ")[-2:]) for name in named.columns]
    show_numbers(
        named.set_axis(pd.MultiIndex.from_tuples(heads), axis=1), name_px, ROW_HEIGHT_PX * (len(table) + 2) + 3
    )


def show_numbers(table: pd.DataFrame, name_px: int, height: int | Literal["auto"] = "auto") -> None:
    """Draw a table with one digit after the point and a dash where there is no value; its index is `name_px` wide."""
    names = {"_index": st.column_config.TextColumn(width=name_px)}
    st.dataframe(table.style.format(precision=1), height=height, column_config=names, placeholder="–")


if sequence.joints_3d is None:
    st.info(NO_TRUTH)
show_numbers(tables.clip_table(measures, choice.candidates).set_index("mean over the clip"), name_px=170)
page()
