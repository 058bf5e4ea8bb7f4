"""``posenet3d export``: one clip of a lifted file, written for another program, or filmed."""

import argparse
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

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
from posenet3d.io.atomic import atomic_write
from posenet3d.io.lifted_npz import read_lifted

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


def export(options: argparse.Namespace) -> None:
    """Write one clip of `options.lifted` as `options.to`.

    Args:
        options: `lifted` (path), `to` (a key of `FORMATS`, one of `FILMS`, or None if the ending of `out` says it), `out`
            (path or None), `clip` and `frame` (counted from 0, or None), `axes` (a name in `AXES`, or None for the format's
            own); for films `beside` (another lifted file whose clip is shown beside this one, or None).

    Raises:
        InputError: the file, the clip or the frame cannot be used, or the target cannot be written.
    """
    options.to = options.to or _format_of(options.out)
    if options.to in FILMS:
        return _film(options)
    if getattr(options, "beside", None) is not None:
        raise InputError("--beside", f"is for films, not for {options.to}", "leave it out")
    clips = read_lifted(options.lifted)
    if options.to in WHOLE and options.clip is None:
        result, what = WHOLE[options.to][0](clips, **_axes(options)), f"{len(clips)} clip(s)"
    else:
        clip = _chosen(clips, options.clip, options.lifted)
        result, what = export_clip(clip, options.to, axes=options.axes, frame=options.frame), repr(clip.name)
    out = options.out or options.lifted.with_name(options.lifted.stem + (FORMATS | WHOLE)[options.to][1])
    if out.resolve() == options.lifted.resolve():
        raise InputError(out, "is the input itself", "choose another name for the output")
    with atomic_write(out) as file:
        file.write(result.content)
    tqdm.write(f"{out}: {options.to} of {what}{_notes(result)}")


def _axes(options: argparse.Namespace) -> dict[str, str]:
    if options.frame is not None:
        raise InputError("--frame", f"is for obj, {options.to} has all frames", "leave it out")
    return {} if options.axes is None else {"axes": options.axes}


def _format_of(out: Path | None) -> str:
    endings = {ending: name for name, (_, ending) in (FORMATS | WHOLE).items()} | {f".{name}": name for name in FILMS}
    for ending, name in endings.items():
        if out is not None and out.name.lower().endswith(ending):
            return name
    raise InputError(
        out or "--to", "does not say which format to write", f"give --to or end OUT in {', '.join(endings)}"
    )


def _film(options: argparse.Namespace) -> None:
    from posenet3d.exports.movie import Panel, write_movie

    for name in ("frame", "axes"):
        if getattr(options, name) is not None:
            raise InputError(f"--{name}", "is not for films", "leave it out")
    out = options.out or options.lifted.with_suffix(f".{options.to}")
    if out.suffix.lower() != f".{options.to}":
        raise InputError(out, f"is not the name of a .{options.to}", "let its ending be that of the format")
    paths = [options.lifted] if options.beside is None else [options.lifted, options.beside]
    clips = [_chosen(read_lifted(path), options.clip, path) for path in paths]
    labels = [clips[0].name] if options.beside is None else [path.stem for path in paths]
    panels = [Panel(label, clip) for label, clip in zip(labels, clips, strict=True)]
    with tqdm(total=1.0, desc="film", bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}") as bar:
        write_movie(out, panels, progress=lambda share: bar.update(share - bar.n))
    tqdm.write(f"{out}: film of {clips[0].name!r}")


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


def _chosen(clips: list[Lifted], number: int | None, path: Path) -> Lifted:
    if number is None and len(clips) > 1:
        raise InputError(path, f"holds {len(clips)} clips", f"choose one with --clip 0 to {len(clips) - 1}")
    if number is not None and not 0 <= number < len(clips):
        raise InputError(f"--clip {number}", f"is not in {path}", f"give 0 to {len(clips) - 1}")
    return clips[number or 0]


def _notes(result: Exported) -> str:
    notes = {
        f", frames without a person: {result.n_held}, they hold a neighbouring pose": result.n_held,
        f", frames without a person: {result.n_blank}, left blank": result.n_blank,
        "; it contains the mesh of a licensed body, share it only as that licence allows": result.is_licensed,
    }
    return "".join(note for note, applies in notes.items() if applies)
