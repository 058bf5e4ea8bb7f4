"""2D networks in run folders: training leaves one, and it is read back here.

A run of the refiner is complete: it holds the student that it refines, too, and is what is shipped.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from posenet3d.config import from_dict, to_dict
from posenet3d.errors import InputError
from posenet3d.io.run_config import RunConfig
from posenet3d.lifting.checkpoint import load_weights
from posenet3d.pose2d.backbones import load_imagenet_weights
from posenet3d.pose2d.data.annotations import LabelledPerson, Labels, Pictures
from posenet3d.pose2d.data.crops import CropSet, make_crops, together
from posenet3d.pose2d.data.mosaics import Mosaics
from posenet3d.pose2d.person_detector import (
    PersonDetector,
    PersonDetectorConfig,
    PersonDetectorPhase,
    PersonDetectorTraining,
)
from posenet3d.pose2d.pose_network import EstimatorConfig, PoseNetwork
from posenet3d.pose2d.refiner import Refiner, RefinerConfig
from posenet3d.pose2d.training.phases import EstimatorPhase, EstimatorTraining, RefinerPhase, RefinerTraining
from posenet3d.training.loop import Phase, PhasePlan, fit
from posenet3d.training.run_folder import open_run

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

    def crops(self, config: EstimatorConfig) -> tuple[CropSet, CropSet]:
        """Everybody, cut out: those to train on, and those held out."""
        everybody = together([make_crops(labels, pictures, config) for labels, pictures in self.sources])
        is_out = np.concatenate([held_out(labels) for labels, _ in self.sources])
        return everybody.part(np.flatnonzero(~is_out)), everybody.part(np.flatnonzero(is_out))

    def mosaics(self, side: int, empty: float) -> tuple[Mosaics, Mosaics]:
        """The same people in pictures for the finder: to train on, and held out."""
        chosen: dict[bool, list[tuple[Pictures, list[LabelledPerson]]]] = {False: [], True: []}
        for labels, pictures in self.sources:
            is_out = held_out(labels)
            for part, people in chosen.items():
                people.append((pictures, [p for p, out in zip(labels.people, is_out, strict=True) if out == part]))
        return Mosaics(chosen[False], side, empty), Mosaics(chosen[True], side, empty)


def held_out(labels: Labels) -> np.ndarray:
    """Which people of a file are held out: those of a tenth of the pictures, in blocks of `BLOCK` by their ids."""
    images = sorted({person.image_id for person in labels.people})
    chosen = {image for rank, image in enumerate(images) if rank // BLOCK % 10 == 9}
    return np.array([person.image_id in chosen for person in labels.people])


def people_held_out(labels: Labels) -> list[LabelledPerson]:
    """The people of a file who are held out."""
    return [person for person, is_out in zip(labels.people, held_out(labels), strict=True) if is_out]


def train_estimator(
    photographs: Photographs,
    settings: EstimatorTraining,
    out: Path,
    *,
    teacher_run: Path | None = None,
    init: Path | None = None,
    imagenet: Path | None = None,
    resume: bool = False,
) -> PoseNetwork:
    """Train a teacher, or with `teacher_run` a student, and leave a run folder.

    Args:
        photographs: labelled people; a tenth is held out for validation.
        settings: network, losses, steps.
        out: run folder.
        teacher_run: whose bins and structure the network also learns.
        init: a run to start the weights from.
        imagenet: published weights that the backbone starts from; see `posenet3d.pose2d.backbones.load_imagenet_weights`.
        resume: go on where the run in `out` stopped.
    """
    device = _device()
    torch.manual_seed(settings.loop.seed)
    network = PoseNetwork(settings.model).to(device)
    if imagenet is not None:
        load_imagenet_weights(network.backbone, imagenet)
    if init is not None:
        load_weights(network, init)
    teacher = None if teacher_run is None else load_estimator(teacher_run).to(device)
    training, validation = photographs.crops(settings.model)
    kind = "teacher" if teacher is None else "student"
    run = _Run(out, kind, _of_crops(training), {"model": to_dict(settings.model)}, resume)
    run.fit(
        {"network": network}, settings, lambda: EstimatorPhase(network, training, validation, settings, teacher),
        {"model.safetensors": ["network"]},
    )  # fmt: skip
    return network.eval()


def train_refiner(
    photographs: Photographs,
    settings: RefinerTraining,
    out: Path,
    *,
    student_run: Path,
    teacher_run: Path,
    resume: bool = False,
) -> Refiner:
    """Train the refiner on a frozen student and leave a run folder with both."""
    device = _device()
    torch.manual_seed(settings.loop.seed)
    student, teacher = load_estimator(student_run).to(device), load_estimator(teacher_run).to(device)
    if student.config.joint_set != settings.model.joint_set or teacher.config.joint_set != settings.model.joint_set:
        raise InputError(out, "student, teacher and data differ in their joints", "train all on one joint set")
    settings = replace(settings, model=replace(settings.model, width=student.config.width))
    refiner = Refiner(settings.model).to(device)
    training, validation = photographs.crops(student.config)
    content = {"model": to_dict(student.config), "refiner": to_dict(settings.model)}
    run = _Run(out, "refiner", _of_crops(training), content, resume)
    run.fit(
        {"refiner": refiner, "student": student}, settings,
        lambda: RefinerPhase(refiner, student, teacher, training, validation, settings),
        {"refiner.safetensors": ["refiner"], "model.safetensors": ["student"]},
    )  # fmt: skip
    return refiner.eval()


def train_person_detector(
    photographs: Photographs,
    settings: PersonDetectorTraining,
    out: Path,
    *,
    imagenet: Path | None = None,
    resume: bool = False,
) -> PersonDetector:
    """Train what finds people in pictures and leave a run folder."""
    torch.manual_seed(settings.loop.seed)
    finder = PersonDetector(settings.model).to(_device())
    if imagenet is not None:
        load_imagenet_weights(finder.backbone, imagenet)
    training, validation = photographs.mosaics(settings.model.side, settings.empty)
    digests = [hashlib.sha256(labels.file.read_bytes()).hexdigest() for labels, _ in photographs.sources]
    data = {"people": sum(len(labels.people) for labels, _ in photographs.sources), "sha256": "+".join(digests)}
    run = _Run(out, "finder", data, {"model": to_dict(settings.model)}, resume)
    run.fit(
        {"finder": finder}, settings, lambda: PersonDetectorPhase(finder, training, validation, settings),
        {"model.safetensors": ["finder"]},
    )  # fmt: skip
    return finder.eval()


@dataclass(frozen=True)
class _Run:
    """A run folder of one phase, and what is noted in its config."""

    out: Path
    kind: str
    data: dict[str, Any]
    content: dict[str, Any]
    resume: bool

    def fit(
        self,
        modules: dict[str, nn.Module],
        settings: EstimatorTraining | RefinerTraining | PersonDetectorTraining,
        build: Callable[[], Phase],
        exports: dict[str, list[str]],
    ) -> None:
        """Open the folder and train."""
        training = {key: value for key, value in to_dict(settings).items() if key != "model"}
        content = {**self.content, "training": training}
        open_run(self.out, f"{STAGE} {self.kind}", self.data, content, resume=self.resume)
        plan = PhasePlan(self.kind, settings.steps, build)
        fit(nn.ModuleDict(modules), [plan], self.out, settings.loop, resume=self.resume, exports=exports)


def _of_crops(training: CropSet) -> dict[str, Any]:
    return {"people": len(training), "sha256": training.digest}


def load_estimator(run: Path) -> PoseNetwork:
    """The pose network of a run, in evaluation mode on the CPU.

    Raises:
        InputError: the folder holds none, or it is damaged.
    """
    network = PoseNetwork(_config(run, "model", EstimatorConfig))
    load_weights(network, run)
    return network.eval()


def load_person_detector(run: Path) -> PersonDetector:
    """The finder of a run, in evaluation mode on the CPU.

    Raises:
        InputError: the folder holds none, or it is damaged.
    """
    finder = PersonDetector(_config(run, "model", PersonDetectorConfig))
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
    config = RunConfig.read(run)
    if not str(config.stage).startswith(STAGE):
        raise InputError(run, "is no run of a 2D network", "give one that 'posenet3d pose2d train' left")
    try:
        return from_dict(kind, dict(getattr(config, key)))
    except (TypeError, ValueError) as error:
        raise InputError(run / "config.json", f"field '{key}' describes no network ({error})", "train again") from error


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
