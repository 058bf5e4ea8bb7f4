"""``posenet3d evaluate``: compare a lifted file with ground truth."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from posenet3d.errors import InputError

if TYPE_CHECKING:
    from posenet3d.cli import Commands


def add(commands: Commands) -> None:
    """Add the command ``evaluate``."""
    evaluate = commands.add_parser("evaluate", help="errors of a lifted file against ground truth")
    evaluate.add_argument("prediction", type=Path, metavar="PRED.npz", help="written by 'lift'")
    evaluate.add_argument("data", type=Path, metavar="DATA.npz", help="packed set with joints_3d_cam")
    evaluate.add_argument("--json", action="store_true", help="print JSON instead of a table")
    evaluate.add_argument(
        "--protocol", metavar="NAME", help="of a benchmark: h36m-p1, h36m-p2, h36m-n, 3dhp, 3dhp-17, 3dpw"
    )
    evaluate.add_argument("--every", type=int, default=1, metavar="N", help="protocol: every Nth frame (H36M: 64)")
    evaluate.add_argument(
        "--table", metavar="NAME", help="protocol: print a Markdown table of published results with a row of this name"
    )
    evaluate.add_argument("--input-2d", metavar="NAME", help="table: GT, or the detector of the 2D joints")
    evaluate.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print every metric, or with ``--protocol`` those of a benchmark."""
    from tqdm import tqdm

    from posenet3d.evaluation.evaluate import evaluate, report_text
    from posenet3d.evaluation.protocols import PROTOCOLS, score, score_text
    from posenet3d.evaluation.published import table
    from posenet3d.io.keypoints.packed import read_packed
    from posenet3d.io.lifted_npz import read_lifted

    _check(options)
    predictions, truth = read_lifted(options.prediction), read_packed(options.data)
    if options.protocol is None:
        result = evaluate(predictions, truth)
        content, text = result.to_dict(), report_text(result)
    else:
        scores = score(predictions, truth, options.protocol, every=options.every)
        content, text = scores.to_dict(), score_text(scores)
        if options.table is not None:
            columns = tuple(column.name for column in PROTOCOLS[options.protocol].columns)
            text = table(options.protocol, columns, scores.average, _row_name(options), options.input_2d)
    tqdm.write(json.dumps(content, indent=2) if options.json else text)


def _row_name(options: argparse.Namespace) -> str:
    return f"{options.table} (1 of {options.every} frames)" if options.every > 1 else options.table


def _check(options: argparse.Namespace) -> None:
    from posenet3d.evaluation.protocols import PROTOCOLS

    if options.protocol is not None and options.protocol not in PROTOCOLS:
        problem = f"there is no protocol '{options.protocol[:30]}'"
        raise InputError("--protocol", problem, f"choose one of {', '.join(PROTOCOLS)}")
    if options.every < 1:
        raise InputError("--every", f"{options.every} is not usable", "give 1 for every frame, 64 for every 64th")
    if options.protocol is None and (options.every != 1 or options.table is not None):
        raise InputError("--every and --table", "are for a protocol", "add --protocol, such as h36m-p2")
    if options.table is None and options.input_2d is not None:
        raise InputError("--input-2d", "is for a table", "add --table NAME, or leave it out")
    if options.table is not None and options.json:
        raise InputError("--table and --json", "cannot be combined", "leave one out")
