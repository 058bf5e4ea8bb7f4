"""Ablation of the 2D estimator (``posenet3d pose2d report``): a table of what each part adds; trains missing runs.

Students are small, so that several seeds fit a laptop; the teacher is shared. Numbers are stored beside the table as JSON,
so that the command can be interrupted and started again.
"""

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
from posenet3d.core.threads import wanted_threads
from posenet3d.errors import InputError
from posenet3d.io.atomic import atomic_write
from posenet3d.pose2d.data.data_set import PoseDataSet
from posenet3d.pose2d.evaluation.evaluate import score
from posenet3d.pose2d.predict import Estimator
from posenet3d.pose2d.training.estimator import EstimatorTraining, train_estimator
from posenet3d.pose2d.training.refiner import RefinerTraining, train_refiner

STUDENT = ("model.width=8", "model.tokens=64", "batch=32", "steps=1500", "lr=0.002")
REFINER = ("steps=200", "batch=32")
PLAIN_KD = ("relations=0", "distances=0")

STUDENTS: dict[str, tuple[str, ...] | None] = {
    "student": None,  # without a teacher
    "+ KD": PLAIN_KD,
    "+ KD + structure": (),
}
"""Rows of stage 1, with changed settings. All start from one run that learnt from labels alone for as many steps: from random
weights, a student is better without a teacher (FPD, Zhang et al., CVPR 2019)."""

REFINERS: dict[str, tuple[str, ...]] = {
    "+ IGP-GCN, teacher's pose (the literal paper)": ("labels=0",),
    "+ IGP-GCN, labels": ("labels=1",),
    "+ IGP-GCN, both": ("labels=0.5",),
    "both, last block supervised alone": ("labels=0.5", "is_progressive=false"),
    "both, without the image": ("labels=0.5", "model.uses_image=false"),
    "both, dense layers of the same size": ("labels=0.5", "model.is_graph=false"),
}
"""Rows of stage 2, with changed settings, on the student of the last row of stage 1."""

BOTH = "+ IGP-GCN, both"
CLAIMS = {  # the row with a part and the row without it
    "distillation (stage 1)": ("+ KD", "student"),
    "the structure loss": ("+ KD + structure", "+ KD"),
    "IGP-GCN (stage 2), teacher's pose": ("+ IGP-GCN, teacher's pose (the literal paper)", "+ KD + structure"),
    "IGP-GCN, both": (BOTH, "+ KD + structure"),
    "progressive supervision": (BOTH, "both, last block supervised alone"),
    "the image": (BOTH, "both, without the image"),
    "the graph": (BOTH, "both, dense layers of the same size"),
}

COLUMNS = ("PCK@0.2", "AP", "AP50", "AP75")
SPEED_PEOPLE = 8  # boxes per call when speed is measured
SPEED_S = 3.0


@dataclass(frozen=True)
class Run:
    """One training run of the table."""

    name: str  # of its folder
    row: str  # of the table; empty: no row
    changes: tuple[str, ...]
    has_teacher: bool = True
    start: str = ""  # name of the run to start the weights from
    student: str = ""  # name of the run to refine


def plan(seeds: int) -> list[Run]:
    """Return all runs of the table except the teacher, each after the run it depends on."""
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


def report(
    data: PoseDataSet, *, teacher: Path, bundled: Path | None, runs: Path, out: Path, seeds: int, train: bool
) -> None:
    """Train and measure what is missing, then write the table.

    Args:
        data: annotated people; the held-out tenth is scored.
        teacher: run of the teacher.
        bundled: one more run for the table.
        runs: folder of the run folders.
        out: the table (Markdown); its numbers go to a JSON file beside it.
        seeds: number of runs per row.
        train: False to measure finished runs only.

    Raises:
        InputError: the folder of `out` does not exist.
    """
    if not out.parent.is_dir():
        raise InputError(out, "its folder does not exist", "make the folder first")
    numbers = out.with_suffix(".json")
    measured: dict[str, dict[str, float]] = json.loads(numbers.read_text()) if numbers.is_file() else {}
    others = [teacher, *([bundled] if bundled else [])]
    folders = {f"run {folder.name}": folder for folder in others}
    for run in tqdm(plan(seeds), desc="runs"):
        folder = runs / run.name
        is_finished = (folder / "state" / "finished").is_file()
        if train and not (is_finished or run.name in measured):
            _train(run, data, runs, teacher)
            is_finished = True
        if is_finished and run.row:
            folders[run.name] = folder
    for name, folder in tqdm(folders.items(), desc="measured"):
        if name not in measured:
            measured[name] = measure(folder, data)
            with atomic_write(numbers) as file:
                file.write(json.dumps(measured, indent=1).encode())
    with atomic_write(out) as file:
        file.write(table(measured, seeds).encode())


