"""Checkpoints: a folder with ``config.json`` and ``model.safetensors``, bundled with the library or written by a training run."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from posenet3d.config import from_dict
from posenet3d.errors import InputError
from posenet3d.io.run_config import RunConfig
from posenet3d.models.student import Student, StudentConfig
from posenet3d.models.teacher import Teacher, TeacherConfig
from posenet3d.paths import BUNDLED, is_folder, is_plain_file, runs_folder
from posenet3d.renamed import current_name

Config = TypeVar("Config")
Network = TypeVar("Network", bound=nn.Module)

DEFAULT = "joint"
"""The bundled checkpoint that is used when none is named: stage 3, teacher and student."""


def list_checkpoints(runs: Path | None = None) -> dict[str, Path]:
    """Return name and folder of every checkpoint: the bundled ones (the default first), then those in the folder of runs.

    Args:
        runs: the folder of runs; `posenet3d.paths.runs_folder` if None.
    """
    runs = runs_folder() if runs is None else runs
    weights = filter(is_plain_file, runs.glob("*/model.safetensors")) if is_folder(runs) else ()
    bundled = sorted((f.parent for f in BUNDLED.glob("*/model.safetensors")), key=lambda f: (f.name != DEFAULT, f.name))
    trained = sorted(f.parent for f in weights if _can_lift(f.parent))
    return {f.name: f for f in bundled} | {f"{runs.name}/{f.name}": f for f in trained}


def _can_lift(folder: Path) -> bool:
    """Return False for runs of 2D networks. Unreadable runs stay listed, so that choosing one shows the error."""
    try:
        return not str(RunConfig.read(folder).stage).startswith("pose2d")
    except InputError:
        return True


def find_checkpoint(name: str | Path | None = None, model: str = "teacher") -> Path:
    """Return the folder of a checkpoint given by name or path; for None the first that has the model.

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
    if not is_plain_file(folder / "model.safetensors"):
        choices = ", ".join(known) or "none is installed"
        raise InputError(
            name, "is no checkpoint (no model.safetensors in it)", f"give a run folder or one of: {choices}"
        )
    return folder


def models_of(folder: Path) -> list[str]:
    """Return the models of a checkpoint: 'teacher' (a skeleton), and 'student' (a body) where it has one."""
    return ["teacher", "student"] if is_plain_file(folder / "student.safetensors") else ["teacher"]


def build_network(kind: Callable[[Config], Network], config: Config, path: Path) -> Network:
    """Build a network for the weights in a file, after comparing their shapes: a config may ask for more than the memory.

    Args:
        kind: class of the network.
        config: its settings.
        path: of the weights, which are not loaded.

    Raises:
        InputError: the file is damaged or belongs to a network of another shape.
        TypeError: the settings are of a wrong type; ValueError or RuntimeError: no network can have them.
    """
    stored = _stored_shapes(path)
    with torch.device("meta"):  # shapes without memory
        expected = {name: tuple(value.shape) for name, value in kind(config).state_dict().items()}
    if expected != stored:
        raise InputError(path, "does not fit the network that config.json describes", "train again")
    return kind(config)


def _check_is_file(weights: Path) -> None:
    if not is_plain_file(weights):  # reading a pipe would wait for ever
        raise InputError(weights, "is missing, or is not a plain file", "restore it or train again")


def _stored_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes in the header of a safetensors file.

    Raises:
        InputError: it cannot be read.
    """
    _check_is_file(path)
    try:
        with safe_open(path, "pt") as file:
            return {current_name(name): tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InputError(path, "is no readable file of weights", "restore it or train again") from error


def load_weights(module: nn.Module, folder: Path, file_name: str = "model.safetensors") -> None:
    """Fill `module` from a file of the folder.

    Raises:
        InputError: the file is damaged or belongs to a network of another shape.
    """
    path = folder / file_name
    _check_is_file(path)
    try:
        weights = {current_name(name): value for name, value in load_file(path).items()}
        if not all(torch.isfinite(value).all() for value in weights.values()):
            raise InputError(path, "holds weights that are not numbers", "train again with a lower learning rate")
        module.load_state_dict(weights)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InputError(path, "does not fit the network that config.json describes", "train again") from error


def load_teacher(folder: Path) -> Teacher:
    """Load the teacher of a checkpoint, in evaluation mode on the CPU.

    Raises:
        InputError: the checkpoint is damaged.
    """
    config = RunConfig.read(folder)
    try:
        settings = from_dict(TeacherConfig, dict(config.model))
        teacher = build_network(Teacher, settings, folder / "model.safetensors")
    except InputError:
        raise
    except (
        TypeError,
        ValueError,
        RuntimeError,
        AttributeError,
    ) as error:  # an unknown key, or a size that no network can have
        raise _no_network(folder, "model", error) from error
    load_weights(teacher, folder)
    return teacher.eval()


def load_student(folder: Path) -> Student:
    """Load the student of a checkpoint, in evaluation mode on the CPU.

    Raises:
        InputError: the checkpoint has no student, or it is damaged.
    """
    if not is_plain_file(folder / "student.safetensors"):
        raise InputError(folder, "has no student", "train one with 'posenet3d train student', or use --model teacher")
    config = RunConfig.read(folder).student
    if config is None:
        raise InputError(folder / "config.json", "has no field 'student'", "train again with this version")
    try:
        settings = from_dict(StudentConfig, dict(config))
        student = build_network(Student, settings, folder / "student.safetensors")
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise _no_network(folder, "student", error) from error
    load_weights(student, folder, "student.safetensors")
    return student.eval()


def _no_network(folder: Path, field: str, error: Exception) -> InputError:
    problem = f"field '{field}' describes no network ({(str(error).splitlines() or [type(error).__name__])[0]})"
    return InputError(folder / "config.json", problem, "train again with this version")
