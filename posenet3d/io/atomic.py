"""Write files atomically: to a temporary file beside the target, which is then renamed over it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from posenet3d.errors import InputError


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
    if not out.parent.is_dir():
        raise InputError(out, "its folder does not exist", "make the folder first")
    if out.exists() and not out.is_file():
        raise InputError(out, "is not a plain file", "choose the name of a file")
    if out.resolve() == source.resolve():
        raise InputError(out, "is the input itself", "choose another name for the output")
