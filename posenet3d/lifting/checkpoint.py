"""Checkpoints: a folder with ``config.json`` and ``model.safetensors``, bundled with the library or left by a training run."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from posenet3d.config import from_dict
from posenet3d.errors import InputError
from posenet3d.models.student import Student, StudentConfig
from posenet3d.models.teacher import Teacher, TeacherConfig
from posenet3d.paths import BUNDLED

DEFAULT = "joint"
"""The bundled checkpoint that is used when none is named: stage 3, teacher and student."""


def list_checkpoints(runs: Path = Path("runs")) -> dict[str, Path]:
    """Name to folder of every checkpoint there is: the bundled ones (the default first), then the runs below `runs`."""
    bundled = sorted((f.parent for f in BUNDLED.glob("*/model.safetensors")), key=lambda f: (f.name != DEFAULT, f.name))
    trained = sorted(f.parent for f in runs.glob("*/model.safetensors") if _can_lift(f.parent)) if runs.is_dir() else []
    return {f.name: f for f in bundled} | {f"{runs.name}/{f.name}": f for f in trained}


def _can_lift(folder: Path) -> bool:
    """Not so a run of the networks that find 2D joints; a run that cannot be read is listed, so that it says what is wrong."""
    try:
        return not str(read_config(folder).get("stage", "")).startswith("pose2d")
    except InputError:
        return True


def find_checkpoint(name: str | Path | None = None, model: str = "teacher") -> Path:
    """Folder of a checkpoint given by name or path; for None the first that has the model.

    Raises:
        InputError: there is no such checkpoint.
    """
    known = list_checkpoints()
    if name is None:
        fitting = [folder for folder in known.values() if model in models_of(folder)]
        if not fitting:
            raise InputError(BUNDLED, f"holds no {model}", f"train one with 'python -m posenet3d train {model}'")
        return fitting[0]
    folder = known.get(str(name), Path(name))
    if not (folder / "model.safetensors").is_file():
        choices = ", ".join(known) or "none is installed"
        raise InputError(
            name, "is no checkpoint (no model.safetensors in it)", f"give a run folder or one of: {choices}"
        )
    return folder


def models_of(folder: Path) -> list[str]:
    """What a checkpoint can lift with: the teacher's skeleton, and the student's body where it has one."""
    return ["teacher", "student"] if (folder / "student.safetensors").is_file() else ["teacher"]


def read_config(folder: Path) -> dict[str, Any]:
    """The checkpoint's config.json.

    Raises:
        InputError: missing, not JSON, or without the settings of a model.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text())
        if not isinstance(config["model"], dict):
            raise KeyError("model")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(path, "is not the config of a checkpoint", "restore it or train again") from error
    return config


def load_weights(module: nn.Module, folder: Path, file_name: str = "model.safetensors") -> None:
    """Fill `module` from a file of the folder.

    Raises:
        InputError: the file is damaged or belongs to a network of another shape.
    """
    path = folder / file_name
    try:
        weights = load_file(path)
        if not all(torch.isfinite(value).all() for value in weights.values()):
            raise InputError(path, "holds weights that are not numbers", "train again with a lower learning rate")
        module.load_state_dict(weights)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InputError(path, "does not fit the network that config.json describes", "train again") from error


def load_teacher(folder: Path) -> Teacher:
    """The teacher of a checkpoint, ready to lift (evaluation mode, CPU)."""
    config = read_config(folder)
    try:
        teacher = Teacher(from_dict(TeacherConfig, config["model"]))
    except (TypeError, ValueError, RuntimeError) as error:  # an unknown key, or a size that no network can have
        problem = f"field 'model' describes no network ({str(error).splitlines()[0]})"
        raise InputError(folder / "config.json", problem, "train again with this version") from error
    load_weights(teacher, folder)
    return teacher.eval()


def load_student(folder: Path) -> Student:
    """The student of a checkpoint, ready to lift (evaluation mode, CPU).

    Raises:
        InputError: the checkpoint has no student, or it is damaged.
    """
    if not (folder / "student.safetensors").is_file():
        raise InputError(folder, "has no student", "train one with 'posenet3d train student', or use --model teacher")
    config = read_config(folder)
    try:
        student = Student(from_dict(StudentConfig, config["student"]))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        problem = f"field 'student' describes no network ({str(error).splitlines()[0]})"
        raise InputError(folder / "config.json", problem, "train again with this version") from error
    load_weights(student, folder, "student.safetensors")
    return student.eval()
