"""Explore: two answers in 3D beside the 2D over time, with the error map and the smoothness curves under them."""

import streamlit as st

from explorer import cache, sidebar
from explorer.compare.tables import frame_table
from explorer.viewer import viewer

choice = sidebar.chosen()
sequence, actors = choice.sequence, choice.actors


def first_frame() -> int:
    """The frame to start with: the address's (a shared link, a click on another page), else where this clip was left."""
    clip = cache.content_key(sequence)
    wanted = st.query_params.get("frame", "")
    frame = (
        int(wanted) if wanted.isdecimal() and st.session_state.get("clip", clip) == clip else sidebar.left_at(sequence)
    )
    st.session_state["clip"] = clip
    return frame if frame < len(sequence) else 0


@st.fragment  # a scrub reruns this part only
def viewer_and_numbers() -> None:
    """The viewer, and the numbers of the frame on which it rests."""
    frame = viewer(cache.payload(sequence, actors), first_frame(), choice.video)
    st.query_params["frame"] = str(frame)
    sidebar.leave_at(sequence, frame)
    with st.expander(f"Numbers of frame {frame}"):
        for column, actor in zip(st.columns(len(actors)), actors, strict=True):
            column.markdown(f"**{actor.label}**")
            column.dataframe(frame_table(sequence, actor.lifted, frame), hide_index=True, width="stretch", height=633)


viewer_and_numbers()
