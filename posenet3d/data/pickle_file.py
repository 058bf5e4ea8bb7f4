"""Data sets that come as pickles (3DPW, AIST++), opened without running anything in them."""

from pathlib import Path
from typing import Any

from posenet3d.errors import InputError
from posenet3d.safe_pickle import UnsafePickle, plain, read_pickle


def load_pickle(path: Path, needed: tuple[str, ...]) -> dict[str, Any]:
    """The dictionary in a pickle, its arrays opened.

    Raises:
        InputError: it cannot be read, names anything but arrays, or lacks a field.
    """
    try:
        content = plain(read_pickle(path))
    except UnsafePickle as error:
        raise InputError(path, f"is not usable: {error}", "give the file as it was downloaded") from error
    except OSError as error:
        raise InputError(path, "cannot be read", "check the path and its permissions") from error
    missing = [field for field in needed if field not in content]
    if missing:
        raise InputError(path, f"field '{missing[0]}' is missing", "give the file as it was downloaded")
    return content
