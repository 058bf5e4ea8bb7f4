"""``posenet3d pose2d report``: what each part of the 2D estimator buys, as a table; trains what is missing.

Small students, so that several seeds fit a laptop; the teacher is shared. Numbers are kept beside the table as JSON, so that the
command can be stopped and started again.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from posenet3d.config import override
from posenet3d.core.seeds import mean_over_seeds
from posenet3d.errors import InputError
from posenet3d.io.atomic import atomic_write
from posenet3d.pose2d.estimator import Estimator
from posenet3d.pose2d.evaluation.evaluate import score
from posenet3d.pose2d.training.phases import EstimatorTraining, RefinerTraining
from posenet3d.pose2d.training.runs import Photographs, train_estimator, train_refiner

STUDENT = ("model.width=8", "model.tokens=64", "batch=32", "steps=1500", "lr=0.002")
REFINER = ("steps=200", "batch=32")
PLAIN_KD = ("relations=0", "distances=0")

STUDENTS: dict[str, tuple[str, ...] | None] = {
    "student": None,  # without a teacher
    "+ KD": PLAIN_KD,
    "+ KD + structure": (),
}
"""Rows of stage 1 by the settings that are changed. All go on from one start, which learnt from labels alone for as many steps:
from nothing, a student is better off without a teacher (FPD, Zhang et al., CVPR 2019)."""

REFINERS: dict[str, tuple[str, ...]] = {
    "+ IGP-GCN, teacher's pose (the literal paper)": ("labels=0",),
    "+ IGP-GCN, labels": ("labels=1",),
    "+ IGP-GCN, both": ("labels=0.5",),
    "both, last block supervised alone": ("labels=0.5", "is_progressive=false"),
    "both, without the image": ("labels=0.5", "model.sees_image=false"),
    "both, dense layers of the same size": ("labels=0.5", "model.is_graph=false"),
}
"""Rows of stage 2, on the student of the last row of stage 1."""

BOTH = "+ IGP-GCN, both"
CLAIMS = {  # what is claimed, by the row with it and the row without
    "distillation (stage 1)": ("+ KD", "student"),
    "the structure loss": ("+ KD + structure", "+ KD"),
    "IGP-GCN (stage 2), teacher's pose": ("+ IGP-GCN, teacher's pose (the literal paper)", "+ KD + structure"),
    "IGP-GCN, both": (BOTH, "+ KD + structure"),
    "progressive supervision": (BOTH, "both, last block supervised alone"),
    "the image": (BOTH, "both, without the image"),
    "the graph": (BOTH, "both, dense layers of the same size"),
}

COLUMNS = ("PCK@0.2", "AP", "AP50", "AP75")
AT_ONCE = 8  # people in the picture that speed is measured on
SPEED_S = 3.0


@dataclass(frozen=True)
class Run:
    """One training run of the table."""

    name: str  # its folder
    row: str  # none of the table's if empty
    changes: tuple[str, ...]
    has_teacher: bool = True
    start: str = ""  # the run whose weights it starts from
    student: str = ""  # the run that is refined


def plan(seeds: int) -> list[Run]:
    """Every run of the table but the teacher, each after the run it needs."""
    runs = []
    for seed in range(seeds):
        start = last = f"start-{seed}"
        runs.append(Run(start, "", (*STUDENT, f"loop.seed={seed}"), has_teacher=False))
        for number, (row, changes) in enumerate(STUDENTS.items()):
            settings = (*STUDENT, *(changes or ()), f"loop.seed={seed}")
            last = f"student-{number}-{seed}"
            runs.append(Run(last, row, settings, changes is not None, start))
        for number, (row, changes) in enumerate(REFINERS.items()):
            runs.append(Run(f"refine-{number}-{seed}", row, (*REFINER, *changes, f"loop.seed={seed}"), student=last))
    return runs


def report(options: argparse.Namespace, photographs: Photographs) -> None:
    """Train and measure what is missing, then write the table."""
    if not options.out.parent.is_dir():
        raise InputError(options.out, "its folder does not exist", "make the folder first")
    numbers = options.out.with_suffix(".json")
    measured: dict[str, dict[str, float]] = json.loads(numbers.read_text()) if numbers.is_file() else {}
    others = [options.teacher, *([options.bundled] if options.bundled else [])]
    folders = {f"run {folder.name}": folder for folder in others}
    for run in tqdm(plan(options.seeds), desc="runs"):
        folder = options.runs / run.name
        is_finished = (folder / "state" / "finished").is_file()
        if not (is_finished or options.no_train or run.name in measured):
            _train(run, photographs, options.runs, options.teacher)
            is_finished = True
        if is_finished and run.row:
            folders[run.name] = folder
    for name, folder in tqdm(folders.items(), desc="measured"):
        if name not in measured:
            measured[name] = measure(folder, photographs)
            with atomic_write(numbers) as file:
                file.write(json.dumps(measured, indent=1).encode())
    with atomic_write(options.out) as file:
        file.write(table(measured, options.seeds).encode())


def measure(run: Path, photographs: Photographs) -> dict[str, float]:
    """Scores on held-out people, and what the run costs."""
    estimator = Estimator(run)
    scores, _ = score(estimator, photographs, is_held_out_only=True)
    average = {column: mean(values[column] for values in scores.values()) for column in COLUMNS}
    return average | cost(estimator)


def cost(estimator: Estimator) -> dict[str, float]:
    """Parameters (millions), multiplications of one person (millions), and people per second, all with the refiner."""
    networks = [estimator.network, *([] if estimator.refiner is None else [estimator.refiner])]
    parameters = sum(parameter.numel() for network in networks for parameter in network.parameters())
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8))
    box = (100.0, 50.0, 150.0, 300.0)
    with FlopCounterMode(display=False) as counter:
        estimator.joints_in(picture, [box])
    started, people = time.perf_counter(), 0
    while time.perf_counter() - started < SPEED_S:
        people += len(estimator.joints_in(picture, [box] * AT_ONCE))
    speed = people / (time.perf_counter() - started)
    return {"parameters": parameters / 1e6, "MACs": counter.get_total_flops() / 2e6, "people/s": speed}


def table(measured: dict[str, dict[str, float]], seeds: int) -> str:
    """The table as Markdown; a row without a run says so."""
    rows: dict[str, list[dict[str, float]]] = {}
    for run in (run for run in plan(seeds) if run.row):
        rows.setdefault(run.row, []).extend([measured[run.name]] if run.name in measured else [])
    whole = {name: [numbers] for name, numbers in measured.items() if name.startswith("run ")}
    heads = [*COLUMNS, "parameters, M", "MACs, M", "people/s"]
    lines = [f"| | seeds | {' | '.join(heads)} |", "|---|---|" + "---|" * len(heads)]
    for row, runs in (rows | whole).items():
        cells = [mean_over_seeds([run[column] for run in runs], 1) for column in COLUMNS]
        costs = [
            f"{mean(run[name] for run in runs):.3g}" if runs else "" for name in ("parameters", "MACs", "people/s")
        ]
        lines.append(f"| {row} | {len(runs)} | {' | '.join([*cells, *costs])} |")
    return "\n".join(
        [
            "# The 2D estimator, part by part",
            "",
            "Made by `python -m posenet3d pose2d report` on people that no network was trained on (a tenth of the pictures,",
            "set aside in blocks of twenty), with the boxes of the annotations. Percent; mean and standard deviation over up",
            f"to {seeds} seeds. Costs are one person's, cutting out and refiner included ({torch.get_num_threads()} threads).",
            "Students of the rows without a run's name are small and trained briefly: first all on labels, then as the row says.",
            "They begin with nothing; the bundled networks' backbone began with ImageNet's weights.",
            "",
            *lines,
            "",
            "What each part adds, seed by seed (a seed's runs share their start): it adds if the mean is above",
            "the standard deviation.",
            "",
            *_claims(rows),
            "",
            f"Students: {', '.join(STUDENT)}. Refiners: {', '.join(REFINER)}.",
            "",
        ]
    )


def _claims(rows: dict[str, list[dict[str, float]]]) -> list[str]:
    lines = ["| claim | PCK@0.2 | | AP | |", "|---|---|---|---|---|"]
    for claim, (name, other) in CLAIMS.items():
        cells = []
        for column in ("PCK@0.2", "AP"):
            gains = [a[column] - b[column] for a, b in zip(rows[name], rows[other], strict=False)]
            is_more = len(gains) > 1 and mean(gains) > stdev(gains)
            cells += [mean_over_seeds(gains, 1), ("adds" if is_more else "does not") if gains else ""]
        lines.append(f"| {claim} | {' | '.join(cells)} |")
    return lines


def _train(run: Run, photographs: Photographs, runs: Path, teacher: Path) -> None:
    out = runs / run.name
    resume = (out / "state" / "latest.pt").exists()
    joints = f"model.joint_set={photographs.joint_set}"
    if run.student:
        settings = override(RefinerTraining(), (joints, *run.changes))
        student = runs / run.student
        train_refiner(photographs, settings, out, student_run=student, teacher_run=teacher, resume=resume)
    else:
        stage_1 = override(EstimatorTraining(), (joints, *run.changes))
        taught_by = teacher if run.has_teacher else None
        init = runs / run.start if run.start else None
        train_estimator(photographs, stage_1, out, teacher_run=taught_by, init=init, resume=resume)
