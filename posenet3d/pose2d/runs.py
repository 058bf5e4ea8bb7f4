"""2D networks in run folders: training leaves one, and it is read back here.

A run of the refiner is complete: it holds the student that it refines, too, and is what is shipped.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from posenet3d.checkpoint import load_weights, read_config
from posenet3d.errors import InputError
from posenet3d.pose2d.crops import CropSet, make_crops
from posenet3d.pose2d.finder import Finder, FinderConfig, FinderPhase, FinderTraining
from posenet3d.pose2d.mosaics import Mosaics
from posenet3d.pose2d.network import EstimatorConfig, PoseNetwork
from posenet3d.pose2d.photographs import Labels, Pictures
from posenet3d.pose2d.refiner import Refiner, RefinerConfig
from posenet3d.pose2d.training import EstimatorPhase, EstimatorTraining, RefinerPhase, RefinerTraining
from posenet3d.training.loop import Phase, PhasePlan, fit
from posenet3d.training.run_folder import open_run
from posenet3d.training.settings import from_dict, to_dict

STAGE = "pose2d"
"""What the stage of a 2D run's config begins with."""

BLOCK = 20
"""Pictures that follow each other are held out together: they may be of one scene."""


@dataclass(frozen=True)
class Photographs:
    """What the 2D networks are trained on: one annotation file or several, each with its pictures."""

    sources: tuple[tuple[Labels, Pictures], ...]

    @property
    def joint_set(self) -> str:
        """The joint set of all.

        Raises:
            InputError: they differ.
        """
        names = sorted({labels.joint_set.name for labels, _ in self.sources})
        if len(names) > 1:
            raise InputError("--data", f"holds {' and '.join(names)}", "train on one joint set")
        return names[0]

    def crops(self, config: EstimatorConfig, is_held_out: bool) -> CropSet:
        """Everybody, cut out: those held out, or the others."""
        sets = []
        for labels, pictures in self.sources:
            everybody = make_crops(labels, pictures, config)
            sets.append(everybody.part(np.flatnonzero(held_out(labels) == is_held_out)))
        return _together(sets)


