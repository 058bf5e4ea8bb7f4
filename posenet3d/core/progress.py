"""Progress of long work: one callback type, told the share that is done."""

from collections.abc import Callable

OnProgress = Callable[[float], None]
"""Told the share done, from 0 to 1 and never falling. An exception raised in it stops the work."""


def no_progress(done: float) -> None:
    """Ignore progress."""


def part(progress: OnProgress, start: float, stop: float) -> OnProgress:
    """Return a callback for a part of the work: its 0 is `start` of the whole, its 1 is `stop`."""
    return lambda done: progress(stop if done >= 1 else start + (stop - start) * done)
