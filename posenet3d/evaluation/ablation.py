"""Ablations of the training stages: train the runs of the table that are missing, evaluate them and write the table.

The numbers are kept beside the table as JSON, so that the command can be stopped and started again. To evaluate a run again,
delete its entry there.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import isnan
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Literal

from tqdm import tqdm

from posenet3d.config import override
from posenet3d.core.lifted import Lifted
from posenet3d.core.seeds import mean_over_seeds
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.evaluation.evaluate import evaluate
from posenet3d.evaluation.metrics import metric
from posenet3d.io.atomic import atomic_write
from posenet3d.io.keypoints.read import read_keypoints
from posenet3d.lifting.lifter import Lifter
from posenet3d.training.baselines.chen2019 import Chen2019Training, lift_chen2019, load_chen2019, train_chen2019
from posenet3d.training.joint import JointTraining, train_joint
from posenet3d.training.lifter import TeacherTraining
from posenet3d.training.student import StudentTraining, train_student
from posenet3d.training.teacher import train_teacher
from posenet3d.training.terms import all_terms

COLUMNS = ("pa_mpjpe", "n_mpjpe", "mpjve", "acceleration_error", "jitter")
DATA_SETS = ("dev", "dev_detected")
UNFITTED = "student, network alone"

Measured = dict[str, dict[str, dict[str, dict[str, float]]]]
"""Run, model ('teacher', 'student' or `UNFITTED`), data set, metric."""

BASELINE = (
    "tilt_mean_deg=0", "tilt_sd_deg=11.5", "roll_sd_deg=0", "discriminator.dropout=0.25", "weights.gradient_penalty=0",
    "frame_steps=13000", "temporal_steps=0",  # except for the steps, the settings of `Chen2019Training`
)  # fmt: skip
"""Our teacher trained on single frames only: the losses of Chen et al. 2019 with our camera, denoiser and flip averaging."""

FAMILIES = {
    family: tuple(term.name for term in all_terms() if family in term.families)
    for family in ("temporal", "self-consistency", "adversarial", "distillation", "bone")
}
"""Loss families of the joint stage by the names of their weights."""


@dataclass(frozen=True)
class Run:
    """One training run: its stage, the settings that differ from the defaults, and the runs it starts from."""

    name: str
    stage: Literal["teacher", "student", "joint", "earlier"]
    changes: tuple[str, ...] = ()
    teacher: str = ""
    student: str = ""


def plan(seeds: int, short: tuple[str, ...] = ("steps=600",)) -> list[Run]:
    """Return every run of the table, each after the runs it needs.

    Args:
        seeds: number of seeds of the main rows; the ablations have one.
        short: settings of the ablations' shorter joint stage.
    """
    runs = []
    for seed in range(seeds):
        runs.append(Run(f"teacher-{seed}", "teacher", (f"loop.seed={seed}",)))
        runs.append(Run(f"student-{seed}", "student", (f"loop.seed={seed}",), f"teacher-{seed}"))
        runs.append(Run(f"joint-{seed}", "joint", (f"loop.seed={seed}",), f"teacher-{seed}", f"student-{seed}"))
        runs.append(Run(f"earlier-{seed}", "earlier", (f"loop.seed={seed}",)))
        runs.append(Run(f"baseline-{seed}", "teacher", (*BASELINE, f"loop.seed={seed}")))
    runs.append(Run("joint-short", "joint", short, "teacher-0", "student-0"))
    for family, names in FAMILIES.items():
        off = tuple(f"weights.{name}=0" for name in names)
        runs.append(Run(f"joint-short-without-{family}", "joint", (*short, *off), "teacher-0", "student-0"))
    return runs


def report(data: Path, runs: Path, out: Path, *, seeds: int = 3, train: bool = True) -> str:
    """Train and evaluate the missing runs, then write the table.

    Args:
        data: folder with ``train_2d.npz``, ``dev.npz`` and ``dev_detected.npz``.
        runs: folder of the run folders; unfinished ones are resumed.
        out: Markdown file; the numbers are written beside it, with the suffix ``.json``.
        seeds: seeds of the main rows.
        train: False leaves out runs without a finished run folder.

    Returns:
        The table.

    Raises:
        InputError: a file is missing or cannot be used.
    """
    files = {name: data / f"{name}.npz" for name in ("train_2d", *DATA_SETS)}
    for path in files.values():
        if not path.is_file():
            names = ", ".join(p.name for p in files.values())
            raise InputError(path, "is missing", f"give a folder that holds {names}")
    numbers = out.with_suffix(".json")
    measured: Measured = json.loads(numbers.read_text()) if numbers.is_file() else {}
    test = {name: read_keypoints(files[name]) for name in DATA_SETS}
    training: list[PoseSequence] = []
    for run in tqdm(plan(seeds), desc="runs"):
        if run.name in measured:
            continue
        if train:
            training = training or read_keypoints(files["train_2d"])
            _train(run, training, runs)
        if (runs / run.name / "state" / "finished").is_file():
            measured[run.name] = _measure(runs / run.name, run.stage, test)
            with atomic_write(numbers) as file:
                file.write(json.dumps(measured, indent=1).encode())
    text = table(measured, seeds)
    with atomic_write(out) as file:
        file.write(text.encode())
    return text


def _train(run: Run, sequences: list[PoseSequence], runs: Path) -> None:
    out = runs / run.name
    resume = (out / "state" / "latest.pt").exists()
    if run.stage == "teacher":
        train_teacher(sequences, override(TeacherTraining(), run.changes), out, resume=resume)
    elif run.stage == "earlier":
        train_chen2019(sequences, override(Chen2019Training(), run.changes), out, resume=resume)
    elif run.stage == "student":
        settings = override(StudentTraining(), run.changes)
        train_student(sequences, settings, out, teacher_run=runs / run.teacher, resume=resume)
    else:
        train_joint(
            sequences, override(JointTraining(), run.changes), out,
            teacher_run=runs / run.teacher, student_run=runs / run.student, resume=resume,
        )  # fmt: skip


def _measure(folder: Path, stage: str, test: dict[str, list[PoseSequence]]) -> dict[str, dict[str, dict[str, float]]]:
    result: dict[str, dict[str, dict[str, float]]] = {}
    for name, lift in _lifters(folder, stage).items():
        result[name] = {}
        for data_set, sequences in test.items():
            overall: dict[str, Any] = evaluate(lift(sequences), sequences).overall.to_dict()
            result[name][data_set] = {column: overall[column] for column in (*COLUMNS, "jitter_truth")}
    return result


def _lifters(folder: Path, stage: str) -> dict[str, Callable[[list[PoseSequence]], list[Lifted]]]:
    """Return the lifters of a run by the name of the model."""
    if stage == "earlier":
        network = load_chen2019(folder)
        return {"teacher": lambda sequences: [lift_chen2019(network, sequence) for sequence in sequences]}
    lifters: dict[str, Callable[[list[PoseSequence]], list[Lifted]]] = {}
    if stage in ("teacher", "joint"):  # a student's folder holds its teacher, too, which has its own row
        lifters["teacher"] = Lifter.load(folder, model="teacher")
    if stage in ("student", "joint"):
        student = Lifter.load(folder, model="student")
        lifters |= {"student": student, UNFITTED: partial(student, fit=False)}
    return lifters


def table(measured: Measured, seeds: int) -> str:
    """Return the results as Markdown; rows without an evaluated run say 'not run'."""

    def of(run: str, model: str) -> list[dict[str, dict[str, float]]]:
        is_main = run in ("earlier", "baseline", "teacher", "student", "joint")
        names = [f"{run}-{seed}" for seed in range(seeds)] if is_main else [run]
        return [measured[name][model] for name in names if name in measured]

    main = {
        "earlier method (Chen et al. 2019), single frames": of("earlier", "teacher"),
        "our teacher on single frames": of("baseline", "teacher"),
        "teacher alone (stage 1)": of("teacher", "teacher"),
        "student alone (stage 2)": of("student", "student"),
        "teacher after joint fine-tuning (stage 3)": of("joint", "teacher"),
        "student after joint fine-tuning (stage 3)": of("joint", "student"),
    }
    shorter = ", ".join(next(run for run in plan(1) if run.name == "joint-short").changes)
    unfitted = {
        "student alone": of("student", UNFITTED),
        "student after joint fine-tuning": of("joint", UNFITTED),
    }
    ablations = {
        f"{model}, {label}": of(run, model)
        for model in ("teacher", "student")
        for label, run in {
            "before": f"{model}-0",
            "all losses": "joint-short",
            **{f"without {family}": f"joint-short-without-{family}" for family in FAMILIES},
        }.items()
    }
    return "\n".join(
        [
            "# Results",
            "",
            "Made by `python -m posenet3d report`; numbers of every run in [results.json](results.json). Millimetres; the mean",
            f"over seeds with its standard deviation where there are several (up to {seeds}). PA-MPJPE is strict: no reflection.",
            "Networks saw 2D only; 3D of the development set is for this table.",
            "",
            "## Stages",
            "",
            *_rows(main),
            "",
            "The student's network by itself, without the fit of its body to the 2D (`posenet3d/lifting/fit_body.py`):",
            "",
            *_rows(unfitted),
            "",
            "## Claims",
            "",
            *_claims(main),
            "",
            "## Joint fine-tuning without a family of losses",
            "",
            f"From teacher-0 and student-0, shorter than above ({shorter}), one seed. Off, by weight: "
            + "; ".join(f"{family}: {', '.join(names)}" for family, names in FAMILIES.items())
            + ".",
            "",
            *_rows(ablations),
            "",
        ]
    )


def _rows(rows: dict[str, list[dict[str, dict[str, float]]]]) -> list[str]:
    heads = [f"{metric(c).label} {metric(c).unit}" for c in COLUMNS]
    lines = []
    for data_set, title in zip(DATA_SETS, ("clean 2D (dev.npz)", "detected 2D (dev_detected.npz)"), strict=True):
        truth = [m[data_set]["jitter_truth"] for ms in rows.values() for m in ms]
        lines += [f"| {title} | seeds | {' | '.join(heads)} |", "|---|---|" + "---|" * len(heads)]
        for label, ms in rows.items():
            cells = [mean_over_seeds([m[data_set][column] for m in ms], 2) for column in COLUMNS]
            lines.append(f"| {label} | {len(ms)} | {' | '.join(cells)} |")
        if truth:
            lines.append(f"| the truth's own | | | | | | {mean(truth):.2f} |")
        lines.append("")
    return lines[:-1]


def _claims(rows: dict[str, list[dict[str, dict[str, float]]]]) -> list[str]:
    """Return a row per claim: the target, the measured value and the verdict."""
    earlier, baseline, teacher, student, teacher_joint, student_joint = rows.values()

    def average(ms: list[dict[str, dict[str, float]]], data_set: str, column: str = "pa_mpjpe") -> float:
        return mean(m[data_set][column] for m in ms) if ms else float("nan")

    def claim(text: str, value: float, target: float, unit: str = "mm") -> str:
        if isnan(value) or isnan(target):
            return f"| {text} | - | - | not measured |"
        verdict = "met" if value <= target else f"missed by {value - target:.2f} {unit}"
        return f"| {text} | {target:.2f} {unit} | {value:.2f} {unit} | {verdict} |"

    lines = ["| claim | wanted, at most | measured | |", "|---|---|---|---|"]
    for name, ms, target, least in (("teacher", teacher_joint, 46.0, 52.0), ("student", student_joint, 48.0, 55.0)):
        value = average(ms, "dev")
        lines.append(claim(f"{name} after stage 3, strict PA clean: target", value, target))
        lines.append(claim(f"{name} after stage 3, strict PA clean: at the least", value, least))
        gap = average(ms, "dev_detected") - value
        lines.append(claim(f"{name} after stage 3, detected beyond clean", gap, 5.0))
    for name, before, after in (("teacher", teacher, teacher_joint), ("student", student, student_joint)):
        values = [m["dev"]["pa_mpjpe"] for m in before]
        spread = stdev(values) if len(values) > 1 else float("nan")
        change = average(after, "dev") - average(before, "dev")
        lines.append(claim(f"{name}: change of strict PA in stage 3, against the spread over seeds", change, -spread))
        half = average(teacher, "dev_detected", "acceleration_error") / 2
        value = average(after, "dev_detected", "acceleration_error")
        lines.append(claim(f"{name}: acceleration error on detected 2D, half of stage 1's", value, half, "mm/frame²"))
    for name, ms in (("the earlier method", earlier), ("our own teacher on single frames", baseline)):
        wanted = 0.82 * average(ms, "dev")
        lines.append(claim(f"teacher after stage 3, 18 % below {name}", average(teacher_joint, "dev"), wanted))
    return lines
