"""Videos made by the tests."""

import io
from fractions import Fraction

import av
import numpy as np

LEVELS = list(range(20, 220, 5))  # 40 frames


def grey_video(levels: list[int], size: tuple[int, int] = (64, 48), fps: int = 30, codec: str = "libx264") -> bytes:
    """A video of pictures that are one grey each."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as out:
        stream = out.add_stream(codec, rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for level in levels:
            pixels = np.full((size[1], size[0], 3), level, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode())
    return target.getvalue()
