"""Data sets that come as pickles (3DPW, AIST++), opened without running anything in them."""

from pathlib import Path
from typing import Any

from posenet3d.errors import InputError
from posenet3d.safe_pickle import UnsafePickle, plain, read_pickle


def load_pickle(path: Path, fields: tuple[str, ...]) -> dict[str, Any]:
    """These fields of the dictionary in a pickle, as far as it has them, their arrays opened; the others stay closed.

    Raises:
        InputError: it cannot be read, names anything but arrays, or has none of the fields.
    """
    try:
        content = read_pickle(path)
        content = {field: plain(content[field]) for field in fields if field in content}
    except UnsafePickle as error:
        raise InputError(path, f"is not usable: {error}", "give the file as it was downloaded") from error
    except OSError as error:
        raise InputError(path, "cannot be read", "check the path and its permissions") from error
    if not content:
        raise InputError(
            path, f"has no field {' or '.join(repr(f) for f in fields)}", "give the file as it was downloaded"
        )
    return content
