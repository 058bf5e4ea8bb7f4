"""Time of lifting beside busy programs, with one thread and with two, measured in one run on this machine."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from posenet3d.core.sequence import PoseSequence
from posenet3d.core.threads import VARIABLE
from posenet3d.lifting.lifter import SkeletonLifter


def neighbour_bench(lifter: SkeletonLifter, clip: PoseSequence, seconds: float) -> list[str]:
    """Time the lifting of one clip while all processor cores but one are busy, as beside a browser that plays a video.

    One thread and two alternate, so that both have the same machine load. The median wall time is reported, because the
    waiting is what is measured. A call with two threads may take many seconds, and at least one is made.

    Args:
        lifter: the teacher.
        clip: what is lifted.
        seconds: approximate duration.

    Returns:
        Lines to print.
    """
    n_busy = max((os.cpu_count() or 1) - 1, 1)
    with busy_neighbours(n_busy):
        one, two = (statistics.median(times) for times in _wall_times(lambda: lifter([clip]), (1, 2), seconds))
    return [
        f"with a busy neighbour on {n_busy} of {os.cpu_count()} cores, one thread     {1e3 * one:9.0f} ms for {len(clip)} frames",
        f"the same with two threads                              {1e3 * two:9.0f} ms",
        f"ratio, two threads to one                              {two / one:9.1f}",
    ]


@contextmanager
def busy_neighbours(count: int) -> Iterator[None]:
    """Keep `count` processes busy during the block."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _wall_times(call: Callable[[], object], threads: tuple[int, ...], seconds: float) -> list[list[float]]:
    """Return the wall times of the call with each number of threads; the setting and the environment are restored."""
    times: list[list[float]] = [[] for _ in threads]
    before, setting = os.environ.get(VARIABLE), torch.get_num_threads()
    deadline = time.monotonic() + seconds
    try:
        while not times[0] or time.monotonic() < deadline:
            for own, count in zip(times, threads, strict=True):
                os.environ[VARIABLE] = str(count)
                began = time.monotonic()
                call()
                own.append(time.monotonic() - began)
    finally:
        torch.set_num_threads(setting)
        os.environ.pop(VARIABLE, None)
        if before is not None:
            os.environ[VARIABLE] = before
    return times
