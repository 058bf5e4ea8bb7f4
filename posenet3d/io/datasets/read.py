"""Data sets and motion-capture files, recognised by what lies at a path: filmed people, motion in 3D, or 2D joints."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from posenet3d.body.files import load_body
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.checked_npz import check_npz
from posenet3d.io.datasets.aist import read_aist
from posenet3d.io.datasets.h36m import POSITIONS, read_h36m
from posenet3d.io.datasets.mpi_inf_3dhp import read_3dhp
from posenet3d.io.datasets.three_dpw import read_3dpw
from posenet3d.io.keypoints.coco import read_photographs
from posenet3d.io.keypoints.read import read_keypoints
from posenet3d.io.mocap.amass import read_amass
from posenet3d.io.mocap.amc import read_amc
from posenet3d.io.mocap.bvh import read_bvh
from posenet3d.io.mocap.take import Take
from posenet3d.io.mocap.takes_npz import read_takes
from posenet3d.io.mocap.trc import read_trc


@dataclass(frozen=True)
class ReadOptions:
    """What the files do not say, or which part of them is wanted; None is each format's default."""

    detections: str | None = None  # NAME of data_2d_h36m_NAME.npz; 3dpw: own or gt
    subjects: Collection[str] | None = None
    unit: float | None = None  # metres
    asf: Path | None = None
    axes: str | None = None  # a name in posenet3d.io.mocap.take.TURNS
    body: str | None = None  # an official SMPL file
    source_fps: float | None = None


OPTION_FORMATS: dict[str, tuple[str, ...]] = {
    "detections": ("h36m", "3dpw"),
    "subjects": ("h36m",),
    "unit": ("bvh",),
    "asf": ("amc",),
    "axes": ("bvh", "trc"),
    "body": ("amass",),
    "source_fps": ("amc", "2d"),
}
"""Which formats a choice is for."""


@dataclass(frozen=True)
class Content:
    """What a path holds: people in front of cameras, or takes that no camera has filmed; and files that were left out."""

    sequences: list[PoseSequence] = field(default_factory=list)
    takes: list[Take] = field(default_factory=list)
    left_out: list[InputError] = field(default_factory=list)


CAMERA_FORMATS: dict[str, Callable[[Path, ReadOptions], list[PoseSequence]]] = {
    "h36m": lambda path, choices: read_h36m(
        path if path.is_dir() else path.parent, detections=choices.detections or "gt", subjects=choices.subjects
    ),
    "3dhp": lambda path, choices: read_3dhp(path),
    "3dpw": lambda path, choices: read_3dpw(path, detections=choices.detections or "own"),
    "aist": lambda path, choices: read_aist(path),
    "photographs": lambda path, choices: read_photographs(path),
    "2d": lambda path, choices: read_keypoints(path, fps=choices.source_fps),
}
MOCAP_FORMATS: dict[str, tuple[str, Callable[[Path, ReadOptions, Path | None], Take]]] = {
    "bvh": (".bvh", lambda path, c, _: read_bvh(path, metres_per_unit=c.unit, axes=c.axes or "y_up")),
    "amc": (".amc", lambda path, c, folder: read_amc(path, asf=c.asf, fps=c.source_fps or AMC_FPS, folder=folder)),
    "trc": (".trc", lambda path, c, _: read_trc(path, axes=c.axes or "y_up")),
    "amass": (".npz", lambda path, c, _: read_amass(path, load_body(c.body or "default"))),
}
"""Formats of motion in 3D: how their files end, and what reads one; the last argument is the folder all are in, if any."""

ELSEWHERE = {
    ".asf": ("is a skeleton without motion", "give its .amc file"),
    ".c3d": ("is of markers on the skin, which are not read", "export joints as TRC or BVH"),
    ".fbx": ("is not read", "export BVH: in Blender with File, Export, Motion Capture"),
    ".mat": ("is one file of a data set", "give the folder with TS1 to TS6, or S1 to S8, of MPI-INF-3DHP"),
}
"""Files that somebody may well have, and what to do with them."""

