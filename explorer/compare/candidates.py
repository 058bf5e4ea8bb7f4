"""Actors: the 3D answers to one sequence that can be put side by side - a network's of some checkpoint, or ground truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from posenet3d.core.lifted import Lifted
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.run_config import RunConfig
from posenet3d.lifting.checkpoint import models_of

GROUND_TRUTH = "ground truth"
NOBODY = "nothing"
"""The second actor's place left empty."""


@dataclass(frozen=True)
class Source:
    """Where an actor's 3D comes from: one model of a checkpoint."""

    checkpoint: str
    folder: Path
    model: str


@dataclass(frozen=True)
class Actor:
    """One 3D answer to a sequence.

    Attributes:
        label: for people, unique among the actors on offer: 'student (joint)'.
        key: equal for equal content.
        lifted: its joints, and its body where it has one.
        source: the checkpoint; None for ground truth.
    """

    label: str
    key: str
    lifted: Lifted
    source: Source | None = None


def sources_of(checkpoints: Mapping[str, Path]) -> dict[str, Source]:
    """Every model of every checkpoint by its label, the student's body of each before its teacher's skeleton.

    A student that was distilled keeps a copy of its teacher in its folder; only the student is listed, for the teacher
    has a checkpoint of its own.
    """
    found: dict[str, Source] = {}
    for name, folder in checkpoints.items():
        models = ["student"] if _stage(folder) == "student" else reversed(models_of(folder))
        found |= {f"{model} ({name})": Source(name, folder, model) for model in models}
    return found


def truth_of(sequence: PoseSequence) -> Lifted | None:
    """The sequence's ground truth as if it had been lifted; None where it has none."""
    if sequence.joints_3d is None:
        return None
    return Lifted(sequence.name, sequence.joints_3d, fps=sequence.fps, model=GROUND_TRUTH)


def _stage(folder: Path) -> str:
    try:
        return str(RunConfig.read(folder).stage)
    except InputError:
        return ""  # whoever chooses a damaged checkpoint is told so