def held_out(labels: Labels) -> np.ndarray:
    """Which people of a file are held out: those of a tenth of the pictures, in blocks of `BLOCK` by their ids."""
    images = sorted({person.image_id for person in labels.people})
    chosen = {image for rank, image in enumerate(images) if rank // BLOCK % 10 == 9}
    return np.array([person.image_id in chosen for person in labels.people])


def train_estimator(
    photographs: Photographs,
    settings: EstimatorTraining,
    out: Path,
    *,
    teacher_run: Path | None = None,
    init: Path | None = None,
    is_resumed: bool = False,
) -> PoseNetwork:
    """Train a teacher, or with `teacher_run` a student, and leave a run folder.

    Args:
        photographs: labelled people; a tenth is held out for validation.
        settings: network, losses, steps.
        out: run folder.
        teacher_run: whose bins and structure the network also learns.
        init: a run to start the weights from.
        is_resumed: go on where the run in `out` stopped.
    """
    device = _device()
    torch.manual_seed(settings.loop.seed)
    network = PoseNetwork(settings.model).to(device)
    if init is not None:
        load_weights(network, init)
    teacher = None if teacher_run is None else load_estimator(teacher_run).to(device)
    training, validation = (photographs.crops(settings.model, is_held_out) for is_held_out in (False, True))
    content = {"model": to_dict(settings.model), "training": _without_model(settings)}
    kind = "teacher" if teacher is None else "student"
    _open(out, f"{STAGE} {kind}", training, content, is_resumed)

    def build() -> Phase:
        return EstimatorPhase(network, training, validation, settings, teacher)

    modules = nn.ModuleDict({"network": network})
    plans = [PhasePlan(kind, settings.steps, build)]
    fit(modules, plans, out, settings.loop, is_resumed=is_resumed, exports={"model.safetensors": ["network"]})
    return network.eval()


def train_refiner(
    photographs: Photographs,
    settings: RefinerTraining,
    out: Path,
    *,
    student_run: Path,
    teacher_run: Path,
    is_resumed: bool = False,
) -> Refiner:
    """Train the refiner on a frozen student and leave a run folder with both."""
    device = _device()
    torch.manual_seed(settings.loop.seed)
    student, teacher = load_estimator(student_run).to(device), load_estimator(teacher_run).to(device)
    if student.config.joint_set != settings.model.joint_set or teacher.config.joint_set != settings.model.joint_set:
        raise InputError(out, "student, teacher and data differ in their joints", "train all on one joint set")
    settings = replace(settings, model=replace(settings.model, width=student.config.width))
    refiner = Refiner(settings.model).to(device)
    training, validation = (photographs.crops(student.config, is_held_out) for is_held_out in (False, True))
    content = {
        "model": to_dict(student.config),
        "refiner": to_dict(settings.model),
        "training": _without_model(settings),
    }
    _open(out, f"{STAGE} refiner", training, content, is_resumed)

    def build() -> Phase:
        return RefinerPhase(refiner, student, teacher, training, validation, settings)

    modules = nn.ModuleDict({"refiner": refiner, "student": student})
    exports = {"refiner.safetensors": ["refiner"], "model.safetensors": ["student"]}
    fit(
        modules,
        [PhasePlan("refiner", settings.steps, build)],
        out,
        settings.loop,
        is_resumed=is_resumed,
        exports=exports,
    )
    return refiner.eval()


def train_finder(photographs: Photographs, settings: FinderTraining, out: Path, *, is_resumed: bool = False) -> Finder:
    """Train what finds people in pictures and leave a run folder."""
    torch.manual_seed(settings.loop.seed)
    finder = Finder(settings.model).to(_device())

    def mosaics(is_held_out: bool) -> Mosaics:
        chosen = [
            (
                pictures,
                [person for person, out_ in zip(labels.people, held_out(labels), strict=True) if out_ == is_held_out],
            )
            for labels, pictures in photographs.sources
        ]
        return Mosaics(chosen, settings.model.side, settings.empty)

    content = {"model": to_dict(settings.model), "training": _without_model(settings)}
    digests = [hashlib.sha256(labels.file.read_bytes()).hexdigest() for labels, _ in photographs.sources]
    data = {"people": sum(len(labels.people) for labels, _ in photographs.sources), "sha256": "+".join(digests)}
    open_run(out, f"{STAGE} finder", data, content, is_resumed=is_resumed)

    def build() -> Phase:
        return FinderPhase(finder, mosaics(False), mosaics(True), settings)

    modules = nn.ModuleDict({"finder": finder})
    exports = {"model.safetensors": ["finder"]}
    fit(
        modules,
        [PhasePlan("finder", settings.steps, build)],
        out,
        settings.loop,
        is_resumed=is_resumed,
        exports=exports,
    )
    return finder.eval()


def load_estimator(run: Path) -> PoseNetwork:
    """The pose network of a run, in evaluation mode on the CPU.

    Raises:
        InputError: the folder holds none, or it is damaged.
    """
    network = PoseNetwork(_config(run, "model", EstimatorConfig))
    load_weights(network, run)
    return network.eval()


def load_finder(run: Path) -> Finder:
    """The finder of a run, in evaluation mode on the CPU.

    Raises:
        InputError: the folder holds none, or it is damaged.
    """
    finder = Finder(_config(run, "model", FinderConfig))
    load_weights(finder, run)
    return finder.eval()


def load_refiner(run: Path) -> Refiner | None:
    """The refiner of a run, in evaluation mode on the CPU; None if it has none.

    Raises:
        InputError: it is damaged.
    """
    if not (run / "refiner.safetensors").is_file():
        return None
    refiner = Refiner(_config(run, "refiner", RefinerConfig))
    load_weights(refiner, run, "refiner.safetensors")
    return refiner.eval()


def _config(run: Path, key: str, kind: type[Any]) -> Any:
    config = read_config(run)
    if not str(config.get("stage", "")).startswith(STAGE):
        raise InputError(run, "is no run of a 2D network", "give one that 'posenet3d pose2d train' left")
    try:
        return from_dict(kind, config[key])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(run / "config.json", f"field '{key}' describes no network ({error})", "train again") from error


def _open(out: Path, stage: str, training: CropSet, content: dict[str, Any], is_resumed: bool) -> None:
    data = {"people": len(training), "sha256": training.digest}
    open_run(out, stage, data, content, is_resumed=is_resumed)


def _without_model(settings: EstimatorTraining | RefinerTraining | FinderTraining) -> dict[str, Any]:
    return {key: value for key, value in to_dict(settings).items() if key != "model"}


def _together(sets: list[CropSet]) -> CropSet:
    if len(sets) == 1:
        return sets[0]
    pictures = np.concatenate([part.pictures for part in sets])
    digest = "+".join(part.digest for part in sets)
    joined = [torch.cat([getattr(part, name) for part in sets]) for name in ("joints", "weights", "sizes")]
    return replace(sets[0], pictures=pictures, digest=digest, joints=joined[0], weights=joined[1], sizes=joined[2])


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
