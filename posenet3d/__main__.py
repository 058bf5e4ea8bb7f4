"""The command line: ``python -m posenet3d lift | evaluate | export | train | pose2d | data | bench | report | checkpoints``.

Heavy imports happen inside the commands, so that ``--help`` answers at once.
"""

import argparse
import sys
from pathlib import Path

from posenet3d import __version__
from posenet3d.cli import app
from posenet3d.cli.data_arguments import add_data
from posenet3d.cli.pose2d_arguments import add_pose2d
from posenet3d.errors import InputError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code is 0, or 2 with one sentence on stderr for input that cannot be used."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except InputError as error:
        print(f"posenet3d {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        hint = "; add --resume to go on" if options.command == "train" else ""
        print(f"posenet3d {options.command}: interrupted, nothing was left half-written{hint}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader (head, less) has seen enough
        sys.stdout = None  # type: ignore[assignment]  # or the interpreter complains when it flushes at exit
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="posenet3d", description="2D joints in, a smooth 3D skeleton out, learnt from 2D alone."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (
        _add_lift,
        _add_detect,
        _add_detectors,
        _add_evaluate,
        _add_export,
        _add_train,
        _add_pose2d,
        _add_data,
        _add_bench,
        _add_report,
        _add_checkpoints,
        app.add,
    ):
        add(commands)
    return parser


def _add_lift(commands) -> None:
    lift = commands.add_parser("lift", help="2D joints to a 3D skeleton", description="Lift 2D joints to 3D.")
    lift.add_argument(
        "input", type=Path, metavar="INPUT", help="video, folder of pictures, keypoint file or folder, packed .npz set"
    )
    lift.add_argument("-o", "--out", type=Path, required=True, metavar="OUT.npz")
    lift.add_argument("--model", choices=["teacher", "student"], default="teacher")
    lift.add_argument("--checkpoint", metavar="NAME|DIR", help="default: the bundled one")
    lift.add_argument("--track", metavar="N|all", help="which person (default: the most complete track)")
    _add_detector_options(lift)
    lift.add_argument("--joint-set", metavar="NAME", help="force the input's joint set, e.g. BODY_25B")
    lift.add_argument("--height", type=float, metavar="M", help="body height in metres, sets the scale (default 1.70)")
    lift.add_argument("--image-size", metavar="WxH", help="of the video, in pixels, where the file does not say it")
    lift.add_argument("--fov", type=float, metavar="DEG", help="field of view along the image's longer side")
    lift.add_argument(
        "--no-fit", action="store_true", help="student: the network alone, its joints not turned onto the 2D"
    )
    lift.add_argument("--refine", action="store_true", help="nudge each clip towards bones of constant length (slower)")
    lift.add_argument("--fps", type=float, help="frames per second of the input (default: as stored, else 30)")
    lift.set_defaults(run=_lift)


def _add_detector_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--detector", metavar="NAME", help="for videos (default: the best one that is installed)")
    parser.add_argument("--detector-model", type=Path, metavar="FILE", help="mediapipe: a .task file of your own")


def _lift(options: argparse.Namespace) -> None:
    from posenet3d.cli.lift import lift

    lift(options)


def _add_detect(commands) -> None:
    detect = commands.add_parser("detect", help="2D joints of everybody in a video or in pictures, as COCO JSON")
    detect.add_argument("input", type=Path, metavar="INPUT", help="video, picture, or folder of pictures")
    detect.add_argument("-o", "--out", type=Path, required=True, metavar="OUT.json")
    _add_detector_options(detect)
    detect.add_argument("--fps", type=float, help="pictures per second (default: as stored, else 30)")
    detect.set_defaults(run=_detect)


def _detect(options: argparse.Namespace) -> None:
    from posenet3d.cli.detect import detect_command

    detect_command(options)


def _add_detectors(commands) -> None:
    detectors = commands.add_parser("detectors", help="list the detectors of 2D joints, or install one")
    detectors.add_argument("--install", metavar="NAME", help="into an environment of its own")
    detectors.set_defaults(run=_detectors)


def _detectors(options: argparse.Namespace) -> None:
    from posenet3d.cli.detect import detectors_command

    detectors_command(options)


def _add_evaluate(commands) -> None:
    evaluate = commands.add_parser("evaluate", help="errors of a lifted file against ground truth")
    evaluate.add_argument("prediction", type=Path, metavar="PRED.npz", help="written by 'lift'")
    evaluate.add_argument("data", type=Path, metavar="DATA.npz", help="packed set with joints_3d_cam")
    evaluate.add_argument("--json", action="store_true", help="print JSON instead of a table")
    evaluate.add_argument(
        "--protocol", metavar="NAME", help="a benchmark's: h36m-p1, h36m-p2, h36m-n, 3dhp, 3dhp-17, 3dpw"
    )
    evaluate.add_argument("--every", type=int, default=1, metavar="N", help="protocol: every Nth frame (H36M: 64)")
    evaluate.add_argument(
        "--table", metavar="NAME", help="protocol: a row of that name beside published ones, Markdown"
    )
    evaluate.add_argument("--input-2d", metavar="NAME", help="table: GT, or the detector that the 2D is from")
    evaluate.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> None:
    from posenet3d.cli.evaluate import evaluate_command

    evaluate_command(options)


def _add_export(commands) -> None:
    export = commands.add_parser(
        "export", help="a lifted clip as AMASS, BVH, glTF, TRC, CSV, OBJ, 3DPW or film; all clips as VideoPose3D"
    )
    export.add_argument("lifted", type=Path, metavar="LIFTED.npz", help="written by 'lift'")
    formats = ["amass", "bvh", "gltf", "trc", "csv", "obj", "videopose3d", "3dpw", "mp4", "gif"]
    export.add_argument("--to", choices=formats, help="the format (default: as OUT ends)")
    export.add_argument("-o", "--out", type=Path, metavar="OUT", help="default: beside the input, with its name")
    export.add_argument("--clip", type=int, metavar="N", help="which clip, from 0 (needed where there are several)")
    export.add_argument(
        "--frame", type=int, metavar="N", help="obj: which frame, from 0 (default: first with a person)"
    )
    export.add_argument("--axes", choices=["camera", "y_up", "z_up"], help="default: the format's own")
    export.add_argument(
        "--beside", type=Path, metavar="OTHER.npz", help="mp4, gif: another lifting of the clip, shown beside it"
    )
    export.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> None:
    from posenet3d.cli.export import export

    export(options)


def _add_train(commands) -> None:
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
    train.add_argument("--resume", action="store_true", help="go on with the run in --out")
    train.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> None:
    from posenet3d.cli.train import train

    train(options)


def _add_pose2d(commands) -> None:
    add_pose2d(commands, _pose2d)


def _pose2d(options: argparse.Namespace) -> None:
    from posenet3d.cli.pose2d import pose2d

    pose2d(options)


def _add_data(commands) -> None:
    add_data(commands, _data)


def _data(options: argparse.Namespace) -> None:
    from posenet3d.cli.data import data

    data(options)


def _add_bench(commands) -> None:
    bench = commands.add_parser("bench", help="speed, as ratios against named peers in the same run")
    bench.add_argument("--seconds", type=float, default=5.0, help="time spent on each measurement")
    bench.set_defaults(run=_bench)


def _bench(options: argparse.Namespace) -> None:
    from posenet3d.bench.speed import bench

    bench(options.seconds)


def _add_report(commands) -> None:
    report = commands.add_parser("report", help="what each training stage bought, as a table; trains what is missing")
    report.add_argument(
        "--data", type=Path, required=True, metavar="FOLDER", help="holds train_2d.npz, dev.npz, dev_detected.npz"
    )
    report.add_argument("--runs", type=Path, default=Path("runs/report"), help="run folders (default %(default)s)")
    report.add_argument("--out", type=Path, default=Path("docs/results.md"), help="table (default %(default)s)")
    report.add_argument("--seeds", type=int, default=3, help="seeds of the main rows (default %(default)s)")
    report.add_argument("--no-train", action="store_true", help="measure finished runs, train nothing")
    report.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> None:
    from posenet3d.evaluation.ablation import report

    print(report(options.data, options.runs, options.out, seeds=options.seeds, train=not options.no_train))


def _add_checkpoints(commands) -> None:
    checkpoints = commands.add_parser("checkpoints", help="list the checkpoints that can be used")
    checkpoints.set_defaults(run=_checkpoints)


def _checkpoints(options: argparse.Namespace) -> None:
    from posenet3d.lifting.checkpoint import list_checkpoints

    for name, folder in list_checkpoints().items():
        print(f"{name}\t{folder}")


if __name__ == "__main__":
    sys.exit(main())
