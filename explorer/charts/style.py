"""Colours, line styles and layout that all charts share; the viewer reads the same palette file."""

import json
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go

import explorer

_COLOURS = json.loads((Path(explorer.__file__).parent / "viewer" / "palette.json").read_text(encoding="utf-8"))

PALETTE: tuple[str, ...] = tuple(_COLOURS["light"])
"""Okabe and Ito's colours, safe for colour-blind eyes, in an order in which neighbours differ most."""

PALETTE_DARK: tuple[str, ...] = tuple(_COLOURS["dark"])
"""The colours of the same things in a dark theme."""

GREY: str = _COLOURS["truth"]["light"]

BAR_PATTERN = {"fillmode": "overlay", "fgcolor": "white", "fgopacity": 0.6, "size": 6, "solidity": 0.25}
"""Bars keep their colour under their pattern."""


@dataclass(frozen=True)
class Style:
    """Style of one curve or set of bars; line and pattern tell them apart in black and white, too."""

    colour: str
    dash: str = "solid"
    pattern: str = ""


FIRST, SECOND = Style(PALETTE[0]), Style(PALETTE[1], "dash", "/")
TRUTH = Style(GREY, "dot", ".")
BOTH = Style(PALETTE[2], "longdashdot", "x")
"""Of numbers about both candidates together."""

BASELINE = Style(PALETTE[3], "solid", "-")
"""Of frame-by-frame lifting: a thin line behind the others, because it is the roughest."""


def line_of(style: Style) -> dict[str, str | float]:
    """Return Plotly's `line` of a curve."""
    return {"color": style.colour, "dash": style.dash, "width": 1.0 if style is BASELINE else 1.8}


def set_layout(figure: go.Figure, height: int) -> go.Figure:
    """Set height, margins and colours, and put the legend in one row above the chart; return the figure."""
    figure.update_layout(
        height=height,
        colorway=PALETTE,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
    )
    return figure
