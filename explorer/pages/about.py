"""About: how to read the pages, keys of the viewer, model cards, and the metrics."""

from pathlib import Path

import pandas as pd
import streamlit as st

from explorer import sidebar
from explorer.markdown import as_text, without_pictures
from posenet3d.evaluation.metrics import METRICS

KEYS = """
| key | action |
|---|---|
| `space` | play, pause |
| `←` `→` | one frame back, forward; with `shift` ten |
| `home` `end` | first, last frame |
| `w` | worst frame |
| `[` `]` | previous, next worst moment |
| `o` | side by side, overlaid |
| `m` | body and skeleton, body only, skeleton only |
| `c` | colours: left and right, error map, one per result |
| `t` | trails of hands, feet and head |
| `r` | reset the view |
| `s` | save an image |
| `f` | full screen |

In the 3D view: drag to orbit, right-drag (two fingers) to pan, wheel (pinch) to zoom. Click or drag on the error map or
the curves to go to a frame. Keys and wheel work after a click into the viewer.
"""

READING = """
The 3D skeleton is in the **camera's frame**, seen first from the camera's side. Blue is the person's **left** side,
orange the **right** side, green the middle. A **faded** joint was not detected in 2D: the model filled it in.
In the 2D view opacity is the detector's confidence; the dashed figure is the 3D skeleton projected back.

In the **error map** each row is a joint and each column a frame. Bright colours are large errors; grey means no value.
Triangles above it mark the worst moments. The **curves** below it are the mean acceleration of the body: where a result's
curve is much rougher than the reference, the result shakes; where it is much flatter, real motion was smoothed away.
"""

MAX_CARD_BYTES = 200_000


def model_card(folder: Path) -> str:
    """Return the model card of a checkpoint, without its pictures."""
    card = folder / "README.md"
    try:
        if not card.is_file():
            return "This checkpoint has no model card."
        with card.open("rb") as file:
            text = file.read(MAX_CARD_BYTES).decode(errors="replace")
    except OSError:
        return "The model card of this checkpoint cannot be read."
    return without_pictures(text)


choice = sidebar.chosen()
cards = {
    candidate.source.checkpoint: candidate.source.folder
    for candidate in choice.candidates
    if candidate.source is not None
}
left, right = st.columns(2, gap="large")
with left:
    st.subheader("How to read the pages")
    st.markdown(READING)
    st.subheader("Keys")
    st.markdown(KEYS)
with right:
    for name, folder in cards.items():
        st.subheader(f"Checkpoint: {as_text(name)}")
        with st.container(border=True, height=640 // len(cards)):
            st.markdown(model_card(folder))
st.subheader("What the numbers mean")
rows = [{"name": m.label, "unit": m.unit, "meaning": m.description} for m in METRICS]
st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", height=(len(rows) + 1) * 35 + 3)
