"""All formats of 2D keypoint files that can be read, and the help texts that follow from the list.

To add a format, write one module with a `KeypointFormat` and add it to `FORMATS`; the reader, the error messages and the
explorer's upload follow.
"""

from posenet3d.io.keypoints import (
    alphapose,
    coco,
    csv_table,
    framewise_json,
    hdf5,
    mmpose,
    numpy_array,
    openpose,
    packed,
    tables,
    ultralytics,
    videopose3d,
)
from posenet3d.io.keypoints.keypoint_format import KeypointFormat

FORMATS: tuple[KeypointFormat, ...] = (
    ultralytics.LABELS,
    framewise_json.JSON_LINES,  # before those that parse the whole file as JSON
    openpose.FORMAT,
    coco.FORMAT,
    mmpose.FORMAT,
    ultralytics.RESULTS,
    framewise_json.KINETICS,
    framewise_json.CONTROLNET,
    framewise_json.EASY_VITPOSE,
    framewise_json.LABEL_STUDIO,
    framewise_json.ALPHAPOSE_FRAMES,
    framewise_json.OPENPIFPAF,
    alphapose.FORMAT,
    tables.FORMAT,
    csv_table.FORMAT,
    videopose3d.CUSTOM,
    videopose3d.DETECTRON,
    packed.FORMAT,
    numpy_array.FORMAT,
    hdf5.FORMAT,
)
"""The first format that recognises a file reads it."""


def accepted_suffixes() -> tuple[str, ...]:
    """Return every suffix of a format, with its dot, each once."""
    return tuple(dict.fromkeys(suffix for known in FORMATS for suffix in known.suffixes))


def describe_formats(suffix: str | None = None) -> str:
    """Return the names of the formats with their suffixes in one line.

    Args:
        suffix: only formats with this suffix; all if None.
    """
    chosen = [known for known in FORMATS if suffix is None or suffix in known.suffixes]
    names = [f"{known.name} ({', '.join(known.suffixes)})" for known in chosen]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def formats_as_markdown() -> str:
    """Return a Markdown list with the description of every format."""
    return "\n".join(f"- **{known.name}**: {known.description}" for known in FORMATS)
