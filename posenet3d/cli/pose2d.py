"""``posenet3d pose2d``: train and score the networks that find 2D joints, and draw pictures to train on."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from posenet3d.errors import InputError

if TYPE_CHECKING:
    from typing import Any, TypeVar

    from posenet3d.cli import Commands
    from posenet3d.pose2d.data.data_set import PoseDataSet
    from posenet3d.pose2d.training.estimator import EstimatorTraining
    from posenet3d.pose2d.training.person_detector import PersonDetectorTraining
    from posenet3d.pose2d.training.refiner import RefinerTraining

    Settings = TypeVar("Settings", EstimatorTraining, RefinerTraining, PersonDetectorTraining)


PERSON_DETECTOR = ("person-detector", "finder")
"""Names of the person detector's stage: the one to write, and the older one."""


def add(commands: Commands) -> None:
    """Add the command ``pose2d``."""
    pose2d = commands.add_parser("pose2d", help="train and score the networks that find 2D joints in pictures")
    actions = pose2d.add_subparsers(dest="action", required=True, metavar="ACTION")
    train = actions.add_parser("train", help="train a teacher, a student distilled from it, or the refiner")
    train.add_argument("stage", choices=["teacher", "student", "refine", *PERSON_DETECTOR])
    train.add_argument("--out", type=Path, required=True, metavar="RUN", help="run folder")
    train.add_argument("--teacher", type=Path, metavar="RUN", help="student, refine: the teacher's run")
    train.add_argument("--student", type=Path, metavar="RUN", help="refine: the student's run")
    train.add_argument("--init", type=Path, metavar="RUN", help="start from the weights of this run")
    train.add_argument(
        "--imagenet",
        type=Path,
        metavar="FILE.pth",
        help="EfficientNet-Lite0's published weights, for model.backbone=lite",
    )
    train.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="e.g. steps=1000")
    train.add_argument("--resume", action="store_true", help="go on with the run in --out")
    evaluate = actions.add_parser("evaluate", help="PCK and OKS-AP of a run, with the boxes of the annotations")
    evaluate.add_argument("run_folder", type=Path, metavar="RUN")
    evaluate.add_argument("--out", type=Path, metavar="RESULTS.json", help="write the official results file")
    evaluate.add_argument("--held-out", action="store_true", help="only the tenth that training leaves out")
    evaluate.add_argument("--no-refine", action="store_true", help="the student alone")
    evaluate.add_argument("--json", action="store_true", help="print JSON instead of a table")
    calibrate = actions.add_parser(
        "calibrate", help="make a run's confidence mean what it says, by its held-out people"
    )
    calibrate.add_argument("run_folder", type=Path, metavar="RUN")
    calibrate.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw confidence over what it is worth")
    render = actions.add_parser("render", help="draw pictures of people to train on, with exact labels")
    render.add_argument("out", type=Path, metavar="FOLDER", help="new folder for people.json and pictures/")
    render.add_argument("--count", type=int, default=1000, help="how many pictures (default %(default)s)")
    render.add_argument(
        "--joints", choices=["crowdpose14", "coco17"], default="crowdpose14", help="default %(default)s"
    )
    render.add_argument("--seed", type=int, default=0, help="default %(default)s")
    report = actions.add_parser(
        "report", help="what each part of the estimator buys, as a table; trains what is missing"
    )
    report.add_argument(
        "--teacher", type=Path, required=True, metavar="RUN", help="the teacher's run, which is not trained"
    )
    report.add_argument("--bundled", type=Path, metavar="RUN", help="one more run for the table")
    report.add_argument("--runs", type=Path, default=Path("runs/pose2d"), help="run folders (default %(default)s)")
    report.add_argument("--out", type=Path, default=Path("docs/pose2d.md"), help="table (default %(default)s)")
    report.add_argument("--seeds", type=int, default=3, help="default %(default)s")
    report.add_argument("--no-train", action="store_true", help="measure finished runs, train nothing")
    for action in (train, evaluate, calibrate, report):
        formats = "annotations of COCO keypoints or CrowdPose"
        action.add_argument("--data", type=Path, nargs="+", required=True, metavar="FILE.json", help=formats)
        places = "the pictures of each annotation file"
        action.add_argument("--pictures", type=Path, nargs="+", required=True, metavar="FOLDER|ZIP", help=places)
    pose2d.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run one action of ``pose2d``."""
    from posenet3d.cli.pose2d_calibrate import calibrate
    from posenet3d.cli.pose2d_render import render

    if options.action in ("calibrate", "report"):
        {"calibrate": calibrate, "report": report}[options.action](options, _data_set(options))
    else:
        {"train": train, "evaluate": evaluate, "render": render}[options.action](options)


def train(options: argparse.Namespace) -> None:
    """``pose2d train``: train a teacher, a student, the refiner or the person detector."""
    from posenet3d.pose2d.training.estimator import EstimatorTraining, train_estimator
    from posenet3d.pose2d.training.person_detector import PersonDetectorTraining, train_person_detector
    from posenet3d.pose2d.training.refiner import RefinerTraining, train_refiner

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
    from posenet3d.io.atomic import atomic_write
    from posenet3d.pose2d.evaluation.evaluate import score
    from posenet3d.pose2d.predict import Estimator

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
    from posenet3d.pose2d.evaluation import ablation

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
    from posenet3d.pose2d.data.annotations import ImageStore, read_labels
    from posenet3d.pose2d.data.data_set import PoseDataSet

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
    from posenet3d.config import from_dict, override
    from posenet3d.io.run_config import RunConfig
    from posenet3d.pose2d.training.refiner import RefinerTraining

    if options.resume:
        config = RunConfig.read(options.out)
        model = config.refiner if kind is RefinerTraining else config.model
        try:
            return from_dict(kind, {**(config.training or {}), "model": model})
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(options.out / "config.json", f"cannot be continued ({error})", "start again") from error
    try:
        return override(kind(), [*([f"model.joint_set={joint_set}"] if joint_set else []), *options.set])
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError("--set", str(error), "change the value") from error
