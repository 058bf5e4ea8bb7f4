"""Charts and a table of the people that a 2D detector found in a clip."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from explorer.charts.style import PALETTE, set_layout
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import BONES

MAX_COLUMNS = 1200
"""Each column of a longer clip shows its least complete frame."""

MAX_ROWS = 40


def track_table(tracks: Sequence[PoseSequence]) -> pd.DataFrame:
    """Return one row per person: time range, share of joints detected, confidence, and size."""
    rows = []
    for track in tracks:
        seen = track.is_observed
        frames = np.flatnonzero(seen.any(1))
        heights = _heights_px(track)
        rows.append(
            {
                "person": track.name,
                "from (s)": round(frames[0] / track.fps, 2) if len(frames) else None,
                "to (s)": round((frames[-1] + 1) / track.fps, 2) if len(frames) else None,
                "frames": len(track),
                "joints detected (%)": round(100 * float(seen.mean()), 1),
                "confidence": round(float(track.confidence[seen].mean()), 2) if seen.any() else None,
                "height (px)": round(float(np.nanmedian(heights))) if np.isfinite(heights).any() else None,
            }
        )
    return pd.DataFrame(rows)


def presence(tracks: Sequence[PoseSequence]) -> go.Figure:
    """Draw one row per person over time; brightness is the share of joints detected."""
    shown = tracks[:MAX_ROWS]
    frames = max(len(track) for track in shown)
    columns = min(frames, MAX_COLUMNS)
    edges = np.linspace(0, frames, columns + 1).astype(int)[:-1]
    share = np.full((len(shown), frames), np.nan)
    for row, track in enumerate(shown):
        seen = 100 * track.is_observed.mean(1)
        share[row, : len(seen)] = np.where(seen > 0, seen, np.nan)
    lowest = np.fmin.reduceat(share, edges, axis=1)
    heat = go.Heatmap(
        x=edges / shown[0].fps,
        y=[_short(track.name) for track in shown],
        z=lowest,
        zmin=0,
        zmax=100,
        colorscale="Cividis",
        colorbar={"title": "% detected"},
        hovertemplate="%{y}, %{x:.2f} s: %{z:.0f} % of joints<extra></extra>",
    )
    figure = go.Figure(heat)
    figure.update_xaxes(title="time (s)")
    figure.update_yaxes(autorange="reversed", type="category")
    return set_layout(figure, height=120 + 26 * len(shown))


def people_in_frame(tracks: Sequence[PoseSequence], frame: int) -> go.Figure:
    """Draw the 2D joints of all people in one frame, in image coordinates, one colour per person."""
    figure = go.Figure()
    for number, track in enumerate(tracks[:MAX_ROWS]):
        if frame >= len(track) or not track.is_observed[frame].any():
            continue
        points = track.keypoints_px[frame]
        gap = np.full(2, np.nan)
        lines = np.array([end for parent, child in BONES for end in (points[parent], points[child], gap)])
        figure.add_scatter(
            x=lines[:, 0],
            y=lines[:, 1],
            name=_short(track.name),
            mode="lines+markers",
            line={"width": 3, "color": PALETTE[number % len(PALETTE)]},
            marker={"size": 6},
            connectgaps=False,
            hoverinfo="name",
        )
    low, high = _extent(tracks)
    figure.update_xaxes(range=[low[0], high[0]], showgrid=False, zeroline=False, title="px")
    figure.update_yaxes(range=[high[1], low[1]], showgrid=False, zeroline=False, scaleanchor="x")  # y down
    return set_layout(figure, height=420).update_layout(legend_y=1.08)


def _extent(tracks: Sequence[PoseSequence]) -> tuple[np.ndarray, np.ndarray]:
    """Return left top and right bottom of the plot: the image where its size is known, else all joints of the clip."""
    if tracks[0].image_size is not None:
        return np.zeros(2), np.array(tracks[0].image_size, float)
    seen = np.concatenate([track.keypoints_px[track.is_observed] for track in tracks])
    if len(seen) == 0:
        return np.zeros(2), np.full(2, 100.0)
    low, high = np.percentile(seen, [0.5, 99.5], axis=0)
    margin = 0.1 * max(float((high - low).max()), 1.0)
    return low - margin, high + margin


def _heights_px(track: PoseSequence) -> np.ndarray:
    """Return the distance from the highest to the lowest joint of each frame; NaN where no joint was detected."""
    y = np.where(track.is_observed, track.keypoints_px[..., 1], np.nan)
    known = track.is_observed.any(1)
    heights = np.full(len(y), np.nan)
    heights[known] = np.nanmax(y[known], 1) - np.nanmin(y[known], 1)
    return heights


def _short(name: str) -> str:
    return name.rsplit(".", 1)[-1] if "." in name else name
