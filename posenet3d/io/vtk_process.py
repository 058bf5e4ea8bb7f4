"""Run a VTK renderer in a subprocess, because VTK aborts its process if OpenGL is missing."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import posenet3d
from posenet3d.errors import InputError

ROOT = Path(posenet3d.__file__).parents[1]
"""The folder that contains the package `posenet3d`: the working directory of the worker, which need not be installed."""


def no_opengl(what: str) -> InputError:
    """Return the error that `what` cannot be rendered without OpenGL."""
    remedy = "install it (Debian, Ubuntu: apt-get install libegl1 libgl1-mesa-dri) and start again"
    return InputError(what, "it cannot be drawn here, because VTK finds no OpenGL", remedy)


@contextmanager
def drawn_by(command: Sequence[str], what: str) -> Iterator[Callable[[int], bytes]]:
    """Run a worker and yield a function that reads a number of bytes of its output; the worker ends with the block.

    Args:
        command: of the worker.
        what: the thing that is rendered, for the error.

    Raises:
        InputError: from the yielded function, if VTK found no OpenGL.
        RuntimeError: from the yielded function, if the worker ended early for another reason; with its stderr.
    """
    with tempfile.TemporaryFile() as errors:
        worker = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors)
        out = worker.stdout
        assert out is not None

        def read(count: int) -> bytes:
            content = out.read(count)
            if len(content) == count:
                return content
            code = worker.wait()
            if code < 0 or code > 128:
                raise no_opengl(what)
            errors.seek(0)
            raise RuntimeError(f"the worker ended with {code}:\n{errors.read().decode(errors='replace')}")

        try:
            yield read
        finally:
            worker.kill()
            worker.communicate()
