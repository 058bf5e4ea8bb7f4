"""The export formats, one record each, and the functions that write them.

To add a format, write a module whose function takes a `Lifted` and returns an `Exported`, and add its record to
`EXPORT_FORMATS`. The command line and the app take their choices from there. Writers are imported when they are used, so
that ``--help`` is quick.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posenet3d.errors import InputError

if TYPE_CHECKING:
    from posenet3d.core.lifted import Lifted

AXIS_SYSTEMS = ("camera", "y_up", "z_up")
"""Names in `posenet3d.core.axes.AXES`, without importing NumPy."""

PLACING = {
    "floor": "Floor at the feet: its height is 0",
    "origin": "Person at the origin: the pelvis of the first frame stands over it",
}
"""Options that move the whole clip (`posenet3d.exports.placing`), with their descriptions; the default is the camera's frame."""


@dataclass(frozen=True)
class Exported:
    """The content of an exported file, with counts for the user.

    Attributes:
        content: the bytes of the file.
        n_held: frames without a person that repeat the pose of a neighbouring frame, because the format has no gaps.
        n_blank: frames without a person whose cells are empty.
        is_licensed: the file contains the mesh of an official SMPL body, so the licence of that body applies to it.
    """

    content: bytes
    n_held: int = 0
    n_blank: int = 0
    is_licensed: bool = False


@dataclass(frozen=True)
class ExportFormat:
    """A file format for lifted clips.

    Attributes:
        name: the value of ``--to``.
        suffix: the end of the file's name.
        writer: the function that makes the file, or ``module:function`` within `posenet3d.exports`. It takes a `Lifted`, or
            a list of them if `holds_all_clips`, and `options` as keywords; it returns an `Exported`.
        description: one line for the app: the format, its content and the programs that read it.
        needs_body: the format has rotations or a mesh, which only the student's clips have.
        holds_all_clips: the format has room for all clips of a lifted file.
        is_movie: the file is a rendered video.
        options: keywords of the writer that a user may set, and those of `PLACING` if the format places the clip in a scene.
    """

    name: str
    suffix: str
    writer: str | Callable[..., Exported]
    description: str
    needs_body: bool = False
    holds_all_clips: bool = False
    is_movie: bool = False
    options: tuple[str, ...] = ("axes",)

    def write(self, clips: Sequence[Lifted], **options: Any) -> Exported:
        """Call the writer; `clips` has one clip unless the format holds all clips."""
        writer = self.writer
        if isinstance(writer, str):
            module, _, function = writer.partition(":")
            writer = getattr(importlib.import_module(f"posenet3d.exports.{module}"), function)
        placing = {name: options.pop(name) for name in PLACING if name in options and name in self.options}
        if any(placing.values()):
            from posenet3d.exports.placing import placed

            clips = [placed(clip, **placing) for clip in clips]
        result: Exported = writer(list(clips) if self.holds_all_clips else clips[0], **options)
        return result


_SCENE = ("axes", *PLACING)
_BODY_SCENE = (*_SCENE, "body")
_MOVIE = ("beside", "labels", "size", "orbit", "progress", "is_cancelled")

EXPORT_FORMATS: tuple[ExportFormat, ...] = (
    ExportFormat(
        "amass", "_amass.npz", "amass:amass_npz",
        "AMASS-style npz: poses, betas, trans, frame rate; for research code", needs_body=True, options=_BODY_SCENE,
    ),
    ExportFormat(
        "bvh", ".bvh", "bvh:bvh_file",
        "BVH: skeleton and rotations; Blender, Maya, MotionBuilder, Unity", needs_body=True, options=_BODY_SCENE,
    ),
    ExportFormat(
        "gltf", ".glb", "gltf:glb_file",
        "glTF (.glb): the body, skinned and animated; Blender, web, Unity, Unreal", needs_body=True, options=_BODY_SCENE,
    ),
    ExportFormat("trc", ".trc", "trc:trc_file", "TRC: joint positions; OpenSim, biomechanics", options=_SCENE),
    ExportFormat("csv", ".csv", "csv_table:csv_table", "CSV: joint positions; spreadsheets, R", options=_SCENE),
    ExportFormat(
        "obj", ".obj", "obj:obj_file",
        "OBJ: the mesh of one frame; any 3D program", needs_body=True, options=("frame", *_BODY_SCENE),
    ),
    ExportFormat(
        "3dpw", ".pkl", "three_dpw:three_dpw_pickle",
        "3DPW's pickle: SMPL's joints and rotations; its challenge", needs_body=True, options=("axes", "body"),
    ),
    ExportFormat(
        "videopose3d", "_positions_3d.npz", "videopose3d:videopose3d_npz",
        "VideoPose3D's npz: positions_3d; research code", holds_all_clips=True,
    ),
    ExportFormat("mp4", ".mp4", "movie:mp4_file", "MP4: rendered video", is_movie=True, options=_MOVIE),
    ExportFormat("gif", ".gif", "movie:gif_file", "GIF: rendered video", is_movie=True, options=_MOVIE),
)  # fmt: skip


