"""Arguments of ``posenet3d pose2d``; nothing heavy is imported here, so that ``--help`` answers at once."""

import argparse
from collections.abc import Callable
from pathlib import Path


def add_pose2d(commands, run: Callable[[argparse.Namespace], None]) -> None:
    """The command ``pose2d`` and its actions."""
    pose2d = commands.add_parser("pose2d", help="train and score the networks that find 2D joints in pictures")
    actions = pose2d.add_subparsers(dest="action", required=True, metavar="ACTION")
    train = actions.add_parser("train", help="train a teacher, a student distilled from it, or the refiner")
    train.add_argument("stage", choices=["teacher", "student", "refine", "person-detector", "finder"])
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
