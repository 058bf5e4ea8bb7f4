"""Arguments of ``posenet3d data``; nothing heavy is imported here, so that ``--help`` answers at once."""

import argparse
from collections.abc import Callable
from pathlib import Path

SOURCES = "data set, motion-capture file or folder of them, or 2D joints"


def add_data(commands, run: Callable[[argparse.Namespace], None]) -> None:
    """The command ``data`` and its actions."""
    data = commands.add_parser("data", help="data sets and motion capture to the packed format; virtual cameras")
    actions = data.add_subparsers(dest="action", required=True, metavar="ACTION")
    convert = actions.add_parser("convert", help="to packed clips, or to takes in 3D where no camera filmed them")
    convert.add_argument(
        "--source-fps", "--fps", type=float, help="frames per second, where the file does not say it (amc: 120)"
    )
    project = actions.add_parser(
        "project", aliases=["film"], help="2D as virtual cameras around 3D motion see it: packed clips"
    )
    project.set_defaults(action="project")  # under its old name, too
    project.add_argument("--cameras", type=int, default=4, help="around each take (default %(default)s)")
    project.add_argument("--seed", type=int, default=0, help="of their places (default %(default)s)")
    project.add_argument("--fps", type=float, help="frames per second where a take has more")
    project.add_argument("--source-fps", type=float, help="frames per second of an .amc (default 120)")
    project.add_argument("--train", action="store_true", help="leave the 3D out: a file to train on")
    for action in (convert, project):
        action.add_argument("source", type=Path, metavar="SRC", help=SOURCES)
        action.add_argument("out", type=Path, metavar="DST.npz", help="file that is written")
        action.add_argument(
            "--format", metavar="NAME", help="h36m, 3dhp, 3dpw, aist, amass, bvh, amc, trc, photographs, 2d, takes"
        )
        action.add_argument("--unit", help="bvh: m, cm, mm, inch or metres per unit (default: by the body's height)")
        action.add_argument("--asf", type=Path, metavar="FILE", help="amc: its skeleton (default: found beside it)")
        action.add_argument("--axes", choices=["y_up", "z_up"], help="bvh, trc: what is up (default y_up)")
        action.add_argument("--body", metavar="NAME|FILE", help="amass: an official SMPL body (default: the open one)")
        action.add_argument("--subjects", metavar="S9,S11", help="h36m: only these")
        action.add_argument(
            "--detections", metavar="NAME", help="h36m: NAME of data_2d_h36m_NAME.npz (default gt); 3dpw: own or gt"
        )
    data.set_defaults(run=run)
