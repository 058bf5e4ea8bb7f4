"""Charts and tables of training runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from explorer.charts.style import GREY, PALETTE
from explorer.run_status import duration, phase_lines, steps_per_second
from explorer.runs import Phase, TermCurve, TrainingRun
from posenet3d.training.terms import VALIDATION_NUMBERS, all_terms

MAX_POINTS = 1200
"""A longer curve is drawn with the lowest and highest point of each stretch, so that no spike is lost."""

MARGIN = 1.02  # so that the last dot is not cut in half

TERMS = {
    **{term.name: term.description for term in all_terms()},
    **VALIDATION_NUMBERS,
    "labels": "2D networks: distance of the joints' bins from the labels' (Kullback-Leibler).",
    "bins": "The same from the teacher's bins.",
    "relations": "Similarity of the joints' tokens to each other, against the teacher's.",
    "distances": "Distances between joints over their mean, against the teacher's.",
    "block1": "The refiner's pose after its first block, against labels and the teacher's final pose.",
    "block2": "The same after the second block.",
    "block3": "The same after the last block, which is the result.",
    "middle": "Person detector: heat map of people's centres (focal loss).",
    "place": "Person detector: offset of the centre within its cell, in cells.",
    "size": "Person detector: logarithms of the box's sides.",
    "pck": "Joints of held-out people within a fifth of the torso, percent.",
    "pck_before": "The same before the refiner.",
    "precision": "Share of detected boxes that contain a person (IoU of at least 0.5).",
    "recall": "Share of people who are detected.",
}
"""The meaning of each logged term, in a sentence."""


def term_names(runs: Sequence[TrainingRun], phase: str | None) -> list[str]:
    """Return the terms that any of the runs has logged (in that phase), in the order of `TERMS`; unknown ones last."""
    names = {
        name
        for run in runs
        for curves in (run.log.training, run.log.held_out)
        for name, curve in curves.items()
        if len(_within(curve, run, phase).steps)
    }
    return sorted(names, key=lambda name: (list(TERMS).index(name) if name in TERMS else len(TERMS), name))


def term_chart(runs: Sequence[TrainingRun], term: str, phase: str | None, *, is_log: bool) -> go.Figure:
    """Draw one unweighted term over the steps: a colour per run, lines for training and dots for held-out 2D.

    Over all phases steps count on. The first run's phases are shaded in turn; dotted lines mark the beginnings of another
    run's phases where they differ. Within one phase steps count from its beginning, so that runs with different numbers of
    steps line up.
    """
    figure = go.Figure()
    for run, colour in zip(runs, PALETTE, strict=False):
        for curves, label, style in (
            (run.log.training, "training", {"mode": "lines"}),
            (run.log.held_out, "held-out", {"mode": "lines+markers", "marker_size": 5, "line_dash": "dot"}),
        ):
            if term in curves:
                curve = thinned(_within(curves[term], run, phase))
                name = f"{run.name}, {label}" if len(runs) > 1 else label
                figure.add_scatter(
                    x=curve.steps,
                    y=curve.values,
                    name=name,
                    line_color=colour,
                    line_width=1.5,
                    opacity=0.8,
                    hovertemplate="%{y:.4g}",
                    **style,
                )
    _mark_phases(figure, runs, phase)
    figure.update_xaxes(hoverformat=",d", tickformat="~s", showgrid=False, zeroline=False)
    scale = "log" if is_log else "linear"
    figure.update_yaxes(type=scale, rangemode="tozero", nticks=5, exponentformat="power")
    figure.update_layout(
        height=210,
        margin={"l": 5, "r": 5, "t": 18, "b": 5},
        showlegend=False,
        hovermode="x unified",
        uirevision=f"{phase} {is_log}",  # zooming stays while the run goes on
    )
    return figure


def thinned(curve: TermCurve, limit: int = MAX_POINTS) -> TermCurve:
    """Return about `limit` of the curve's points, among them every stretch's lowest and highest."""
    count = len(curve.values)
    if count <= limit:
        return curve
    stretches = limit // 2
    width = -(-count // stretches)
    padded = np.full(stretches * width, np.nan)
    padded[:count] = curve.values
    rows = padded.reshape(stretches, width)
    first = np.arange(stretches) * width
    lowest = first + np.where(np.isfinite(rows), rows, np.inf).argmin(1)
    highest = first + np.where(np.isfinite(rows), rows, -np.inf).argmax(1)
    order = np.unique(np.minimum([lowest, highest], count - 1))
    order = np.union1d(order, [0, count - 1])
    return TermCurve(curve.steps[order], curve.values[order])


def phase_table(run: TrainingRun) -> pd.DataFrame:
    """Return one row per phase: its purpose, and its steps, time and speed as far as they are logged."""
    rows, ended_s = [], 0.0
    for phase in run.phases:
        of_phase = phase_lines(run, phase)
        has_begun = bool(of_phase.any())
        done = run.log.steps[of_phase][-1] - phase.start if has_begun else 0
        last_s = float(run.log.seconds[of_phase][-1]) if has_begun else ended_s
        rate = steps_per_second(run, phase)
        rows.append(
            {
                "phase": phase.name,
                "steps": f"{done:,.0f} of {phase.stop - phase.start:,}",
                "time": duration(last_s - ended_s) if has_begun else "–",
                "steps/s": f"{rate:.1f}" if rate else "–",
                "purpose": phase.purpose,
            }
        )
        ended_s = last_s
    return pd.DataFrame(rows)


def settings_of(run: TrainingRun) -> dict[str, str]:
    """Return every setting of the run's config by its dotted name, as text."""
    return _flat(run.config)


