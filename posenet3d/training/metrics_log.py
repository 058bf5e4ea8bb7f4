"""The log of a training run: ``metrics.jsonl`` and TensorBoard."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from posenet3d.errors import InputError
from posenet3d.io.atomic import atomic_write


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Turn a full disk, or a folder that may not be written, into a sentence.

    Raises:
        InputError: the system refused to write.
    """
    try:
        yield
    except OSError as error:
        problem = f"cannot be written ({error.strerror or error})"
        raise InputError(path, problem, "make room, then go on with --resume") from error


class MetricsLog:
    """Writes running means to metrics.jsonl and TensorBoard; lines after the resumed step are dropped."""

    def __init__(self, out: Path, *, is_main: bool, keep_until: int):
        self.path, self.is_main = out / "metrics.jsonl", is_main
        self.sums: dict[str, float] = {}
        self.count, self.began = 0, time.monotonic()
        self.board: SummaryWriter | None = None
        if is_main:
            kept = _lines_until(self.path, keep_until)
            self.began -= kept[-1].get("seconds", 0.0) if kept else 0.0
            with atomic_write(self.path) as file:
                file.write("".join(json.dumps(line) + "\n" for line in kept).encode())
            with written(out / "tensorboard"):
                self.board = SummaryWriter(str(out / "tensorboard"), purge_step=keep_until + 1)

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Add the losses of a step to the running means."""
        for name, value in terms.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())
        self.count += 1

    def write(self, phase: str, step: int) -> dict[str, float]:
        """Write the means since the last line, and return them rounded."""
        means = {name: total / self.count for name, total in self.sums.items()}
        self.sums, self.count = {}, 0
        self._line(phase, step, means)
        return {name: round(value, 4) for name, value in means.items()}

    def write_validation(self, phase: str, step: int, values: Mapping[str, float]) -> None:
        """Write numbers on held-out 2D."""
        self._line(phase, step, {f"val/{name}": value for name, value in values.items()})

    def _line(self, phase: str, step: int, values: Mapping[str, float]) -> None:
        if not self.is_main or self.board is None:
            return
        line = {"phase": phase, "step": step, "seconds": round(time.monotonic() - self.began, 1), **values}
        with written(self.path):
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")
            for name, value in values.items():
                self.board.add_scalar(f"{phase}/{name}", value, step)

    def close(self) -> None:
        """Close the files of TensorBoard."""
        if self.board is not None:
            self.board.close()


def _lines_until(path: Path, step: int) -> list[dict[str, Any]]:
    """Return the log's lines up to `step`; a half-written last line (the run was killed) is dropped."""
    if step == 0 or not path.exists():
        return []
    lines = []
    for text in path.read_text(errors="replace").splitlines():
        try:
            line = json.loads(text)
            is_kept = line["step"] <= step
        except (ValueError, TypeError, KeyError):
            break
        if is_kept:
            lines.append(line)
    return lines
