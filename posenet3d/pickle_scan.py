"""Scan a pickle before it is loaded: nothing in it may announce more than there is."""

import io
import pickletools
from collections.abc import Iterator
from typing import Any

MAX_OPERATIONS = 10**7
"""Steps of a pickle; arrays take a few, and every one may make an object of 64 bytes."""

_OPERATIONS = {operation.code: operation for operation in pickletools.opcodes}


class UnsafePickle(ValueError):  # noqa: N818  (its text is the reason)
    """The pickle names something outside the list, or is not built as NumPy, SciPy and chumpy build theirs."""


def check_lengths(content: bytes) -> None:
    """Check, without running a pickle, that nothing in it announces more than there is.

    The unpickler makes room for what is announced first: nine bytes with the memo index 250 million took 5 GB.

    Raises:
        UnsafePickle: a text, an array, a frame or a memo index goes beyond the data, or it has more than `MAX_OPERATIONS`.
        ValueError: by `pickletools`, for the same and for damaged data.
    """
    for count, (name, argument, position) in enumerate(_operations(io.BytesIO(content))):
        if count > MAX_OPERATIONS:
            raise UnsafePickle(f"it has more than {MAX_OPERATIONS} entries")
        if name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= int(argument) <= position:
            raise UnsafePickle("it numbers more objects than it holds")
        if name == "FRAME" and argument > len(content) - position:
            raise UnsafePickle("it is cut off")


def _operations(stream: io.BytesIO) -> Iterator[tuple[str, Any, int]]:
    """Yield name, argument and position of every operation of a pickle.

    As `pickletools.genops`, which refuses the strings of Python 2 with bytes beyond ASCII: lines are not decoded here.

    Raises:
        ValueError: an unknown operation, or an argument longer than the data.
    """
    name = ""
    while name != "STOP":
        position = stream.tell()
        operation = _OPERATIONS.get(stream.read(1).decode("latin1"))
        if operation is None:
            raise ValueError(f"no operation at {position}")
        name, argument = operation.name, None
        if operation.arg is not None and operation.arg.n == pickletools.UP_TO_NEWLINE:
            argument = b"".join(stream.readline() for _ in range(2 if name in ("GLOBAL", "INST") else 1))
            if not argument.endswith(b"\n"):
                raise ValueError(f"no end of the line at {position}")
        elif operation.arg is not None:
            argument = operation.arg.reader(stream)
        yield name, argument, position
