"""Write files atomically: to a temporary file beside the target, which is then renamed over it."""

import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from posenet3d.errors import InputError

_TEMPORARY = re.compile(r"\.(.+)\.[a-z0-9_]{8}")
"""Name of a temporary file: a dot, the name of the target, and what `tempfile.mkstemp` adds."""


@contextmanager
def atomic_write(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a binary file that replaces `path` when the block ends without an exception.

    Raises:
        InputError: the folder does not exist or cannot be written, the disk is full, or `path` is not a plain file,
            which the rename would replace (not a folder, but /dev/null).
    """
    path = Path(path)
    try:
        is_taken = path.exists() and not path.is_file()
        handle, temporary = (-1, "") if is_taken else tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise InputError(path, "cannot be written", "make its folder, or choose another one") from error
    if is_taken:
        raise InputError(path, "is not a plain file", "choose the name of a file")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp makes private files; results get the usual permissions
        Path(temporary).replace(path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InputError(
                path, f"cannot be written ({error.strerror})", "make room, or choose another place"
            ) from error
        raise


def check_target(out: Path, source: Path) -> None:
    """Check that a result can be written to a path, before the work instead of after it.

    Args:
        out: the file that is to be written.
        source: the input file.

    Raises:
        InputError: the folder does not exist, `out` is not a plain file, or it is the input.
    """
    try:
        if not out.parent.is_dir():
            raise InputError(out, "its folder does not exist", "make the folder first")
        if out.exists() and not out.is_file():
            raise InputError(out, "is not a plain file", "choose the name of a file")
        is_input = out.resolve() == source.resolve()
    except OSError as error:  # a folder that may not be entered, a name that is too long
        raise InputError(out, f"cannot be written ({error.strerror})", "choose another place or name") from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(out, "cannot be written (a zero byte in the name)", "choose another name") from error
    if is_input:
        raise InputError(out, "is the input itself", "choose another name for the output")


def remove_leftovers(folder: Path, names: Iterable[str]) -> list[Path]:
    """Remove the temporary files of `atomic_write` that a killed process left; no process may be writing there.

    Args:
        folder: in which to look; it need not exist.
        names: of the files that were being written.

    Returns:
        The removed files.
    """
    written = frozenset(names)
    removed = []
    try:
        for path in sorted(folder.iterdir()):
            match = _TEMPORARY.fullmatch(path.name)
            if match and match[1] in written and path.is_file():
                path.unlink()
                removed.append(path)
    except OSError:  # what cannot be removed only takes room
        pass
    return removed
