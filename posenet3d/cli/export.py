"""``posenet3d export``: one clip of a lifted file, written for another program, or filmed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from posenet3d.errors import InputError

if TYPE_CHECKING:
    from posenet3d.cli import Commands
    from posenet3d.core.lifted import Lifted
    from posenet3d.exports.motion import Exported


def add(commands: Commands) -> None:
    """Add the command ``export``."""
    export = commands.add_parser(
        "export", help="a lifted clip as AMASS, BVH, glTF, TRC, CSV, OBJ, 3DPW or film; all clips as VideoPose3D"
    )
    export.add_argument("lifted", type=Path, metavar="LIFTED.npz", help="written by 'lift'")
    formats = ["amass", "bvh", "gltf", "trc", "csv", "obj", "videopose3d", "3dpw", "mp4", "gif"]
    export.add_argument("--to", choices=formats, help="the format (default: as OUT ends)")
    export.add_argument("-o", "--out", type=Path, metavar="OUT", help="default: beside the input, with its name")
    export.add_argument("--clip", type=int, metavar="N", help="which clip, from 0 (needed where there are several)")
    export.add_argument(
        "--frame", type=int, metavar="N", help="obj: which frame, from 0 (default: first with a person)"
    )
    export.add_argument("--axes", choices=["camera", "y_up", "z_up"], help="default: the format's own")
    export.add_argument(
        "--beside", type=Path, metavar="OTHER.npz", help="mp4, gif: another lifting of the clip, shown beside it"
    )
    export.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write one clip of `options.lifted` as `options.to`.

    Args:
        options: `lifted` (path), `to` (a key of `FORMATS`, one of `FILMS`, or None if the ending of `out` says it), `out`
            (path or None), `clip` and `frame` (counted from 0, or None), `axes` (a name in `AXES`, or None for the format's
            own); for films `beside` (another lifted file whose clip is shown beside this one, or None).

    Raises:
        InputError: the file, the clip or the frame cannot be used, or the target cannot be written.
    """
    from tqdm import tqdm

    from posenet3d.exports.formats import FILMS, FORMATS, WHOLE, export_clip
    from posenet3d.io.atomic import atomic_write
    from posenet3d.io.lifted_npz import read_lifted

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
    from posenet3d.exports.formats import FILMS, FORMATS, WHOLE

    endings = {ending: name for name, (_, ending) in (FORMATS | WHOLE).items()} | {f".{name}": name for name in FILMS}
    for ending, name in endings.items():
        if out is not None and out.name.lower().endswith(ending):
            return name
    raise InputError(
        out or "--to", "does not say which format to write", f"give --to or end OUT in {', '.join(endings)}"
    )


def _film(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from posenet3d.exports.movie import Panel, write_movie
    from posenet3d.io.lifted_npz import read_lifted

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