AMC_FPS = 120.0  # of CMU and HDM05

FORMATS = (*CAMERA_FORMATS, *MOCAP_FORMATS, "takes")


def read(path: Path, choices: ReadOptions, kind: str | None = None) -> Content:
    """Everything at a path; `kind` is one of `FORMATS`, or recognised. In a folder, damaged files are left out.

    Raises:
        InputError: nothing that is known, all is damaged, or a choice that is not for this format.
    """
    try:
        is_there = path.exists()
    except OSError:  # a name longer than any
        is_there = False
    if not is_there:
        raise InputError(path, "there is no such file or folder", "check the path")
    kind = kind or recognise(path)
    for name, formats in OPTION_FORMATS.items():
        if getattr(choices, name) is not None and kind not in formats:
            option = f"--{name.replace('_', '-')}"
            raise InputError(option, f"is for {' and '.join(formats)}, and {path} is read as {kind}", "leave it out")
    if kind == "takes":
        return Content(takes=read_takes(path))
    if kind in CAMERA_FORMATS:
        return Content(sequences=CAMERA_FORMATS[kind](path, choices))
    return _captured(path, choices, kind)


def _captured(path: Path, choices: ReadOptions, kind: str) -> Content:
    suffix, reader = MOCAP_FORMATS[kind]
    if not path.is_dir():
        return Content(takes=[reader(path, choices, None)])
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() == suffix)
    if kind == "amass":  # subjects' folders also hold their shapes
        files = [file for file in files if {"poses", "trans"} <= set(check_npz(file))]
    if not files:
        raise InputError(path, f"holds no {suffix} files of motion", "give the folder that does")
    takes, left_out = [], []
    for file in tqdm(files, desc="files", disable=len(files) < 2):
        try:
            takes.append(reader(file, choices, path))
        except InputError as error:
            left_out.append(error)
    if not takes:
        raise left_out[0]
    return Content(takes=takes, left_out=left_out)


def recognise(path: Path) -> str:
    """The format of what lies at a path; 2D joints if it is none of the data sets.

    Raises:
        InputError: it is a part of something, or known not to be read.
    """
    if path.is_dir():
        return _of_folder(path)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _of_npz(path)
    if suffix in ELSEWHERE:
        raise InputError(path, *ELSEWHERE[suffix])
    endings = {ending: kind for kind, (ending, _) in MOCAP_FORMATS.items()} | {".pkl": "3dpw"}
    return endings.get(suffix, "2d")


def _of_npz(path: Path) -> str:
    fields = set(check_npz(path))
    if path.name == POSITIONS or path.name.startswith("data_2d_h36m_"):
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
    if not endings:
        raise InputError(path, "holds no file", "give the folder that does")
    _check_part(path)
    for kind, suffix in [("bvh", ".bvh"), ("amc", ".amc"), ("trc", ".trc"), ("3dpw", ".pkl")]:
        if suffix in endings:
            return kind
    for suffix in sorted(endings & ELSEWHERE.keys()):
        raise InputError(path, f"holds {suffix} files", f"of a {suffix} file: {ELSEWHERE[suffix][1]}")
    return "amass" if ".npz" in endings and ".json" not in endings else "2d"


def _check_part(path: Path) -> None:
    """Refuse a folder within a data set, or around one."""
    whole = path.resolve()
    above = {"annot_data.mat": whole.parent, "annot.mat": whole.parent.parent, "Seq1/annot.mat": whole.parent}
    parts = {name: folder for name, folder in above.items() if (path / name).is_file()}
    if whole.name in ("keypoints3d", "cameras") and (whole.parent / "keypoints3d").is_dir():
        parts["keypoints3d"] = whole.parent
    parts |= {file.name: file.parent for file in path.glob(f"*/{POSITIONS}")}
    for name, folder in parts.items():
        raise InputError(path, f"is not the folder that belongs to {name}", f"give {folder}")
