"""Charts of motion over time, per joint and by frequency, with one line per result."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from explorer.charts.errors import grouped_bars, largest_per_column
from explorer.charts.style import GREY, Style, line_of, set_layout

SHADED = "foot on the floor"
SHADE = "rgba(128, 128, 128, 0.18)"
PANEL_PX = 190

Curves = Mapping[str, np.ndarray]
"""(frames,) of each label."""


def over_time(
    panels: Mapping[str, Curves],
    styles: Mapping[str, Style],
    fps: float,
    unit: str,
    cut: str | None = None,
    shaded: Mapping[str, np.ndarray] | None = None,
) -> go.Figure:
    """Draw panels one below the other over the same time axis, with one line per label.

    A clip with more frames than the screen has columns shows the largest value of each run of frames.

    Args:
        panels: curves by label, by the panel's title.
        styles: of each label.
        fps: frames a second.
        unit: of the values.
        cut: a label that does not set the scale; beyond the scale its line is cut off.
        shaded: (frames,) bool by the panel's title: frames in which that foot is on the floor.
    """
    figure = make_subplots(
        rows=len(panels), shared_xaxes=True, vertical_spacing=0.3 / (len(panels) + 2), subplot_titles=list(panels)
    )
    for row, (title, curves) in enumerate(panels.items(), 1):
        top = _top([values for label, values in curves.items() if label != cut])
        if shaded is not None:
            figure.add_trace(_shade(shaded[title] * top, fps, has_legend=row == 1), row=row, col=1)
        for label, values in reversed(list(curves.items())):
            figure.add_trace(_line(label, values, styles[label], fps, unit, has_legend=row == 1), row=row, col=1)
        figure.update_yaxes(range=[0, top], row=row)
    figure.update_yaxes(title=unit)
    figure.update_xaxes(title="time (s)", row=len(panels))
    figure.update_layout(hovermode="x unified")
    return _set_layout(figure, height=80 + PANEL_PX * len(panels))


def spectrum(
    spectra: Mapping[str, tuple[np.ndarray, np.ndarray]], styles: Mapping[str, Style], limit_hz: float
) -> go.Figure:
    """Draw power density over frequency, both logarithmic, with a line at `limit_hz`."""
    figure = go.Figure()
    for label, (frequency, density) in reversed(list(spectra.items())):
        figure.add_scatter(
            x=frequency,
            y=density,
            name=label,
            mode="lines",
            line=line_of(styles[label]),
            hovertemplate="%{x:.1f} Hz: %{y:.1e} (m/s)²/Hz<extra>" + label + "</extra>",
        )
    # Not add_vline: it would apply the logarithm twice, far outside the axis, and stretch it.
    figure.add_shape(
        type="line", x0=limit_hz, x1=limit_hz, yref="paper", y0=0, y1=1, line={"dash": "dot", "color": GREY}
    )
    highest = max(float(frequency[-1]) for frequency, _ in spectra.values())
    lowest = min(float(frequency[0]) for frequency, _ in spectra.values())
    figure.update_xaxes(
        title="frequency (Hz)",
        type="log",
        tickvals=[0.5, 1, 2, 3, 4, 6, 10, 15, 25, 50, 100, 200],
        range=np.log10([lowest, highest]),
    )
    figure.update_yaxes(title="power of velocity ((m/s)²/Hz)", type="log", exponentformat="power", dtick=1)
    return _set_layout(figure, height=430)


def per_joint(
    names: Sequence[str], means: Curves, styles: Mapping[str, Style], unit: str, cut: str | None = None
) -> go.Figure:
    """Draw a group of bars for each joint; the label `cut` does not set the scale."""
    top = _top([values for label, values in means.items() if label != cut])
    return grouped_bars(names, means, styles, unit).update_xaxes(range=[0, top])


def _top(curves: Sequence[np.ndarray]) -> float:
    """Return the end of a panel's scale."""
    largest = max((float(np.fmax.reduce(values, initial=0)) for values in curves), default=0.0)
    return 1.1 * largest or 1.0


def _sampled(values: np.ndarray, fps: float) -> dict[str, np.ndarray]:
    largest, run = largest_per_column(values[:, None])
    return {"x": np.round(np.arange(len(largest)) * run / fps, 4), "y": largest[:, 0].astype(np.float32)}


def _line(label: str, values: np.ndarray, style: Style, fps: float, unit: str, has_legend: bool) -> go.Scatter:
    return go.Scatter(
        **_sampled(values, fps),
        name=label,
        legendgroup=label,
        showlegend=has_legend,
        mode="lines",
        line=line_of(style),
        hovertemplate="%{y:.2f} " + unit,
    )


def _shade(heights: np.ndarray, fps: float, has_legend: bool) -> go.Scatter:
    return go.Scatter(
        **_sampled(heights, fps),
        name=SHADED,
        legendgroup=SHADED,
        showlegend=has_legend,
        mode="lines",
        line={"width": 0, "shape": "hv"},
        fill="tozeroy",
        fillcolor=SHADE,
        hoverinfo="skip",
    )


def _set_layout(figure: go.Figure, height: int) -> go.Figure:
    """Set the layout, with the legend above the titles of the panels and in the order in which the lines lie."""
    legend = {"yref": "container", "y": 1, "yanchor": "top", "traceorder": "reversed"}
    return set_layout(figure, height).update_layout(showlegend=True, margin_t=60, legend=legend)
