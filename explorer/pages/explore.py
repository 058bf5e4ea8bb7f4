"""Explore: one or two results in 3D, the 2D joints, the error map and the acceleration curves, over time."""

import streamlit as st

from explorer import cache, session, sidebar
from explorer.compare.tables import frame_table
from explorer.markdown import as_text
from explorer.viewer import viewer

MAX_DIGITS = 9  # of a frame's number in the address; Python refuses to read numbers of thousands of digits

choice = sidebar.chosen()
sequence, candidates = choice.sequence, choice.candidates


def first_frame() -> int:
    """Return the frame to start with: the address bar's (a shared link), else the one at which this clip was left."""
    clip = cache.content_key(sequence)
    linked = st.query_params.get("frame", "")
    is_of_clip = session.EXPLORED_CLIP.get() in ("", clip)  # the address may still hold the frame of another clip
    is_number = linked.isdecimal() and len(linked) <= MAX_DIGITS
    frame = int(linked) if is_number and is_of_clip else session.remembered_frame(clip)
    session.EXPLORED_CLIP.set(clip)
    return frame if frame < len(sequence) else 0


@st.fragment  # a scrub reruns this part only
def viewer_and_numbers() -> None:
    """Draw the viewer, and the numbers of its frame."""
    frame = viewer(cache.payload(sequence, candidates), first_frame(), choice.video)
    st.query_params["frame"] = str(frame)
    session.remember_frame(cache.content_key(sequence), frame)
    with st.expander(f"Numbers of frame {frame}"):
        for column, candidate in zip(st.columns(len(candidates)), candidates, strict=True):
            column.markdown(f"**{as_text(candidate.label)}**")
            column.dataframe(
                frame_table(sequence, candidate.lifted, frame), hide_index=True, width="stretch", height=633
            )


viewer_and_numbers()
