"""The command ``posenet3d pose2d``: train, evaluate and calibrate the 2D networks, and render people to train on."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, TypeVar

from posenet3d.cli.pose2d_calibrate import calibrate
from posenet3d.cli.pose2d_render import render
from posenet3d.config import from_dict, override
from posenet3d.errors import InputError
from posenet3d.io.atomic import atomic_write
from posenet3d.lifting.checkpoint import read_config
from posenet3d.pose2d.data.annotations import ImageStore, read_labels
from posenet3d.pose2d.data.data_set import PoseDataSet
from posenet3d.pose2d.evaluation import ablation
from posenet3d.pose2d.evaluation.evaluate import score
from posenet3d.pose2d.predict import Estimator
from posenet3d.pose2d.training.estimator import EstimatorTraining, train_estimator
from posenet3d.pose2d.training.person_detector import PersonDetectorTraining, train_person_detector
from posenet3d.pose2d.training.refiner import RefinerTraining, train_refiner

PERSON_DETECTOR = ("person-detector", "finder")
"""Names of the person detector's stage: the one to write, and the older one."""

Settings = TypeVar("Settings", EstimatorTraining, RefinerTraining, PersonDetectorTraining)


def pose2d(options: argparse.Namespace) -> None:
    """``posenet3d pose2d train | evaluate | calibrate | report | render``."""
    if options.action in ("calibrate", "report"):
        {"calibrate": calibrate, "report": report}[options.action](options, _data_set(options))
    else:
        {"train": train, "evaluate": evaluate, "render": render}[options.action](options)


def train(options: argparse.Namespace) -> None:
    """``pose2d train``: train a teacher, a student, the refiner or the person detector."""
    _check(options)
    data = _data_set(options)
    if options.stage == "refine":
        refiner = _settings(options, RefinerTraining, data.joint_set)
        runs = {"student_run": options.student, "teacher_run": options.teacher}
        train_refiner(data, refiner, options.out, **runs, resume=options.resume)
    elif options.stage in PERSON_DETECTOR:
        detector = _settings(options, PersonDetectorTraining)
        train_person_detector(data, detector, options.out, imagenet=options.imagenet, resume=options.resume)
    else:
        estimator = _settings(options, EstimatorTraining, data.joint_set)
        runs = {"teacher_run": options.teacher, "init": options.init, "imagenet": options.imagenet}
        train_estimator(data, estimator, options.out, **runs, resume=options.resume)


def evaluate(options: argparse.Namespace) -> None:
    """``pose2d evaluate``: print PCK and OKS-AP of a run on annotated people, with the boxes of the annotations."""
    if options.out is not None and not options.out.parent.is_dir():
        raise InputError(options.out, "its folder does not exist", "make the folder first")
    data = _data_set(options)
    estimator = Estimator(options.run_folder, refine=not options.no_refine)
    if estimator.joint_set.name != data.joint_set:
        problem = f"estimates {estimator.joint_set.name}, and the data has {data.joint_set}"
        raise InputError(options.run_folder, problem, "give data with the same joints")
    scores, results = score(estimator, data, held_out_only=options.held_out)
    if options.out is not None:
        with atomic_write(options.out) as file:
            file.write(json.dumps(results).encode())
    sys.stdout.write(json.dumps(scores, indent=2) + "\n" if options.json else _table(scores))


def report(options: argparse.Namespace, data: PoseDataSet) -> None:
    """``pose2d report``: train and measure what is missing of the ablation table, and write it."""
    ablation.report(
        data,
        teacher=options.teacher,
        bundled=options.bundled,
        runs=options.runs,
        out=options.out,
        seeds=options.seeds,
        train=not options.no_train,
    )


def _table(scores: dict[str, dict[str, Any]]) -> str:
    lines = []
    for name, values in scores.items():
        lines.append(name)
        lines += [f"  {key:10} {value:8.1f}" for key, value in values.items() if isinstance(value, float)]
        lines += [f"    {joint:12} {value:6.1f}" for joint, value in values["PCK@0.2 by joint"].items()]
    return "\n".join(lines) + "\n"


def _data_set(options: argparse.Namespace) -> PoseDataSet:
    if len(options.data) != len(options.pictures):
        problem = f"names {len(options.pictures)} places for {len(options.data)} annotation files"
        raise InputError("--pictures", problem, "give the images of each file of --data, in the same order")
    sources = zip(options.data, options.pictures, strict=True)
    return PoseDataSet(tuple((read_labels(annotations), ImageStore(images)) for annotations, images in sources))


def _check(options: argparse.Namespace) -> None:
    out: Path = options.out
    has_state = (out / "state" / "latest.pt").exists()
    if has_state and not options.resume:
        raise InputError(out, "already holds a run", "add --resume to continue it, or choose another --out")
    if options.resume and (options.set or not has_state):
        raise InputError(
            "--resume", "continues a run with its own settings", "name an unfinished run, and leave --set out"
        )
    needed = {"student": ("teacher",), "refine": ("teacher", "student")}
    for name in needed.get(options.stage, ()):
        if getattr(options, name) is None:
            raise InputError(f"--{name}", f"is needed by 'pose2d train {options.stage}'", "name the run")


def _settings(options: argparse.Namespace, kind: type[Settings], joint_set: str | None = None) -> Settings:
    if options.resume:
        config = read_config(options.out)
        model = config["refiner"] if kind is RefinerTraining else config["model"]
        try:
            return from_dict(kind, {**config["training"], "model": model})
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(options.out / "config.json", f"cannot be continued ({error})", "start again") from error
    try:
        return override(kind(), [*([f"model.joint_set={joint_set}"] if joint_set else []), *options.set])
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError("--set", str(error), "change the value") from error
