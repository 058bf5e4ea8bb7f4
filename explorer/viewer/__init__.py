"""The viewer: one Streamlit component of our own, built from `src/` and three.js by `npm ci && npm run build`.

The script goes inline into the page. Streamlit can also serve it as a packaged asset, but finds one only through
package metadata, which is not there when the app is run from a checkout; the price is that the 600 kB travel again
whenever the clip changes (never while scrubbing or playing).
"""

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from explorer.browser_video import Backdrop

BUNDLE = Path(__file__).parent / "dist" / "viewer.js"

_mount = st.components.v2.component("posenet3d_viewer", js=BUNDLE.read_text(encoding="utf-8"))


def viewer(data: dict[str, Any], start: int = 0, video: Backdrop | None = None, key: str = "viewer") -> int:
    """Show `explorer.viewer.payload.payload` from frame `start` on, over its video; returns the frame that it rests on.

    The frame reaches Python on pause and after a scrub, not while playing.
    """
    if video is not None:
        words = {"size": list(video.film.size), "fps": video.fps}
        meta = {**data["meta"], "id": f"{data['meta']['id']} {hash(video.content)}", "video": words}
        data = {**data, "meta": meta, "video": np.frombuffer(video.content, np.uint8)}
    clip = f"{key} of"
    if st.session_state.get(clip) != data["meta"]["id"]:
        st.session_state[clip] = data["meta"]["id"]
        st.session_state[key] = {"frame": start}
    result = _mount(key=key, data=data, default={"frame": start}, on_frame_change=lambda: None)
    return min(max(int(result.frame or 0), 0), data["meta"]["frames"] - 1)
