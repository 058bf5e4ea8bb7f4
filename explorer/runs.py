"""Read run folders for the Training page: settings, log, and status.

``python -m posenet3d train`` writes a run folder (`posenet3d.training.loop`), perhaps at this very moment: weights may be
missing still, and the last line of ``metrics.jsonl`` may be half written.
"""

import contextlib
import json
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from posenet3d.errors import InputError
from posenet3d.io.run_config import RunConfig
from posenet3d.paths import BUNDLED, is_folder, is_plain_file, runs_folder
from posenet3d.renamed import current_name

CONFIG, LOG = "config.json", "metrics.jsonl"
MAX_STEPS = 10**12  # larger numbers are damage, and too large for a progress bar
HELD_OUT = "val/"  # prefix of terms on held-out 2D

STAGES: Mapping[str, tuple[str, Mapping[str, tuple[str, str]]]] = {
    "teacher": (
        "Stage 1, the teacher",
        {
            "denoiser": ("denoiser_steps", "remove a 2D detector's jitter, outliers and gaps"),
            "frame": ("frame_steps", "lift single frames to 3D, judged by a pose discriminator"),
            "temporal": ("temporal_steps", "refine 3D over windows of frames, judged by their motion too"),
        },
    ),
    "student": (
        "Stage 2, the student",
        {
            "frame": ("frame_steps", "predict a body in the teacher's pose from single frames"),
            "temporal": ("temporal_steps", "smooth shape and motion over windows of frames"),
        },
    ),
    "joint": ("Stage 3, both together", {"joint": ("steps", "train teacher and student together")}),
    "earlier": ("Baseline method", {"frame": ("frame_steps", "lift single frames, as Chen et al. (2019) do")}),
    "pose2d teacher": ("2D networks, labels alone", {"teacher": ("steps", "predict joints in crops, from labels")}),
    "pose2d student": (
        "2D networks, the student",
        {"student": ("steps", "predict joints in crops, from labels and a teacher")},
    ),
    "pose2d refiner": (
        "2D networks, the refiner",
        {"refiner": ("steps", "correct the student's joints towards the teacher's")},
    ),
    "pose2d finder": (
        "2D networks, the person detector",
        {"finder": ("steps", "predict bounding boxes of people in images")},
    ),
}
"""Title and phases of each stage; of each phase, the setting that holds its number of steps, and its purpose."""


class TermCurve(NamedTuple):
    """One logged term over the run; `steps` count on through all phases."""

    steps: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Log:
    """The complete lines of a metrics.jsonl: steps, seconds, and the unweighted terms on training and held-out 2D.

    `inode` and `end` (bytes) tell which file was read and how far, so that reading can continue there.
    """

    steps: np.ndarray
    seconds: np.ndarray
    training: Mapping[str, TermCurve]
    held_out: Mapping[str, TermCurve]
    inode: int = -1
    end: int = 0


NO_LINES = Log(np.empty(0), np.empty(0), {}, {})


@dataclass(frozen=True)
class Phase:
    """One part of a stage: steps after `start` up to `stop`, counted through all phases."""

    name: str
    purpose: str
    start: int
    stop: int


@dataclass(frozen=True)
class TrainingRun:
    """A run folder as it was read; `written_s` is the time of its last change, in seconds since 1970."""

    name: str
    folder: Path
    title: str
    config: Mapping[str, Any]
    phases: tuple[Phase, ...]
    log: Log
    is_finished: bool
    written_s: float

    @property
    def planned(self) -> int:
        """Number of steps of all phases."""
        return self.phases[-1].stop

    @property
    def done(self) -> float:
        """Last step in the log."""
        return float(self.log.steps[-1]) if len(self.log.steps) else 0.0


def find_runs(runs: Path | None = None) -> dict[str, Path]:
    """Name to folder of every run there is, the one written last first, then the bundled checkpoints.

    Runs are looked for in `runs` and one folder further down (``runs/report/teacher-0``); None is
    `posenet3d.paths.runs_folder`. A folder counts as soon as it holds a config or a log, also before its first weights.
    """
    runs = runs_folder() if runs is None else runs
    folders = {file.parent for depth in ("*", "*/*") for kind in (CONFIG, LOG) for file in runs.glob(f"{depth}/{kind}")}
    newest_first = sorted(folders, key=lambda folder: (-_written_s(folder), folder))
    bundled = sorted((file.parent for file in BUNDLED.rglob(CONFIG)), key=lambda f: (len(f.parts), f))
    return {str(runs.name / f.relative_to(runs)): f for f in newest_first} | {
        f"{f.relative_to(BUNDLED)} (bundled)": f for f in bundled
    }


