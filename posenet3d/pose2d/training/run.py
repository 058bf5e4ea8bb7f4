"""A training run of one 2D network, in a run folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from posenet3d.config import to_dict
from posenet3d.pose2d.checkpoint import STAGE
from posenet3d.pose2d.data.crop_set import CropSet
from posenet3d.training.loop import LoopSettings, Phase, PhasePlan, fit
from posenet3d.training.run_folder import open_run


@dataclass(frozen=True)
class Run:
    """A run folder and what its config.json says."""

    out: Path
    kind: str  # teacher, student, refiner or finder; part of the stage in config.json
    data: dict[str, Any]
    content: dict[str, Any]
    resume: bool

    def fit(
        self,
        modules: dict[str, nn.Module],
        settings: Any,
        loop: LoopSettings,
        build: Callable[[], Phase],
        exports: dict[str, list[str]],
    ) -> None:
        """Open the folder and train.

        Args:
            modules: networks by the name in the state of the run.
            settings: of the training, with `steps`.
            loop: intervals and seed.
            build: makes the phase.
            exports: files to write, each with the names of its modules.
        """
        training = {key: value for key, value in to_dict(settings).items() if key != "model"}
        content = {**self.content, "training": training}
        open_run(self.out, f"{STAGE} {self.kind}", self.data, content, resume=self.resume)
        plan = PhasePlan(self.kind, settings.steps, build)
        fit(nn.ModuleDict(modules), [plan], self.out, loop, resume=self.resume, exports=exports)


def describe_crops(crops: CropSet) -> dict[str, Any]:
    """Describe the training data for config.json."""
    return {"people": len(crops), "sha256": crops.digest}


def training_device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
