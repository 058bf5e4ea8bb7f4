"""Data sets and motion-capture files, recognised by what lies at a path: filmed people, motion in 3D, or 2D joints."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from posenet3d.body.files import load_body
from posenet3d.data.aist import read_aist
from posenet3d.data.amass_file import read_amass
from posenet3d.data.amc_file import read_amc
from posenet3d.data.bvh_file import read_bvh
from posenet3d.data.coco import read_photographs
from posenet3d.data.door import read_sequences
from posenet3d.data.h36m import POSITIONS, read_h36m
from posenet3d.data.mpi_inf_3dhp import read_3dhp
from posenet3d.data.npz_file import check_npz
from posenet3d.data.take import Take
from posenet3d.data.takes_file import read_takes
from posenet3d.data.three_dpw import read_3dpw
from posenet3d.data.trc_file import read_trc
from posenet3d.errors import InputError
from posenet3d.sequence import PoseSequence


@dataclass(frozen=True)
class Choices:
    """What the files do not say, or which part of them is wanted; None is each format's default."""

    detections: str | None = None  # h36m: NAME of data_2d_h36m_NAME.npz; 3dpw: own or gt
    subjects: Collection[str] | None = None  # h36m
    metres_per_unit: float | None = None  # bvh
    asf: Path | None = None  # amc
    axes: str = "y_up"  # trc
    body: str | None = None  # amass: an official SMPL file
    fps: float | None = None  # amc, and 2D joints


@dataclass(frozen=True)
class Content:
    """What a path holds: people in front of cameras, or takes that no camera has filmed."""

    sequences: list[PoseSequence] = field(default_factory=list)
    takes: list[Take] = field(default_factory=list)


FILMED: dict[str, Callable[[Path, Choices], list[PoseSequence]]] = {
    "h36m": lambda path, choices: read_h36m(
        path if path.is_dir() else path.parent, detections=choices.detections or "gt", subjects=choices.subjects
    ),
    "3dhp": lambda path, choices: read_3dhp(path),
    "3dpw": lambda path, choices: read_3dpw(path, detections=choices.detections or "own"),
    "aist": lambda path, choices: read_aist(path),
    "photographs": lambda path, choices: read_photographs(path),
    "2d": lambda path, choices: read_sequences(path, fps=choices.fps),
}
CAPTURED: dict[str, tuple[str, Callable[[Path, Choices], Take]]] = {
    "bvh": (".bvh", lambda path, choices: read_bvh(path, metres_per_unit=choices.metres_per_unit)),
    "amc": (".amc", lambda path, choices: read_amc(path, asf=choices.asf, fps=choices.fps or 120.0)),
    "trc": (".trc", lambda path, choices: read_trc(path, axes=choices.axes)),
    "amass": (".npz", lambda path, choices: read_amass(path, load_body(choices.body or "default"))),
}
"""Formats of motion in 3D: how their files end, and what reads one."""

FORMATS = (*FILMED, *CAPTURED, "takes")


def read(path: Path, choices: Choices, kind: str | None = None) -> Content:
    """Everything at a path; `kind` is one of `FORMATS`, or recognised.

    Raises:
        InputError: nothing that is known, or a file is damaged.
    """
    if not path.exists():
        raise InputError(path, "there is no such file or folder", "check the path")
    kind = kind or recognise(path)
    if kind == "takes":
        return Content(takes=read_takes(path))
    if kind in FILMED:
        return Content(sequences=FILMED[kind](path, choices))
    suffix, reader = CAPTURED[kind]
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() == suffix) if path.is_dir() else [path]
    if kind == "amass" and path.is_dir():  # subjects' folders also hold their shapes
        files = [file for file in files if {"poses", "trans"} <= set(check_npz(file))]
    if not files:
        raise InputError(path, f"holds no {suffix} files", "give the folder that does")
    return Content(takes=[reader(file, choices) for file in files])


def recognise(path: Path) -> str:
    """The format of what lies at a path; 2D joints if it is none of the data sets."""
    if path.is_dir():
        return _of_folder(path)
    if path.suffix.lower() == ".npz":
        return _of_npz(path)
    endings = {suffix: kind for kind, (suffix, _) in CAPTURED.items()} | {".pkl": "3dpw"}
    return endings.get(path.suffix.lower(), "2d")


def _of_npz(path: Path) -> str:
    fields = set(check_npz(path))
    if path.name == POSITIONS:
        return "h36m"
    if "joints_3d_world" in fields:
        return "takes"
    if {"poses", "trans"} <= fields:
        return "amass"
    return "3dhp" if "data" in fields and "keypoints_2d" not in fields else "2d"


def _of_folder(path: Path) -> str:
    if (path / POSITIONS).is_file():
        return "h36m"
    if any(path.glob("TS*/annot_data.mat")) or any(path.glob("S*/Seq*/annot.mat")):
        return "3dhp"
    if (path / "keypoints3d").is_dir() and (path / "cameras").is_dir():
        return "aist"
    endings = {p.suffix.lower() for p in path.rglob("*") if p.is_file()}
    for kind, suffix in [("bvh", ".bvh"), ("amc", ".amc"), ("trc", ".trc"), ("3dpw", ".pkl")]:
        if suffix in endings:
            return kind
    return "amass" if ".npz" in endings and ".json" not in endings else "2d"