def measure(run: Path, data: PoseDataSet) -> dict[str, float]:
    """Return the scores of a run on held-out people, and its cost."""
    estimator = Estimator(run)
    scores, _ = score(estimator, data, held_out_only=True)
    average = {column: mean(values[column] for values in scores.values()) for column in COLUMNS}
    return average | cost(estimator)


def cost(estimator: Estimator) -> dict[str, float]:
    """Return parameters (millions), multiplications for one person (millions) and people per second, with the refiner."""
    networks = [estimator.network, *([] if estimator.refiner is None else [estimator.refiner])]
    parameters = sum(parameter.numel() for network in networks for parameter in network.parameters())
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8))
    box = (100.0, 50.0, 150.0, 300.0)
    with FlopCounterMode(display=False) as counter:
        estimator.joints_in(image, [box])
    started, people = time.perf_counter(), 0
    while time.perf_counter() - started < SPEED_S:
        people += len(estimator.joints_in(image, [box] * SPEED_PEOPLE))
    speed = people / (time.perf_counter() - started)
    return {"parameters": parameters / 1e6, "MACs": counter.get_total_flops() / 2e6, "people/s": speed}


def table(measured: dict[str, dict[str, float]], seeds: int) -> str:
    """Format the table as Markdown."""
    rows: dict[str, list[dict[str, float]]] = {}
    for run in (run for run in plan(seeds) if run.row):
        rows.setdefault(run.row, []).extend([measured[run.name]] if run.name in measured else [])
    others = {name: [numbers] for name, numbers in measured.items() if name.startswith("run ")}
    heads = [*COLUMNS, "parameters, M", "MACs, M", "people/s"]
    threads = wanted_threads() or torch.get_num_threads()
    lines = [f"| | seeds | {' | '.join(heads)} |", "|---|---|" + "---|" * len(heads)]
    for row, runs in (rows | others).items():
        cells = [mean_over_seeds([run[column] for run in runs], 1) for column in COLUMNS]
        costs = [
            f"{mean(run[name] for run in runs):.3g}" if runs else "" for name in ("parameters", "MACs", "people/s")
        ]
        lines.append(f"| {row} | {len(runs)} | {' | '.join([*cells, *costs])} |")
    return "\n".join(
        [
            "# The 2D estimator, part by part",
            "",
            "Made by `python -m posenet3d pose2d report` on people that no network was trained on (a tenth of the images,",
            "held out in blocks of twenty), with the boxes of the annotations. Percent; mean and standard deviation over up",
            f"to {seeds} seeds. Costs are for one person, with cropping and refiner ({threads} threads).",
            "Students in rows without the name of a run are small and trained briefly: first on labels, then as the row says.",
            "They start from random weights; the backbone of the bundled networks started from ImageNet weights.",
            "",
            *lines,
            "",
            "Gain of each part, seed by seed (the runs of a seed share their start). A part adds something if the mean gain is",
            "above the standard deviation.",
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


def _train(run: Run, data: PoseDataSet, runs: Path, teacher: Path) -> None:
    out = runs / run.name
    resume = (out / "state" / "latest.pt").exists()
    joints = f"model.joint_set={data.joint_set}"
    if run.student:
        settings = override(RefinerTraining(), (joints, *run.changes))
        student = runs / run.student
        train_refiner(data, settings, out, student_run=student, teacher_run=teacher, resume=resume)
    else:
        stage_1 = override(EstimatorTraining(), (joints, *run.changes))
        teacher_run = teacher if run.has_teacher else None
        init = runs / run.start if run.start else None
        train_estimator(data, stage_1, out, teacher_run=teacher_run, init=init, resume=resume)