def read_run(name: str, folder: Path, before: TrainingRun | None = None) -> TrainingRun:
    """Read the run in `folder`; a log that does not exist yet (or was not bundled) is empty.

    Args:
        name: of the run on the page.
        folder: of the run.
        before: the same run as it was last read; only the log's new lines are read then.

    Raises:
        InputError: config or log is damaged.
    """
    config = RunConfig.read(folder)
    stage = config.stage
    if not isinstance(stage, str) or stage not in STAGES:
        problem = f"field 'stage' is {stage!r}, not one of {', '.join(STAGES)}"
        raise InputError(folder / CONFIG, problem, "restore it or train again")
    has_ended = is_plain_file(folder / "state" / "finished")
    is_exported = is_plain_file(folder / "model.safetensors") and not is_folder(folder / "state")
    return TrainingRun(
        name=name,
        folder=folder,
        title=STAGES[stage][0],
        config=config.to_dict(),
        phases=_phases(folder / CONFIG, config),
        log=read_log(folder / LOG, before.log if before else NO_LINES),
        is_finished=has_ended or is_exported,
        written_s=_written_s(folder),
    )


def read_log(path: Path, known: Log = NO_LINES) -> Log:
    """Read every complete line of a metrics.jsonl; a half-written last line is left out.

    Args:
        path: of the log.
        known: lines that were read already; they are read again if the file was replaced since.

    Raises:
        InputError: the file cannot be read, or a line in it is damaged.
    """
    try:
        if path.exists() and not path.is_file():  # opening a named pipe would wait for ever
            raise InputError(path, "cannot be read: it is not a plain file", "delete it or train again")
        with path.open("rb") as file:
            now = os.fstat(file.fileno())
            if now.st_ino != known.inode or now.st_size < known.end:  # a resumed run writes a new log
                known = NO_LINES
            file.seek(known.end)
            fresh = file.read()
    except FileNotFoundError:
        return NO_LINES
    except OSError as error:
        raise InputError(path, "cannot be read", "check that it is a file and that you may read it") from error
    fresh = fresh[: fresh.rfind(b"\n") + 1]
    steps, seconds, columns = _parsed(path, fresh.split(b"\n")[:-1], first=len(known.steps) + 1)
    training, held_out = dict(known.training), dict(known.held_out)
    for name, curve in columns.items():
        side = held_out if name.startswith(HELD_OUT) else training
        name = name.removeprefix(HELD_OUT)
        side[name] = TermCurve(*map(np.concatenate, zip(side[name], curve, strict=True))) if name in side else curve
    return Log(
        np.concatenate([known.steps, steps]),
        np.concatenate([known.seconds, seconds]),
        training,
        held_out,
        now.st_ino,
        known.end + len(fresh),
    )


def _phases(path: Path, config: RunConfig) -> tuple[Phase, ...]:
    training = config.training
    phases, start = [], 0
    for name, (key, purpose) in STAGES[config.stage][1].items():
        steps = training.get(key) if isinstance(training, dict) else None
        if not isinstance(steps, int) or not 0 <= steps <= MAX_STEPS:
            problem = f"field 'training.{key}' is {steps!r}, not a number of steps"
            raise InputError(path, problem, "restore it or train again")
        if steps > 0:
            phases.append(Phase(name, purpose, start, start + steps))
        start += steps
    if not phases:
        raise InputError(path, "field 'training' has no steps", "restore it or train again")
    return tuple(phases)


def _parsed(path: Path, rows: list[bytes], first: int) -> tuple[np.ndarray, np.ndarray, dict[str, TermCurve]]:
    """Parse lines of a log into steps, seconds and curves; `first` is the number of the first line."""
    steps, seconds = [], []
    columns: defaultdict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for number, row in enumerate(rows, first):
        try:
            line = json.loads(row)
            step, second = float(line.pop("step")), float(line.pop("seconds"))
            if not (0 <= step <= MAX_STEPS and 0 <= second <= MAX_STEPS):
                raise ValueError
            steps.append(step)
            seconds.append(second)
            del line["phase"]  # the config has it, too, with its number of steps
            for name, value in line.items():
                term_steps, term_values = columns[current_name(name)]
                term_steps.append(step)
                term_values.append(float(value))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise InputError(path, f"line {number} is not a line of a training log", "delete that line") from error
    curves = {name: TermCurve(*map(np.array, column)) for name, column in columns.items()}
    return np.array(steps), np.array(seconds), curves


def _written_s(folder: Path) -> float:
    """Return the time of the last change of log or config; a resumed run writes its config first."""
    times = []
    for name in (LOG, CONFIG):
        with contextlib.suppress(OSError):  # missing, or in a folder that may not be entered
            times.append((folder / name).stat().st_mtime)
    return max(times, default=0.0)
