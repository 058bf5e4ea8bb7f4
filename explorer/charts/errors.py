"""Charts of errors by joint, by frame and by threshold."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from explorer.charts.style import BAR_PATTERN, GREY, Style, set_layout
from posenet3d.evaluation import metrics

MAX_COLUMNS = 1500
"""Columns of the error map; more than a wide screen has pixels only make it slow."""

NO_VALUE = "rgba(128, 128, 128, 0.25)"
"""Background of the error map: not a colour of cividis, in either theme."""


def grouped_bars(
    names: Sequence[str], values: Mapping[str, np.ndarray], styles: Mapping[str, Style], unit: str
) -> go.Figure:
    """Draw one group of horizontal bars per name (a joint, an action) in the order given, with one bar per label."""
    figure = go.Figure()
    for label, lengths in values.items():
        style = styles[label]
        figure.add_bar(
            x=lengths,
            y=list(names),
            name=label,
            orientation="h",
            marker={"color": style.colour, "pattern": {"shape": style.pattern, **BAR_PATTERN}},
            hovertemplate="%{y}: %{x:.1f} " + unit + f"<extra>{label}</extra>",
        )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title=unit, rangemode="tozero")
    figure.update_layout(barmode="group", bargap=0.3, showlegend=True)
    return set_layout(figure, height=120 + 32 * len(names))


def largest_per_column(values: np.ndarray, columns: int = MAX_COLUMNS) -> tuple[np.ndarray, int]:
    """Return the largest value of each joint in runs of equally many frames, so that a moment stays visible in a long clip.

    Args:
        values: (frames, joints), NaN where there is no value.
        columns: at most this many runs.

    Returns:
        (runs, joints), NaN where a run has no value at all, and the number of frames in a run.
    """
    run = max(1, -(-len(values) // columns))
    return np.fmax.reduceat(values, np.arange(0, len(values), run), axis=0), run


def error_map(
    names: Sequence[str], values: Mapping[str, np.ndarray], unit: str, top: float, moments: Sequence[int]
) -> go.Figure:
    """Draw one map of joints by frames per label, on one colour scale, with numbered marks at the worst moments.

    Args:
        names: of the joints, from top to bottom.
        values: (frames, joints) of each label, NaN where there is no value.
        unit: of the values.
        top: the end of the colour scale; larger values have its last colour.
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
    return set_layout(figure, height=80 + 330 * len(values)).update_layout(margin_t=60, margin_pad=0)


def share_below(
    errors: Mapping[str, np.ndarray], styles: Mapping[str, Style], unit: str, top: float, is_pck: bool
) -> go.Figure:
    """Draw the share of joints below a threshold, over thresholds up to `top`: one curve per label (frames, joints).

    With `is_pck`, for errors against ground truth in mm, each name states the area under the curve up to 150 mm (AUC).
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
    figure.update_yaxes(title="joints below the threshold (%)", range=[0, 101])
    figure.update_layout(showlegend=True)
    return set_layout(figure, height=400)