def export_format(name: str) -> ExportFormat:
    """Return the format with this name.

    Raises:
        InputError: there is none.
    """
    for one in EXPORT_FORMATS:
        if one.name == name:
            return one
    names = ", ".join(one.name for one in EXPORT_FORMATS)
    raise InputError(f"format '{name}'", "is not known", f"choose one of {names}")


def format_of_suffix(path: str | Path) -> ExportFormat:
    """Return the format that the end of a file's name stands for.

    Raises:
        InputError: it stands for none.
    """
    for one in EXPORT_FORMATS:
        if Path(path).name.lower().endswith(one.suffix):
            return one
    suffixes = ", ".join(one.suffix for one in EXPORT_FORMATS)
    raise InputError(path, "does not name a format", f"give --to or end OUT in {suffixes}")


def formats_as_markdown() -> str:
    """Return a Markdown table with a row per format."""
    rows = [f"| `{one.name}` | {one.suffix} | {one.description} |" for one in EXPORT_FORMATS]
    return "\n".join(["| `--to` | file name ends in | content |", "|---|---|---|", *rows, ""])


def export_clip(lifted: Lifted, format: str, **options: Any) -> Exported:
    """Return one clip as the content of a file.

    Args:
        lifted: the clip.
        format: name of the format.
        options: those of `ExportFormat.options`, such as ``axes="z_up"``; None stands for the format's default.

    Raises:
        InputError: an unknown format, an option that the format does not have, or as the writer.
    """
    chosen = export_format(format)
    return chosen.write([lifted], **_given(chosen, options))


def write_export(results: Sequence[Lifted], path: str | Path, format: str | None = None, **options: Any) -> Exported:
    """Write lifted clips to a file of another program's format, whole or not at all.

    Args:
        results: one clip; several for formats that hold all clips.
        path: of the file.
        format: name of the format; by default the end of `path` says it.
        options: as for `export_clip`.

    Raises:
        InputError: an unknown format, an option that the format does not have, several clips for a format of one, a path
            that cannot be written, or as the writer.
    """
    from posenet3d.io.atomic import atomic_write

    chosen = format_of_suffix(path) if format is None else export_format(format)
    given = _given(chosen, options)
    if chosen.is_movie and Path(path).suffix.lower() != chosen.suffix:  # players go by it
        raise InputError(path, f"is not the name of a {chosen.suffix}", f"end the name in {chosen.suffix}")
    if not results or (len(results) > 1 and not chosen.holds_all_clips):
        raise InputError(path, f"cannot hold {len(results)} clips as {chosen.name}", "give one clip")
    with atomic_write(path) as file:
        result = chosen.write(results, **given)
        file.write(result.content)
    return result


def _given(chosen: ExportFormat, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that are not None after checking that the format has them."""
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        formats = [one.name for one in EXPORT_FORMATS if name in one.options]
        if name not in chosen.options:
            problem = (
                f"is for {', '.join(formats)}, not for {chosen.name}" if formats else "is not an option of exports"
            )
            raise InputError(f"--{name}", problem, "leave it out")
    axes = given.get("axes", AXIS_SYSTEMS[0])
    if axes not in AXIS_SYSTEMS:
        raise InputError(f"axes '{axes}'", "are not known", f"choose one of {', '.join(AXIS_SYSTEMS)}")
    return given
