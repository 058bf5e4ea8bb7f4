"""``posenet3d export``: write a lifted clip in another program's format, or as a rendered video."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from posenet3d.errors import InputError
from posenet3d.exports import formats

if TYPE_CHECKING:
    from posenet3d.cli import Commands
    from posenet3d.core.lifted import Lifted


def add(commands: Commands) -> None:
    """Add the command ``export``."""
    names = [one.name for one in formats.EXPORT_FORMATS]
    descriptions = "\n".join(f"  {one.name:<12} {one.description}" for one in formats.EXPORT_FORMATS)
    export = commands.add_parser(
        "export",
        help=f"write a lifted clip for other programs: {', '.join(names)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"formats:\n{descriptions}",
    )
    export.add_argument("lifted", type=Path, metavar="LIFTED.npz", help="written by 'lift'")
    export.add_argument("--to", choices=names, help="the format (default: by the suffix of OUT)")
    export.add_argument("-o", "--out", type=Path, metavar="OUT", help="default: beside the input, with its name")
    export.add_argument("--clip", type=int, metavar="N", help="which clip, from 0 (needed where there are several)")
    export.add_argument(
        "--frame", type=int, metavar="N", help="obj: which frame, from 0 (default: first with a person)"
    )
    export.add_argument("--axes", choices=formats.AXIS_SYSTEMS, help="default: the format's own")
    for name, description in formats.PLACING.items():
        of_formats = ", ".join(one.name for one in formats.EXPORT_FORMATS if name in one.options)
        export.add_argument(f"--{name}", action="store_true", default=None, help=f"{of_formats}: {_lower(description)}")
    export.add_argument(
        "--beside", type=Path, metavar="OTHER.npz", help="mp4, gif: another result of the clip, shown beside it"
    )
    export.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write one clip of a lifted file, or all clips where the format holds them.

    Raises:
        InputError: the file, the clip or an option cannot be used, or the output cannot be written.
    """
    from tqdm import tqdm

    from posenet3d.io.lifted_npz import read_lifted

    chosen = _format(options)
    out = options.out or options.lifted.with_name(options.lifted.stem + chosen.suffix)
    if out.resolve() == options.lifted.resolve():
        raise InputError(out, "is the input itself", "choose another name for the output")
    clips = read_lifted(options.lifted)
    if chosen.holds_all_clips and options.clip is None:
        content = f"{len(clips)} clip(s)"
    else:
        clips = [_choose(clips, options.clip, options.lifted)]
        content = repr(clips[0].name)
    placing = {name: getattr(options, name) for name in formats.PLACING}
    more = {"axes": options.axes, "frame": options.frame, **placing, **_beside(options)}
    bar_format = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
    with tqdm(total=1.0, desc="render", bar_format=bar_format, disable=not chosen.is_movie) as bar:
        if chosen.is_movie:
            more["progress"] = lambda share: bar.update(share - bar.n)
        result = formats.write_export(clips, out, chosen.name, **more)
    tqdm.write(f"{out}: {chosen.name} of {content}{_notes(result)}")


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _format(options: argparse.Namespace) -> formats.ExportFormat:
    if options.to is not None:
        return formats.export_format(options.to)
    if options.out is None:
        suffixes = ", ".join(one.suffix for one in formats.EXPORT_FORMATS)
        raise InputError("--to", "is missing", f"give --to or end OUT in {suffixes}")
    return formats.format_of_suffix(options.out)


def _beside(options: argparse.Namespace) -> dict[str, object]:
    """Return the options of a video with two results, which the names of their files tell apart."""
    from posenet3d.io.lifted_npz import read_lifted

    if options.beside is None:
        return {}
    other = _choose(read_lifted(options.beside), options.clip, options.beside)
    return {"beside": other, "labels": [options.lifted.stem, options.beside.stem]}


def _choose(clips: list[Lifted], number: int | None, path: Path) -> Lifted:
    if number is None and len(clips) > 1:
        raise InputError(path, f"holds {len(clips)} clips", f"choose one with --clip 0 to {len(clips) - 1}")
    if number is not None and not 0 <= number < len(clips):
        raise InputError(f"--clip {number}", f"is not in {path}", f"give 0 to {len(clips) - 1}")
    return clips[number or 0]


def _notes(result: formats.Exported) -> str:
    notes = {
        f", frames without a person: {result.n_held}, they repeat a neighbouring pose": result.n_held,
        f", frames without a person: {result.n_blank}, left blank": result.n_blank,
        "; it contains the mesh of a licensed body, share it only as that licence allows": result.is_licensed,
    }
    return "".join(note for note, applies in notes.items() if applies)
