"""The formats of exports by name."""

from collections.abc import Callable

from posenet3d.core.lifted import Lifted
from posenet3d.errors import InputError
from posenet3d.exports.amass import amass_npz
from posenet3d.exports.bvh import bvh_file
from posenet3d.exports.csv_table import csv_table
from posenet3d.exports.gltf import glb_file
from posenet3d.exports.motion import AXES, Exported
from posenet3d.exports.obj import obj_file
from posenet3d.exports.three_dpw import three_dpw_pickle
from posenet3d.exports.trc import trc_file
from posenet3d.exports.videopose3d import videopose3d_npz

FORMATS: dict[str, tuple[Callable[..., Exported], str]] = {
    "amass": (amass_npz, "_amass.npz"),
    "bvh": (bvh_file, ".bvh"),
    "gltf": (glb_file, ".glb"),
    "trc": (trc_file, ".trc"),
    "csv": (csv_table, ".csv"),
    "obj": (obj_file, ".obj"),
    "3dpw": (three_dpw_pickle, ".pkl"),
}
"""Format to its exporter and the ending of the file it is written to by default."""

WHOLE: dict[str, tuple[Callable[..., Exported], str]] = {"videopose3d": (videopose3d_npz, "_positions_3d.npz")}
"""Formats that take all clips of a file together."""

FILMS = ("mp4", "gif")
"""Formats that are drawn, by `posenet3d.exports.movie`."""


def export_clip(clip: Lifted, format_name: str, *, axes: str | None = None, frame: int | None = None) -> Exported:
    """One clip in one format.

    Args:
        clip: what to export.
        format_name: a key of `FORMATS` or of `WHOLE`.
        axes: a name in `AXES`; the format's own if None.
        frame: which frame, for obj.

    Raises:
        InputError: an unknown format or axes, a frame for a format of whole clips, or as the exporter.
    """
    if format_name not in FORMATS | WHOLE:
        raise InputError(f"format '{format_name}'", "is not known", f"choose one of {', '.join(FORMATS | WHOLE)}")
    if axes is not None and axes not in AXES:
        raise InputError(f"axes '{axes}'", "are not known", f"choose one of {', '.join(AXES)}")
    if frame is not None and format_name != "obj":
        raise InputError("--frame", f"is for obj, {format_name} has all frames", "leave it out")
    chosen = {key: value for key, value in (("axes", axes), ("frame", frame)) if value is not None}
    if format_name in WHOLE:
        return WHOLE[format_name][0]([clip], **chosen)
    return FORMATS[format_name][0](clip, **chosen)
