"""Read data sets and motion-capture files, recognised by what lies at a path: 2D sequences, or 3D takes without cameras."""

from dataclasses import fields
from pathlib import Path

from posenet3d.errors import InputError
from posenet3d.io.datasets import formats
from posenet3d.io.datasets.data_format import Content, DataFormat, DataPath, ReadOptions


def read(path: Path, options: ReadOptions, format_name: str | None = None) -> Content:
    """Read everything at a path. In a folder of motion-capture files, damaged ones are left out.

    Args:
        path: a file or folder.
        options: what the files do not say.
        format_name: the name of one of `posenet3d.io.datasets.formats.FORMATS`; None recognises the format.

    Raises:
        InputError: no known format, all files damaged, or an option that is not for this format.
    """
    try:
        exists = path.exists()
    except OSError:  # a name longer than any
        exists = False
    if not exists:
        raise InputError(path, "there is no such file or folder", "check the path")
    chosen = formats.format_named(format_name or recognise(path))
    _check_options(options, chosen, path)
    return chosen.read(path, options)


def recognise(path: Path) -> str:
    """Return the name of the format of a path; '2d' if it is none of the others.

    Raises:
        InputError: it is a part of a data set, or of a format that is not read.
    """
    source = DataPath(path)
    for known in formats.FORMATS:
        if known.recognise(source):
            return known.name
    suffix = min(source.suffixes & formats.UNSUPPORTED.keys())
    problem, remedy = formats.UNSUPPORTED[suffix]
    if source.is_folder:
        raise InputError(path, f"holds {suffix} files", f"of a {suffix} file: {remedy}")
    raise InputError(path, problem, remedy)


def _check_options(options: ReadOptions, chosen: DataFormat, path: Path) -> None:
    """Refuse an option that the chosen format does not take."""
    for option in fields(options):
        if getattr(options, option.name) is not None and option.name not in chosen.options:
            takers = [known.name for known in formats.FORMATS if option.name in known.options]
            argument = f"--{option.name.replace('_', '-')}"
            problem = f"is for {' and '.join(takers)}, and {path} is read as {chosen.name}"
            raise InputError(argument, problem, "leave it out")
