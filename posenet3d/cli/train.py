"""``posenet3d train``: train a stage on 2D joints."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from posenet3d.errors import InputError

if TYPE_CHECKING:
    from typing import TypeVar

    from posenet3d.cli import Commands
    from posenet3d.training.joint import JointTraining
    from posenet3d.training.lifter import TeacherTraining
    from posenet3d.training.student import StudentTraining

    Training = TypeVar("Training", TeacherTraining, StudentTraining, JointTraining)


def add(commands: Commands) -> None:
    """Add the command ``train``."""
    train = commands.add_parser(
        "train", help="train a stage on 2D data", description="Train a stage on 2D joints only."
    )
    train.add_argument("stage", choices=["teacher", "student", "joint"])
    train.add_argument("--data", type=Path, nargs="+", required=True, metavar="FILE", help="2D sequences, any format")
    train.add_argument("--out", type=Path, required=True, metavar="RUN", help="run folder")
    train.add_argument(
        "--init",
        type=Path,
        metavar="RUN",
        help="teacher: start from its weights; student and joint: the teacher's run (student's default: the bundled one)",
    )
    train.add_argument("--student", type=Path, metavar="RUN", help="joint: the student's run")
    train.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="settings, e.g. frame_steps=1000"
    )
    train.add_argument("--resume", action="store_true", help="continue the run in --out")
    train.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Start or resume a run; under torchrun in many processes."""
    import torch

    from posenet3d.io.keypoints.read import read_keypoints
    from posenet3d.lifting.checkpoint import find_checkpoint
    from posenet3d.training.joint import JointTraining, train_joint
    from posenet3d.training.lifter import TeacherTraining
    from posenet3d.training.student import StudentTraining, train_student
    from posenet3d.training.teacher import train_teacher

    _check(options)
    kind = {"teacher": TeacherTraining, "student": StudentTraining, "joint": JointTraining}[options.stage]
    settings = _settings_of(options.out, kind) if options.resume else _checked(kind(), options.set)
    sequences = [sequence for path in options.data for sequence in read_keypoints(path)]
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:  # started by torchrun
        torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    out, resume = options.out, options.resume
    try:
        if isinstance(settings, JointTraining):
            runs = {"teacher_run": find_checkpoint(options.init), "student_run": find_checkpoint(options.student)}
            train_joint(sequences, settings, out, **runs, resume=resume)
        elif isinstance(settings, StudentTraining):
            teacher_run = find_checkpoint(options.init or "teacher")
            train_student(sequences, settings, out, teacher_run=teacher_run, resume=resume)
        else:
            train_teacher(sequences, settings, out, resume=resume, init=options.init)
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _check(options: argparse.Namespace) -> None:
    """Refuse runs that cannot be started, before any data is read."""
    out: Path = options.out
    if out.exists() and not out.is_dir():
        raise InputError(out, "is not a folder", "choose another --out")
    has_state = (out / "state" / "latest.pt").exists()
    if has_state and not options.resume:
        raise InputError(out, "already holds a run", "add --resume to continue it, or choose another --out")
    if options.resume and not has_state:
        raise InputError(out, "holds no run to resume (no state/latest.pt)", "leave --resume out to start one")
    if options.resume and options.set:
        raise InputError("--set", "cannot change a run that is being resumed", "start a new run with --out and --init")
    if options.stage == "joint" and (options.init is None or options.student is None):
        raise InputError(
            "train joint", "needs both runs", "name the teacher's run with --init, the student's with --student"
        )
    if options.stage != "joint" and options.student is not None:
        raise InputError("--student", "belongs to 'train joint'", "leave it out")


def _settings_of(run: Path, kind: type[Training]) -> Training:
    from posenet3d.config import from_dict
    from posenet3d.io.run_config import RunConfig
    from posenet3d.training.joint import JointTraining
    from posenet3d.training.lifter import TeacherTraining

    config = RunConfig.read(run)
    content = dict(config.training or {})
    if kind is not JointTraining:
        content["model"] = config.model if kind is TeacherTraining else config.student
    try:
        return from_dict(kind, content)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(run / "config.json", f"cannot be used to continue ({error})", "start a new run") from error


def _checked(settings: Training, assignments: list[str]) -> Training:
    from posenet3d.config import override

    try:
        return override(settings, assignments)
    except InputError:
        raise
    except ValueError as error:  # a settings dataclass refused its values
        raise InputError("--set", str(error), "change the value") from error