def settings_table(runs: Sequence[TrainingRun]) -> pd.DataFrame:
    """Return every setting of the runs by its dotted name; settings that differ come first and are marked."""
    columns = [settings_of(run) for run in runs]
    names = list(dict.fromkeys(name for column in columns for name in column))
    table = pd.DataFrame({"setting": names})
    for run, column in zip(runs, columns, strict=True):
        table[run.name] = [column.get(name, "–") for name in names]
    if len(runs) > 1:
        differs = [len({column.get(name) for column in columns}) > 1 for name in names]
        table.insert(1, "differs", ["≠" if d else "" for d in differs])
        table = table.sort_values("differs", ascending=False, kind="stable", ignore_index=True)
    return table


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            flat |= _flat(value, f"{name}.")
        elif isinstance(value, list):
            flat[name] = ", ".join(_format(part) for part in value)
        else:
            flat[name] = _format(value)
    return flat


def _format(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _within(curve: TermCurve, run: TrainingRun, phase: str | None) -> TermCurve:
    """Return the part of the curve in the phase, with steps counted from its beginning; the whole curve for None."""
    if phase is None:
        return curve
    span = _phase_named(run, phase)
    if span is None:
        return TermCurve(curve.steps[:0], curve.values[:0])
    inside = (curve.steps > span.start) & (curve.steps <= span.stop)
    return TermCurve(curve.steps[inside] - span.start, curve.values[inside])


def _phase_named(run: TrainingRun, name: str) -> Phase | None:
    return next((phase for phase in run.phases if phase.name == name), None)


def _mark_phases(figure: go.Figure, runs: Sequence[TrainingRun], phase: str | None) -> None:
    if phase is not None:
        spans = [span for run in runs if (span := _phase_named(run, phase)) is not None]
        figure.update_xaxes(range=[0, MARGIN * max(span.stop - span.start for span in spans)])
        return
    shapes = [
        {"x0": span.start, "x1": span.stop, "fillcolor": GREY, "opacity": 0.16 if number % 2 else 0.06}
        for number, span in enumerate(runs[0].phases)
    ]
    names = [
        {"x": (span.start + span.stop) / 2, "text": span.name, "font": {"size": 11, "color": GREY}}
        for span in runs[0].phases
    ]
    shaded = {"type": "rect", "yref": "paper", "y0": 0, "y1": 1, "line_width": 0, "layer": "below"}
    above = {"yref": "paper", "y": 1, "yanchor": "bottom", "showarrow": False}
    figure.update_layout(shapes=[shape | shaded for shape in shapes], annotations=[name | above for name in names])
    own = {span.start for span in runs[0].phases}
    for run, colour in zip(runs[1:], PALETTE[1:], strict=False):
        for span in run.phases:
            if span.start not in own:
                figure.add_vline(x=span.start, line_dash="dot", line_width=1, line_color=colour)
    figure.update_xaxes(range=[0, MARGIN * max(run.planned for run in runs)])
