"""What ``posenet3d pose2d`` does: train the 2D networks, score them, and draw pictures of people to train on."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, TypeVar

from posenet3d.cli.pose2d_calibrate import calibrate_run
from posenet3d.cli.pose2d_render import render
from posenet3d.config import from_dict, override
from posenet3d.errors import InputError
from posenet3d.io.atomic import atomic_write
from posenet3d.io.run_config import RunConfig
from posenet3d.pose2d.data.annotations import Pictures, read_labels
from posenet3d.pose2d.estimator import Estimator
from posenet3d.pose2d.evaluation.ablation import report
from posenet3d.pose2d.evaluation.evaluate import score
from posenet3d.pose2d.person_detector import PersonDetectorTraining
from posenet3d.pose2d.training.phases import EstimatorTraining, RefinerTraining
from posenet3d.pose2d.training.runs import Photographs, train_estimator, train_person_detector, train_refiner

Settings = TypeVar("Settings", EstimatorTraining, RefinerTraining, PersonDetectorTraining)


def pose2d(options: argparse.Namespace) -> None:
    """``posenet3d pose2d train | evaluate | calibrate | report | render``."""
    if options.action in ("calibrate", "report"):
        {"calibrate": calibrate_run, "report": report}[options.action](options, _photographs(options))
    else:
        {"train": train, "evaluate": evaluate, "render": render}[options.action](options)


def train(options: argparse.Namespace) -> None:
    """``pose2d train``: a teacher, a student, or the refiner."""
    _check(options)
    photographs = _photographs(options)
    if options.stage == "refine":
        refining = _settings(options, RefinerTraining, photographs.joint_set)
        runs = {"student_run": options.student, "teacher_run": options.teacher}
        train_refiner(photographs, refining, options.out, **runs, resume=options.resume)
    elif options.stage == "finder":
        finding = _settings(options, PersonDetectorTraining)
        train_person_detector(photographs, finding, options.out, imagenet=options.imagenet, resume=options.resume)
    else:
        settings = _settings(options, EstimatorTraining, photographs.joint_set)
        runs = {"teacher_run": options.teacher, "init": options.init, "imagenet": options.imagenet}
        train_estimator(photographs, settings, options.out, **runs, resume=options.resume)


def evaluate(options: argparse.Namespace) -> None:
    """``pose2d evaluate``: PCK and OKS-AP of a run on annotated people, with the boxes of the annotations."""
    if options.out is not None and not options.out.parent.is_dir():
        raise InputError(options.out, "its folder does not exist", "make the folder first")
    photographs = _photographs(options)
    estimator = Estimator(options.run_folder, refine=not options.no_refine)
    if estimator.joint_set.name != photographs.joint_set:
        problem = f"estimates {estimator.joint_set.name}, and the data has {photographs.joint_set}"
        raise InputError(options.run_folder, problem, "give data with the same joints")
    scores, results = score(estimator, photographs, is_held_out_only=options.held_out)
    if options.out is not None:
        with atomic_write(options.out) as file:
            file.write(json.dumps(results).encode())
    sys.stdout.write(json.dumps(scores, indent=2) + "\n" if options.json else _table(scores))


def _table(scores: dict[str, dict[str, Any]]) -> str:
    lines = []
    for name, values in scores.items():
        lines.append(name)
        lines += [f"  {key:10} {value:8.1f}" for key, value in values.items() if isinstance(value, float)]
        lines += [f"    {joint:12} {value:6.1f}" for joint, value in values["PCK@0.2 by joint"].items()]
    return "\n".join(lines) + "\n"


def _photographs(options: argparse.Namespace) -> Photographs:
    if len(options.data) != len(options.pictures):
        problem = f"names {len(options.pictures)} places for {len(options.data)} annotation files"
        raise InputError("--pictures", problem, "give the pictures of each file of --data, in the same order")
    sources = zip(options.data, options.pictures, strict=True)
    return Photographs(tuple((read_labels(data), Pictures(pictures)) for data, pictures in sources))


def _check(options: argparse.Namespace) -> None:
    out: Path = options.out
    has_state = (out / "state" / "latest.pt").exists()
    if has_state and not options.resume:
        raise InputError(out, "already holds a run", "add --resume to go on with it, or choose another --out")
    if options.resume and (options.set or not has_state):
        raise InputError("--resume", "goes on with a run as it is", "name a run that was begun, and leave --set out")
    needed = {"teacher": (), "finder": (), "student": ("teacher",), "refine": ("teacher", "student")}[options.stage]
    for name in needed:
        if getattr(options, name) is None:
            raise InputError(f"--{name}", f"is needed by 'pose2d train {options.stage}'", "name the run")


def _settings(options: argparse.Namespace, kind: type[Settings], joint_set: str | None = None) -> Settings:
    if options.resume:
        config = RunConfig.read(options.out)
        model = config.refiner if kind is RefinerTraining else config.model
        try:
            return from_dict(kind, {**(config.training or {}), "model": model})
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(options.out / "config.json", f"cannot be gone on with ({error})", "start again") from error
    try:
        return override(kind(), [*([f"model.joint_set={joint_set}"] if joint_set else []), *options.set])
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError("--set", str(error), "change the value") from error
