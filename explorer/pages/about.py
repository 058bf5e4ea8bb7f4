"""About: the checkpoint's model card, what the numbers mean, and the keys."""

import pandas as pd
import streamlit as st

from explorer import sidebar
from posenet3d.evaluation.metrics import METRICS

KEYS = """
| key | does |
|---|---|
| `space` | play, pause |
| `←` `→` | one frame back, forward; with `shift` ten |
| `home` `end` | first, last frame |
| `w` | the worst frame |
| `[` `]` | the worst moment before, after this one |
| `o` | side by side, overlaid |
| `m` | body and skeleton, body, skeleton |
| `c` | colours: left and right, as in the map, one for each |
| `t` | trails of hands, feet and head |
| `r` | back to the first view |
| `s` | save the picture |
| `f` | full screen |

In the 3D view: drag to orbit, right-drag (two fingers) to pan, wheel (pinch) to zoom. Click or drag on the error map or
the curve to go there. Keys and wheel work after a click into the viewer.
"""

READING = """
The 3D skeleton is in the **camera's frame**, seen first from the camera's side. Blue is the person's **left**,
orange the **right**, green the middle. A **faded** joint was not seen by the 2D detector: the model filled it in.
In the 2D view opacity is the detector's confidence, and the dashed figure is the lifted skeleton projected back.

In the **error map** each row is a joint and each column a frame; bright is bad, grey means that there is no value.
Triangles above it mark the worst moments. The **curve** under it is the mean acceleration of the body: where the lifted
curve is much rougher than the reference, the result shakes; where it is much flatter, real motion was smoothed away.
"""

choice = sidebar.chosen()
cards = {actor.source.checkpoint: actor.source.folder for actor in choice.actors if actor.source is not None}
left, right = st.columns(2, gap="large")
with left:
    st.subheader("How to read the pages")
    st.markdown(READING)
    st.subheader("Keys")
    st.markdown(KEYS)
with right:
    for name, folder in cards.items():
        st.subheader(f"Checkpoint: {name}")
        card = folder / "README.md"
        text = card.read_text(encoding="utf-8") if card.exists() else "This checkpoint has no model card."
        with st.container(border=True, height=640 // len(cards)):
            st.markdown(text)
st.subheader("What the numbers mean")
rows = [{"name": m.label, "unit": m.unit, "measured": m.description} for m in METRICS]
st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", height=(len(rows) + 1) * 35 + 3)
