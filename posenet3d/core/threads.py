"""Run networks on one processor thread, and leave the setting of the host program as it was."""

import contextlib
import os
import threading
from collections.abc import Iterator

import torch

from posenet3d.errors import InputError

VARIABLE = "POSENET3D_THREADS"
"""Environment variable with another number of threads. `OMP_NUM_THREADS` is respected, too."""

_lock = threading.Lock()
_inside = threading.local()
_n_calls, _outside = 0, 1
"""Calls now running in all threads of Python, and the setting before the first of them."""


def wanted_threads() -> int | None:
    """Return the number of threads for a network; None leaves torch's own, which follows `OMP_NUM_THREADS`.

    One by default: these networks are so small that a second thread mostly waits. Where another program uses the other
    core, every parallel loop waits for it: lifting 230 frames took 25 s with two threads and 0.6 s with one.

    Raises:
        InputError: `POSENET3D_THREADS` is no positive whole number.
    """
    given = os.environ.get(VARIABLE)
    if not given:
        return None if os.environ.get("OMP_NUM_THREADS") else 1
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:6]) <= 1024):
        raise InputError(VARIABLE, f"is '{given[:20]}'", "set it to a number of threads from 1 to 1024")
    return int(given)


@contextlib.contextmanager
def network_threads() -> Iterator[None]:
    """Run the block, or the decorated function, on `wanted_threads` threads; restore the previous setting after it.

    Calls may be nested, and may run in several threads of Python at once: all of them restore the setting from before the
    first, because a thread that starts in the meantime takes over the temporary one.
    """
    global _n_calls, _outside
    wanted = wanted_threads()
    if wanted is None or getattr(_inside, "is_set", False):
        yield
        return
    with _lock:
        if _n_calls == 0:
            _outside = torch.get_num_threads()
        _n_calls += 1
        torch.set_num_threads(wanted)
    _inside.is_set = True
    try:
        yield
    finally:
        _inside.is_set = False
        with _lock:
            _n_calls -= 1
            torch.set_num_threads(_outside)
