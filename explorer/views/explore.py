"""Explore: 3D beside 2D over time, with the error map and the smoothness curve under them."""

import streamlit as st

from explorer import resources, sidebar
from explorer.tables import frame_table
from explorer.viewer import viewer

choice = sidebar.chosen()
sequence = choice.sequence


@st.fragment  # a scrub reruns this part only
def viewer_and_numbers() -> None:
    """The viewer, and the numbers of the frame on which it rests."""
    frame = viewer(resources.payload(choice.key, sequence, choice.lifted))
    with st.expander(f"Numbers of frame {frame}"):
        st.dataframe(frame_table(sequence, choice.lifted, frame), hide_index=True, width="stretch", height=633)


viewer_and_numbers()
