"""The talk with a program that draws with VTK: it runs by itself, for where GL libraries are missing VTK kills its process."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import posenet3d
from posenet3d.errors import InputError

ROOT = Path(posenet3d.__file__).parents[1]
"""The folder that `posenet3d` lies in, for a process that must find it even where it is not installed."""


def no_opengl(what: str) -> InputError:
    """The error to raise where nothing can be drawn; `what` should have been."""
    remedy = "install it (Debian, Ubuntu: apt-get install libegl1 libgl1-mesa-dri) and start again"
    return InputError(what, "it cannot be drawn here, for VTK finds no OpenGL to draw with", remedy)


@contextmanager
def drawn_by(command: Sequence[str], what: str) -> Iterator[Callable[[int], bytes]]:
    """Run a worker; yields a function that reads so many bytes of what it writes. It is gone when the block ends.

    Raises:
        InputError: from the function, if VTK found no OpenGL.
        RuntimeError: from the function, if the worker stopped early for any other reason; with its words.
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
