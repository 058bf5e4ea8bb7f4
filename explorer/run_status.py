"""Status, speed and progress of a training run."""

from typing import Literal

import numpy as np

from explorer.runs import LOG, Phase, TrainingRun

QUIET_S = 120.0
"""A run that has written nothing for so long counts as stopped ..."""
QUIET_LINES = 10
"""... or for so many times its median pause between two lines, whichever is longer ..."""
PREPARING_S = 900.0
"""... or, before a phase's first line, for so long: the later stages first lift all training data and log nothing."""


def status(run: TrainingRun, now_s: float) -> Literal["finished", "running", "stopped"]:
    """Return the run's status at `now_s` (seconds since 1970); a run that has written nothing for long counts as stopped."""
    if run.is_finished:
        return "finished"
    is_complete = run.done >= run.planned  # validation and saving may still follow, or the mark was lost
    is_between_phases = run.done in {0.0, *(float(phase.stop) for phase in run.phases)}
    patience = PREPARING_S
    if not is_between_phases:
        pauses = np.diff(run.log.seconds[-20:])
        patience = max(QUIET_S, QUIET_LINES * float(np.median(pauses))) if len(pauses) else PREPARING_S
    if now_s - run.written_s < patience:
        return "running"
    return "finished" if is_complete else "stopped"


def summary(run: TrainingRun, now_s: float) -> str:
    """Return the run's status as a sentence: steps done, time passed, and the time left in the present phase."""
    present = status(run, now_s)
    if not len(run.log.steps):
        return {
            "finished": f"finished; its log ({LOG}) was not kept, so there are no curves",
            "running": "running, preparing: no step is logged yet",
            "stopped": "stopped before the first step was logged",
        }[present]
    text = f"{present}, step {run.done:,.0f} of {run.planned:,} after {duration(float(run.log.seconds[-1]))}"
    if present == "stopped":
        text += f"; nothing was written for {duration(now_s - run.written_s)}"
    if bad := [name for name, curve in run.log.training.items() if not np.isfinite(curve.values[-1])]:
        text += f"; the loss '{bad[0]}' was not a finite number"
    phase = next((phase for phase in run.phases if phase.start <= run.done < phase.stop), None)
    rate = steps_per_second(run, phase) if present == "running" and phase else None
    if phase and rate:
        text += f"; about {duration((phase.stop - run.done) / rate)} to the end of '{phase.name}'"
    return text


def steps_per_second(run: TrainingRun, phase: Phase) -> float | None:
    """Return the phase's speed between its first and last logged step; None before there are two."""
    of_phase = phase_lines(run, phase)
    steps, seconds = run.log.steps[of_phase], run.log.seconds[of_phase]
    if len(steps) < 2 or not seconds[-1] > seconds[0]:
        return None
    return float((steps[-1] - steps[0]) / (seconds[-1] - seconds[0]))


def duration(seconds: float) -> str:
    """Format seconds as '48 s', '12 min' or '1 h 20 min'."""
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def phase_lines(run: TrainingRun, phase: Phase) -> np.ndarray:
    """Return (lines,) bool: the log's lines that belong to the phase."""
    return (run.log.steps > phase.start) & (run.log.steps <= phase.stop)
