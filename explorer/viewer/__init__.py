"""The 3D viewer: a Streamlit component of our own, built from `src/` and three.js by `npm ci && npm run build`.

The script goes inline into the page. Streamlit can also serve it as a packaged asset, but finds one only through
package metadata, which is missing when the app is run from a checkout. The price is that the 600 kB are sent again
whenever the clip changes (never while scrubbing or playing).
"""

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from explorer import session

if TYPE_CHECKING:  # payload.py is in this package
    from explorer.browser_video import BrowserVideo
    from explorer.viewer.payload import ViewerPayload

BUNDLE = Path(__file__).parent / "dist" / "viewer.js"

_mount = st.components.v2.component("posenet3d_viewer", js=BUNDLE.read_text(encoding="utf-8"))


def viewer(payload: "ViewerPayload", start: int = 0, video: "BrowserVideo | None" = None, key: str = "viewer") -> int:
    """Show a clip from frame `start` on, with a video behind the joints if there is one.

    Returns:
        The frame at which the viewer is. Python learns of it on pause and after a scrub, not while playing.
    """
    if video is not None:
        payload = payload.with_video(video)
    session.start_viewer(key, payload.id, start)
    result = _mount(key=key, data=payload.to_component(), default={"frame": start}, on_frame_change=lambda: None)
    return min(max(int(result.frame or 0), 0), payload.meta["frames"] - 1)
