"""Static charts as pure functions: arrays in, plotly figure out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from posenet3d.evaluation import metrics

GREY = "#7A8088"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's, in an order in which neighbours differ most."""

OVERLAY = {"fillmode": "overlay", "fgcolor": "white", "fgopacity": 0.6, "size": 6, "solidity": 0.25}
"""Bars keep their colour under their pattern."""

MAP_COLUMNS = 1500
"""More columns than a wide screen has pixels for only make the error map slow."""

NO_VALUE = "rgba(128, 128, 128, 0.25)"
"""Behind the error map: none of cividis' own colours, in neither theme."""


@dataclass(frozen=True)
class Style:
    """How one curve and one set of bars are drawn; line and pattern tell them apart in black and white, too."""

    colour: str
    dash: str = "solid"
    pattern: str = ""


FIRST, SECOND = Style(COLOURS[0]), Style(COLOURS[1], "dash", "/")
TRUTH = Style(GREY, "dot", ".")
BOTH = Style(COLOURS[2], "longdashdot", "x")
"""Of what is said about the two actors together."""


def grouped_bars(
    names: Sequence[str], values: Mapping[str, np.ndarray], styles: Mapping[str, Style], unit: str
) -> go.Figure:
    """One group of horizontal bars per name (a joint, an action), in the order given; one bar per label in each."""
    figure = go.Figure()
    for label, lengths in values.items():
        style = styles[label]
        figure.add_bar(
            x=lengths,
            y=list(names),
            name=label,
            orientation="h",
            marker={"color": style.colour, "pattern": {"shape": style.pattern, **OVERLAY}},
            hovertemplate="%{y}: %{x:.1f} " + unit + f"<extra>{label}</extra>",
        )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title=unit, rangemode="tozero")
    figure.update_layout(barmode="group", bargap=0.3, showlegend=True)
    return _laid_out(figure, height=120 + 32 * len(names))


def largest_per_column(values: np.ndarray, columns: int = MAP_COLUMNS) -> tuple[np.ndarray, int]:
    """The largest value of each joint in runs of equally many frames, so that a moment stays visible in a long clip.

    Args:
        values: (frames, joints), NaN where there is none.
        columns: at most this many runs.

    Returns:
        (runs, joints), NaN where a run has no value at all, and the number of frames in a run.
    """
    run = max(1, -(-len(values) // columns))
    return np.fmax.reduceat(values, np.arange(0, len(values), run), axis=0), run


def error_map(
    names: Sequence[str], values: Mapping[str, np.ndarray], unit: str, top: float, moments: Sequence[int]
) -> go.Figure:
    """Joint by frame, one map per label on one colour scale that ends at `top`; numbered marks at the worst moments.

    Args:
        names: of the joints, from top to bottom.
        values: (frames, joints) of each label, NaN where there is none.
        unit: of the values.
        top: where the colour scale ends; what is larger has the colour of `top`.
        moments: frames, worst first.
    """
    frames = max(len(errors) for errors in values.values())
    figure = make_subplots(rows=len(values), shared_xaxes=True, vertical_spacing=0.14, subplot_titles=list(values))
    figure.update_annotations(x=0, xanchor="left", yshift=22)
    for row, errors in enumerate(values.values(), 1):
        largest, run = largest_per_column(errors)
        where = "frame %{x}" if run == 1 else f"largest of {run} frames from %{{x}} on"
        cells = go.Heatmap(
            z=largest.T.astype(np.float32),
            y=list(names),
            x0=0,
            dx=run,
            coloraxis="coloraxis",
            hovertemplate="%{y}, " + where + ": %{z:.1f} " + unit + "<extra></extra>",
        )
        figure.add_trace(cells, row=row, col=1)
        for place, frame in enumerate(moments, 1):
            mark = {"text": str(place), "arrowhead": 2, "arrowcolor": GREY, "ax": 0, "ay": -16}
            figure.add_annotation(x=frame, y=1, yref="y domain", row=row, col=1, **mark)
    figure.update_yaxes(range=[len(names) - 0.5, -0.5], showgrid=False)
    figure.update_xaxes(range=[-0.5, frames - 0.5], showgrid=False, zeroline=False)
    figure.update_xaxes(title="frame", row=len(values), col=1)
    figure.update_layout(
        coloraxis={"colorscale": "Cividis", "cmin": 0, "cmax": top, "colorbar": {"title": unit}},
        plot_bgcolor=NO_VALUE,
        showlegend=False,
    )
    return _laid_out(figure, height=80 + 330 * len(values)).update_layout(margin_t=60, margin_pad=0)


def share_below(
    errors: Mapping[str, np.ndarray], styles: Mapping[str, Style], unit: str, top: float, is_pck: bool
) -> go.Figure:
    """Share of joints below a threshold, over thresholds up to `top`: one curve per label (frames, joints).

    With `is_pck`, for errors against ground truth in mm, each name tells the area under the curve up to 150 mm (AUC).
    """
    figure = go.Figure()
    thresholds = np.linspace(0, top, 41)
    for label, values in errors.items():
        style = styles[label]
        figure.add_scatter(
            x=thresholds,
            y=[metrics.pck(values, float(threshold)) for threshold in thresholds],
            name=f"{label}, AUC {metrics.auc(values):.0f} %" if is_pck else label,
            mode="lines",
            line={"color": style.colour, "dash": style.dash},
            hovertemplate="%{y:.0f} % below %{x:.3g} " + unit + f"<extra>{label}</extra>",
        )
    if is_pck:
        figure.add_vline(x=metrics.PCK_THRESHOLD_MM, line_dash="dot", line_color=GREY)
    figure.update_xaxes(title=f"threshold ({unit})")
    figure.update_yaxes(title="joints below it (%)", range=[0, 101])
    figure.update_layout(showlegend=True)
    return _laid_out(figure, height=400)


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
