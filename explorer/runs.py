"""Run folders as the Training page sees them: what was planned, what the log says so far, how the run stands.

A run folder is what ``python -m posenet3d train`` writes (`posenet3d.training.loop`), perhaps at this very moment: weights may
not be there yet, and the last line of ``metrics.jsonl`` may be half written.
"""

import json
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from posenet3d.errors import InputError
from posenet3d.io.run_config import RunConfig
from posenet3d.paths import BUNDLED, runs_folder
from posenet3d.renamed import current_name

CONFIG, LOG = "config.json", "metrics.jsonl"
HELD_OUT = "val/"  # how the loop marks what it measured on held-out 2D

STAGES: Mapping[str, tuple[str, Mapping[str, tuple[str, str]]]] = {
    "teacher": (
        "Stage 1, the teacher",
        {
            "denoiser": ("denoiser_steps", "undo a 2D detector's jitter, outliers and gaps"),
            "frame": ("frame_steps", "lift single frames to 3D, judged by a pose discriminator"),
            "temporal": ("temporal_steps", "refine 3D over windows of frames, judged by their motion too"),
        },
    ),
    "student": (
        "Stage 2, the student",
        {
            "frame": ("frame_steps", "answer single frames with a body in the teacher's pose"),
            "temporal": ("temporal_steps", "keep shape and motion steady over windows of frames"),
        },
    ),
    "joint": ("Stage 3, both together", {"joint": ("steps", "teacher and student train each other")}),
    "earlier": ("The earlier method", {"frame": ("frame_steps", "lift single frames, as Chen et al. (2019) do")}),
    "pose2d teacher": ("2D networks, labels alone", {"teacher": ("steps", "crops to joints, from labels")}),
    "pose2d student": (
        "2D networks, the student",
        {"student": ("steps", "crops to joints, from labels and a teacher")},
    ),
    "pose2d refiner": (
        "2D networks, the refiner",
        {"refiner": ("steps", "move the student's joints to the teacher's")},
    ),
    "pose2d finder": ("2D networks, the finder", {"finder": ("steps", "pictures to boxes around people")}),
}
"""Stage to its title and its phases in order; phase to the setting that holds its length, and to what is learnt in it."""

QUIET_S = 120.0
"""A run that has written nothing for so long is taken for stopped ..."""
QUIET_LINES = 10
"""... or for so many times its usual pause between two lines, whichever is longer ..."""
PREPARING_S = 900.0
"""... or, before a phase's first line, for so long: the later stages first lift all training data without a word."""


class Curve(NamedTuple):
    """One logged number over the run; `steps` count on through all phases."""

    steps: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Log:
    """The whole lines of a metrics.jsonl: when they were written, and the raw terms on training and on held-out 2D.

    `inode` and `end` (bytes) say up to where which file was read, so that reading can go on from there.
    """

    steps: np.ndarray
    seconds: np.ndarray
    training: Mapping[str, Curve]
    held_out: Mapping[str, Curve]
    inode: int = -1
    end: int = 0


NO_LINES = Log(np.empty(0), np.empty(0), {}, {})


@dataclass(frozen=True)
class Phase:
    """One part of a stage: steps after `start` up to `stop`, counted through all phases."""

    name: str
    learns: str
    start: int
    stop: int


@dataclass(frozen=True)
class Run:
    """A run folder, read at one moment; `written_s` is when its log last grew, in seconds since 1970."""

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
        """Steps of all phases."""
        return self.phases[-1].stop

    @property
    def done(self) -> float:
        """Steps that the log knows of."""
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


def read_run(name: str, folder: Path, before: Run | None = None) -> Run:
    """The run in `folder`; a log that does not exist yet (or was not bundled) is an empty one.

    Args:
        name: what to call it.
        folder: where it is.
        before: the same run as it was read last time; then only the log's new lines are read.

    Raises:
        InputError: config or log is damaged.
    """
    config = RunConfig.read(folder)
    stage = config.stage
    if not isinstance(stage, str) or stage not in STAGES:
        problem = f"field 'stage' is {stage!r}, not one of {', '.join(STAGES)}"
        raise InputError(folder / CONFIG, problem, "restore it or train again")
    has_ended = (folder / "state" / "finished").exists()
    is_handed_on = (folder / "model.safetensors").exists() and not (folder / "state").exists()
    return Run(
        name=name,
        folder=folder,
        title=STAGES[stage][0],
        config=config.to_dict(),
        phases=_phases(folder / CONFIG, config),
        log=read_log(folder / LOG, before.log if before else NO_LINES),
        is_finished=has_ended or is_handed_on,
        written_s=_written_s(folder),
    )


