"""A comparison as one HTML file that opens from disk: the viewer's script with the clip inside, nothing fetched."""

import base64
import gzip
import html
import json

import numpy as np

from explorer.charts.style import PALETTE, PALETTE_DARK
from explorer.viewer import BUNDLE
from explorer.viewer.payload import ViewerPayload

TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ --st-background-color: #fff; --st-secondary-background-color: #f4f5f7; --st-text-color: #262730;
  --st-border-color: #d0d3d9; --st-primary-color: {light}; --st-font: system-ui, sans-serif; color-scheme: light dark; }}
@media (prefers-color-scheme: dark) {{ :root {{ --st-background-color: #0e1117; --st-secondary-background-color: #1c1f27;
  --st-text-color: #fafafa; --st-border-color: #3d4149; --st-primary-color: {dark}; }} }}
body {{ margin: 1rem clamp(0.5rem, 2vw, 2rem); background: var(--st-background-color); color: var(--st-text-color); }}
</style>
</head>
<body>
<script type="application/json" id="posenet3d-clip">{clip}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def standalone_page(payload: ViewerPayload) -> bytes:
    """Return the HTML file of a comparison.

    All arrays go end to end into one compressed block; their names, types and lengths are listed in front of it.
    """
    arrays = payload.arrays
    # Four-byte values first, then two, then one: each array starts where its type may start.
    order = sorted(arrays, key=lambda name: -arrays[name].itemsize)
    block = b"".join(
        np.ascontiguousarray(arrays[name], arrays[name].dtype.newbyteorder("<")).tobytes() for name in order
    )
    clip = {
        "meta": payload.meta,
        "arrays": [[name, arrays[name].dtype.str[1:], arrays[name].size] for name in order],
        "block": base64.b64encode(gzip.compress(block, mtime=0)).decode(),
    }
    return TEMPLATE.format(
        title=html.escape(f"{payload.meta['name']} - PoseNet3D Explorer"),
        light=PALETTE[0],
        dark=PALETTE_DARK[0],
        clip=json.dumps(clip).replace("<", "\\u003c"),  # no text of a clip can end the script element
        script=BUNDLE.read_text(encoding="utf-8").replace("</script", "<\\/script"),
    ).encode()
