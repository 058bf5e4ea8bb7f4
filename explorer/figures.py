"""Static charts as pure functions: arrays in, plotly figure out."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from posenet3d import metrics

SIDE_COLOURS = {"left": "#0072B2", "right": "#D55E00", "middle": "#009E73"}
GREY = "#7A8088"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's, in an order in which neighbours differ most."""

THRESHOLDS_MM = np.arange(0, 201, 5)


def joint_bars(names: Sequence[str], sides: Sequence[str], values: np.ndarray, unit: str) -> go.Figure:
    """One horizontal bar per joint (or bone), coloured by side, in the order given."""
    bars = go.Bar(
        x=values,
        y=list(names),
        orientation="h",
        marker_color=[SIDE_COLOURS[side] for side in sides],
        hovertemplate="%{y}: %{x:.1f} " + unit + "<extra></extra>",
    )
    figure = go.Figure(bars)
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title=unit, rangemode="tozero")
    return _laid_out(figure, height=440)


def pck_curves(errors_mm: Mapping[str, np.ndarray]) -> go.Figure:
    """Share of joints below a threshold, over thresholds: one curve per kind of error (frames, joints; mm)."""
    figure = go.Figure()
    for label, errors in errors_mm.items():
        share = [metrics.pck(errors, float(threshold)) for threshold in THRESHOLDS_MM]
        hover = label + ": %{y:.0f} % below %{x} mm<extra></extra>"
        figure.add_scatter(x=THRESHOLDS_MM, y=share, name=label, mode="lines", hovertemplate=hover)
    figure.add_vline(x=metrics.PCK_THRESHOLD_MM, line_dash="dot", line_color=GREY)
    figure.update_xaxes(title="threshold (mm)")
    figure.update_yaxes(title="joints below it (%)", range=[0, 101])
    return _laid_out(figure, height=380)


def over_time(curves: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray], fps: float, unit: str) -> go.Figure:
    """Values per frame over time in seconds, and dotted in the same colours what they should have been."""
    figure = go.Figure()
    for index, (label, values) in enumerate(curves.items()):
        colour = COLOURS[index % len(COLOURS)]
        times = np.arange(len(values)) / fps
        figure.add_scatter(x=times, y=values, name=label, mode="lines", line={"color": colour})
        if label in truth:
            dotted = {"color": colour, "dash": "dot"}
            figure.add_scatter(x=times, y=truth[label], name=f"{label}, ground truth", mode="lines", line=dotted)
    figure.update_xaxes(title="time (s)")
    figure.update_yaxes(title=unit, rangemode="tozero")
    return _laid_out(figure, height=340)


def _laid_out(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout(
        height=height,
        colorway=COLOURS,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
    )
    return figure