def read_log(path: Path, known: Log = NO_LINES) -> Log:
    """Every whole line of a metrics.jsonl, of which `known` has been read already unless the file was replaced since.

    The last line may still be being written and is left out then.

    Raises:
        InputError: the file cannot be read, or a line in it is damaged.
    """
    try:
        with path.open("rb") as file:
            now = os.fstat(file.fileno())
            if now.st_ino != known.inode or now.st_size < known.end:  # a resumed run writes its log anew
                known = NO_LINES
            file.seek(known.end)
            fresh = file.read()
    except FileNotFoundError:
        return NO_LINES
    except OSError as error:
        raise InputError(path, "cannot be read", "check what it is and who may read it") from error
    fresh = fresh[: fresh.rfind(b"\n") + 1]
    steps, seconds, columns = _parsed(path, fresh.split(b"\n")[:-1], first=len(known.steps) + 1)
    training, held_out = dict(known.training), dict(known.held_out)
    for name, curve in columns.items():
        side = held_out if name.startswith(HELD_OUT) else training
        name = name.removeprefix(HELD_OUT)
        side[name] = Curve(*map(np.concatenate, zip(side[name], curve, strict=True))) if name in side else curve
    return Log(
        np.concatenate([known.steps, steps]),
        np.concatenate([known.seconds, seconds]),
        training,
        held_out,
        now.st_ino,
        known.end + len(fresh),
    )


def status(run: Run, now_s: float) -> Literal["finished", "running", "stopped"]:
    """How the run stands at `now_s` (seconds since 1970); only its silence tells a stopped run from a running one."""
    if run.is_finished:
        return "finished"
    is_complete = run.done >= run.planned  # a last validation and the saving are still to come, or the mark was lost
    is_between_phases = run.done in {0.0, *(float(phase.stop) for phase in run.phases)}
    patience = PREPARING_S
    if not is_between_phases:
        pauses = np.diff(run.log.seconds[-20:])
        patience = max(QUIET_S, QUIET_LINES * float(np.median(pauses))) if len(pauses) else PREPARING_S
    if now_s - run.written_s < patience:
        return "running"
    return "finished" if is_complete else "stopped"


def standing(run: Run, now_s: float) -> str:
    """The run's status in a sentence: how far it is, for how long it has been going, how long the phase will still take."""
    how = status(run, now_s)
    if not len(run.log.steps):
        return {
            "finished": f"finished; its log ({LOG}) was not kept, so there is nothing to draw",
            "running": "running, still preparing: no step is logged yet",
            "stopped": "stopped before the first step was logged",
        }[how]
    said = f"{how}, step {run.done:,.0f} of {run.planned:,} after {duration(float(run.log.seconds[-1]))}"
    if how == "stopped":
        said += f"; nothing was written for {duration(now_s - run.written_s)}"
    if bad := [name for name, curve in run.log.training.items() if not np.isfinite(curve.values[-1])]:
        said += f"; the loss '{bad[0]}' was no longer a number"
    phase = next((phase for phase in run.phases if phase.start <= run.done < phase.stop), None)
    rate = steps_per_second(run, phase) if how == "running" and phase else None
    if phase and rate:
        said += f"; about {duration((phase.stop - run.done) / rate)} to the end of '{phase.name}'"
    return said


def steps_per_second(run: Run, phase: Phase) -> float | None:
    """The phase's speed between its first and last logged step; None before there are two."""
    of_phase = lines_of(run, phase)
    steps, seconds = run.log.steps[of_phase], run.log.seconds[of_phase]
    if len(steps) < 2 or not seconds[-1] > seconds[0]:
        return None
    return float((steps[-1] - steps[0]) / (seconds[-1] - seconds[0]))


def duration(seconds: float) -> str:
    """Seconds as a person says them: '48 s', '12 min', '1 h 20 min'."""
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _phases(path: Path, config: RunConfig) -> tuple[Phase, ...]:
    training = config.training
    phases, start = [], 0
    for name, (key, learns) in STAGES[config.stage][1].items():
        steps = training.get(key) if isinstance(training, dict) else None
        if not isinstance(steps, int) or steps < 0:
            problem = f"field 'training.{key}' is {steps!r}, not a number of steps"
            raise InputError(path, problem, "restore it or train again")
        if steps > 0:
            phases.append(Phase(name, learns, start, start + steps))
        start += steps
    if not phases:
        raise InputError(path, "field 'training' plans no steps at all", "restore it or train again")
    return tuple(phases)


def _parsed(path: Path, rows: list[bytes], first: int) -> tuple[np.ndarray, np.ndarray, dict[str, Curve]]:
    """Steps, seconds and the curves of lines, of which the first has the number `first`."""
    steps, seconds = [], []
    columns: defaultdict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for number, row in enumerate(rows, first):
        try:
            line = json.loads(row)
            step = float(line.pop("step"))
            steps.append(step)
            seconds.append(float(line.pop("seconds")))
            del line["phase"]  # the plan in the config says it too, and how long it is
            for name, value in line.items():
                of_name = columns[current_name(name)]
                of_name[0].append(step)
                of_name[1].append(float(value))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise InputError(path, f"line {number} is not a line of a training log", "delete that line") from error
    curves = {name: Curve(*map(np.array, column)) for name, column in columns.items()}
    return np.array(steps), np.array(seconds), curves


def lines_of(run: Run, phase: Phase) -> np.ndarray:
    """Which of the log's lines belong to the phase."""
    return (run.log.steps > phase.start) & (run.log.steps <= phase.stop)


def _written_s(folder: Path) -> float:
    """When log or config last changed; a resumed run writes its config first."""
    times = [file.stat().st_mtime for file in (folder / LOG, folder / CONFIG) if file.exists()]
    return max(times, default=0.0)
