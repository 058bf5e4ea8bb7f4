"""Candidates: 3D results of one sequence that can be shown side by side, from a checkpoint's model or from ground truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posenet3d.core.lifted import Lifted
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.run_config import RunConfig
from posenet3d.lifting.checkpoint import models_of
from posenet3d.lifting.lifter import DEFAULT_HEIGHT_M

GROUND_TRUTH = "ground truth"
NONE = "nothing"
"""The choice of no second candidate; shared links contain this word."""


@dataclass(frozen=True)
class LiftingOptions:
    """Options with which a sequence is lifted; see `posenet3d.lifting.lifter.Lifter`."""

    height_m: float = DEFAULT_HEIGHT_M
    refine: bool = False
    fit: bool = True

    def for_model(self, model: str) -> dict[str, Any]:
        """Return the options that apply to a model: those of `SkeletonLifter`, or of `BodyLifter` for the student."""
        return {"fit": self.fit} if model == "student" else {"height_m": self.height_m, "refine": self.refine}


@dataclass(frozen=True)
class Source:
    """One model of a checkpoint."""

    checkpoint: str
    folder: Path
    model: str


@dataclass(frozen=True)
class Candidate:
    """One 3D result of a sequence.

    Attributes:
        label: as shown on the pages, unique among the candidates on offer: 'student (joint)'.
        key: equal for equal content.
        lifted: its joints, and its body where it has one.
        source: the model that made it; None for ground truth.
    """

    label: str
    key: str
    lifted: Lifted
    source: Source | None = None


def sources_of(checkpoints: Mapping[str, Path]) -> dict[str, Source]:
    """Return every model of every checkpoint by its label, each student before its teacher.

    The checkpoint of a distilled student holds a copy of its teacher. Only the student is listed, because the teacher has a
    checkpoint of its own.
    """
    found: dict[str, Source] = {}
    for name, folder in checkpoints.items():
        models = ["student"] if _stage(folder) == "student" else reversed(models_of(folder))
        found |= {f"{model} ({name})": Source(name, folder, model) for model in models}
    return found


def truth_of(sequence: PoseSequence) -> Lifted | None:
    """Return the sequence's ground truth in the form of a lifted result; None where it has none."""
    if sequence.joints_3d is None:
        return None
    return Lifted(sequence.name, sequence.joints_3d, fps=sequence.fps, model=GROUND_TRUTH)


def _stage(folder: Path) -> str:
    try:
        return str(RunConfig.read(folder).stage)
    except InputError:
        return ""  # a damaged checkpoint stays listed: choosing it shows the error
