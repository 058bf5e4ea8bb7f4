"""``posenet3d pose2d calibrate``: fit a run's calibration on held-out people, and draw what it is worth on others."""

import argparse
import sys

import numpy as np

from posenet3d.errors import InputError
from posenet3d.io.atomic import atomic_write
from posenet3d.pose2d.estimator import Estimator
from posenet3d.pose2d.evaluation.calibration import (
    Bar,
    calibrate,
    calibration_error,
    reliability,
    write_calibration,
)
from posenet3d.pose2d.evaluation.evaluate import estimate_all
from posenet3d.pose2d.evaluation.scoring import is_near
from posenet3d.pose2d.training.runs import BLOCK, Photographs, people_held_out


def calibrate_run(options: argparse.Namespace, photographs: Photographs) -> None:
    """Every second block of held-out pictures tells the lines, the others how good they are."""
    if options.plot is not None and not options.plot.parent.is_dir():
        raise InputError(options.plot, "its folder does not exist", "make the folder first")
    estimator = Estimator(options.run_folder, is_calibrated=False)
    confidence, is_right, counts, is_for_fit = (
        np.concatenate(part) for part in zip(*_judged(estimator, photographs), strict=True)
    )
    if not (is_for_fit.any() and (~is_for_fit).any()):
        raise InputError("--data", "has too few held-out pictures", "give some hundred pictures or more")
    calibration = calibrate(confidence[is_for_fit], is_right[is_for_fit], counts[is_for_fit])
    write_calibration(options.run_folder, calibration)
    rest = ~is_for_fit[:, None] & counts
    before = reliability(confidence[rest], is_right[rest])
    after = reliability(calibration(confidence)[rest], is_right[rest])
    sys.stdout.write(
        f"{options.run_folder}: expected calibration error {100 * calibration_error(before):.1f} % before, "
        f"{100 * calibration_error(after):.1f} % after, on {int(rest.sum())} joints that it was not fitted on\n"
    )
    if options.plot is not None:
        with atomic_write(options.plot) as file:
            file.write(reliability_svg({"as the network says": before, "calibrated": after}).encode())


def _judged(estimator: Estimator, photographs: Photographs) -> list[tuple[np.ndarray, ...]]:
    """Of each source's held-out people: confidences, which joints are right, which count, and who is for the fit."""
    judged: list[tuple[np.ndarray, ...]] = []
    for labels, pictures in photographs.sources:
        people = people_held_out(labels)
        if not people:
            continue
        found = estimate_all(estimator, people, pictures)
        labelled = np.stack([person.joints for person in people])
        is_right, counts = is_near(found[..., :2], labelled[..., :2], labelled[..., 2] > 0, labels.joint_set.name)
        ranks = {image: rank for rank, image in enumerate(sorted({person.image_id for person in people}))}
        block = np.array([ranks[person.image_id] // BLOCK for person in people])
        judged.append((found[..., 2], is_right, counts, block % 2 == 0))
    if not judged:
        raise InputError("--data", "has nobody held out", "give some hundred pictures or more")
    return judged


SIDE, MARGIN = 320, 46
COLOURS = ("#999999", "#0072b2")


def reliability_svg(curves: dict[str, list[Bar]]) -> str:
    """Share of joints that are right over confidence, one line per entry; on the diagonal confidence is what it says."""

    def place(x: float, y: float) -> str:
        return f"{MARGIN + SIDE * x:.1f},{MARGIN / 2 + SIDE * (1 - y):.1f}"

    def text(x: float, y: float, words: str, anchor: str = "middle") -> str:
        left, top = place(x, y).split(",")
        return f'<text x="{left}" y="{top}" text-anchor="{anchor}">{words}</text>'

    width, height = SIDE + 2 * MARGIN, SIDE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<polyline points="{place(0.0, 1.0)} {place(0.0, 0.0)} {place(1.0, 0.0)}" fill="none" stroke="#444"/>',
        f'<polyline points="{place(0.0, 0.0)} {place(1.0, 1.0)}" fill="none" stroke="#444" stroke-dasharray="4"/>',
        *(text(tick / 5, -0.055, f"{20 * tick} %") for tick in range(6)),
        *(text(-0.02, tick / 5 - 0.01, f"{20 * tick} %", "end") for tick in range(1, 6)),
        text(0.5, -0.12, "confidence"),
        text(0.0, 1.03, "joints within a fifth of the torso", "start"),
    ]
    for row, ((name, bars), colour) in enumerate(zip(curves.items(), COLOURS, strict=True)):
        line = " ".join(place(bar.confidence, bar.right) for bar in bars)
        most = max(bar.joints for bar in bars)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for bar in bars:
            x, y = place(bar.confidence, bar.right).split(",")
            parts.append(f'<circle cx="{x}" cy="{y}" r="{2 + 6 * (bar.joints / most) ** 0.5:.1f}" fill="{colour}"/>')
        error = f"{100 * calibration_error(bars):.1f} % off"
        parts.append(f'<g fill="{colour}">{text(0.98, 0.1 - 0.05 * row, f"{name}: {error}", "end")}</g>')
    return "\n".join([*parts, "</svg>", ""])
