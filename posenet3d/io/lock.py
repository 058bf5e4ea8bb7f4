"""Lock files: one process (or thread) at a time does a piece of work; a lock ends with the process that holds it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from posenet3d.errors import InputError


@contextmanager
def locked(path: Path, work: str) -> Iterator[None]:
    """Hold the lock file while the block runs. The file stays; the operating system frees it even after ``kill -9``.

    Args:
        path: of the lock file; its folder is made.
        work: what must not be done twice at once, for the message: 'the installation of mediapipe'.

    Raises:
        InputError: another process or thread holds it, or the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise InputError(path, f"cannot be made ({error.strerror})", "check the folder's permissions") from error
    with file:
        try:
            _lock(file)
        except OSError as error:
            raise InputError(path, f"{work} is running already", "wait until it ends") from error
        yield


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
