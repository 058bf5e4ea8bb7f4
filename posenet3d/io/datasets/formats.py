"""All formats of data sets and motion capture that `posenet3d.io.datasets.read` reads, one record each.

To add one, write its reader and add a record to `FORMATS`.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from posenet3d.body.files import load_body
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT
from posenet3d.errors import InputError
from posenet3d.io.checked_json import describe
from posenet3d.io.checked_npz import check_npz
from posenet3d.io.datasets.aist import read_aist
from posenet3d.io.datasets.data_format import Content, DataFormat, DataPath, ReadOptions
from posenet3d.io.datasets.h36m import POSITIONS, read_h36m
from posenet3d.io.datasets.mpi_inf_3dhp import read_3dhp
from posenet3d.io.datasets.three_dpw import read_3dpw
from posenet3d.io.keypoints.coco import read_photographs
from posenet3d.io.keypoints.read import read_keypoints
from posenet3d.io.mocap.amass import read_amass
from posenet3d.io.mocap.amc import read_amc
from posenet3d.io.mocap.body_files import is_body_file, is_body_npz
from posenet3d.io.mocap.bvh import read_bvh
from posenet3d.io.mocap.take import Take
from posenet3d.io.mocap.takes_npz import read_takes
from posenet3d.io.mocap.trc import read_trc

AMC_FPS = 120.0  # of CMU and HDM05; an .amc file does not say it
AMASS_FIELDS = ("poses", "trans")

UNSUPPORTED = {
    ".asf": ("is a skeleton without motion", "give its .amc file"),
    ".c3d": ("is of markers on the skin, which are not read", "export joints as TRC or BVH"),
    ".fbx": ("is not read", "export BVH: in Blender with File, Export, Motion Capture"),
    ".mat": ("is one file of a data set", "give the folder with TS1 to TS6, or S1 to S8, of MPI-INF-3DHP"),
}
"""Suffixes of motion capture that is not read: the problem, and the remedy."""

TakeReader = Callable[[Path, ReadOptions, Path | None], Take]
"""Reads one motion-capture file; the last argument is the folder that was given, None if it was the file itself."""


def _sequences(read: Callable[[Path, ReadOptions], list[PoseSequence]]) -> Callable[[Path, ReadOptions], Content]:
    """Return a reader whose sequences are wrapped in `Content`."""
    return lambda path, options: Content(sequences=read(path, options))


def _motion_format(
    name: str, suffix: str, read: TakeReader, recognise: Callable[[DataPath], bool] | None, *options: str
) -> DataFormat:
    """Return the format of motion-capture files with this suffix, given one by one or as a folder of them."""
    return DataFormat(
        name,
        recognise or (lambda source: suffix in source.suffixes),
        lambda path, chosen: _read_takes(path, chosen, suffix, read),
        options,
        has_cameras=False,
    )


def _read_takes(path: Path, options: ReadOptions, suffix: str, read: TakeReader) -> Content:
    """Read one file, or all files of a folder; damaged files of a folder are left out.

    Raises:
        InputError: the file is damaged, or the folder has no file of this format or only damaged ones.
    """
    if not path.is_dir():
        return Content(takes=[_with_known_joints(read(path, options, None), path)])
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() == suffix)
    if suffix == ".npz":  # AMASS's folders of subjects also hold the subjects' shapes
        files = [file for file in files if set(AMASS_FIELDS) <= set(check_npz(file)) or is_body_file(file)]
        files += sorted(file for file in path.rglob("*.pkl") if is_body_file(file))  # AIST++'s motions
    if not files:
        raise InputError(path, f"holds no {suffix} files of motion", "give the folder that does")
    takes, left_out = [], []
    for file in tqdm(files, desc="files", disable=len(files) < 2):
        try:
            takes.append(_with_known_joints(read(file, options, path), file))
        except InputError as error:
            left_out.append(error)
    if not takes:
        raise left_out[0]
    return Content(takes=takes, left_out=left_out)


_LANDMARKS = [JOINT[f"{side}_{name}"] for side in "lr" for name in ("hip", "knee", "ankle", "shoulder")]


def _with_known_joints(take: Take, path: Path) -> Take:
    """Return the take.

    Raises:
        InputError: no hip, knee, ankle or shoulder is known in any frame.
    """
    if not np.isfinite(take.h36m17()[:, _LANDMARKS]).all(-1).any():
        names = ", ".join(describe(name) for name in take.joint_names[:8])
        repairs = "".join(f"; it {note}" for note in take.notes)
        more = " ..." * (len(take.joint_names) > 8)
        problem = f"has no hip, knee, ankle or shoulder that is known here, but {names}{more}{repairs}"
        remedy = "name hips, knees, ankles, shoulders, elbows and wrists as usual; markers on the skin are not read"
        raise InputError(path, problem, remedy)
    return take


def _is_h36m(source: DataPath) -> bool:
    """Return whether this is VideoPose3D's folder of Human3.6M, or one of its files."""
    if source.is_folder:
        return (source.path / POSITIONS).is_file()
    is_named_so = source.path.name == POSITIONS or source.path.name.startswith("data_2d_h36m_")
    return source.npz_fields is not None and is_named_so


def _is_3dhp(source: DataPath) -> bool:
    """Return whether this is a folder of MPI-INF-3DHP, or P-STMO's npz of it."""
    if source.is_folder:
        return any(source.path.glob("TS*/annot_data.mat")) or any(source.path.glob("S*/Seq*/annot.mat"))
    return source.has_npz_fields("data") and not any(
        source.has_npz_fields(*fields) for fields in (["keypoints_2d"], ["joints_3d_world"], AMASS_FIELDS)
    )


def _is_aist(source: DataPath) -> bool:
    """Return whether this is AIST++'s folder of annotations."""
    return (source.path / "keypoints3d").is_dir() and (source.path / "cameras").is_dir()


def _is_amass(source: DataPath) -> bool:
    """Return whether this is a file of AMASS, or a folder of npz without any JSON or unsupported motion capture."""
    if source.is_folder:
        is_npz = ".npz" in source.suffixes and source.suffixes.isdisjoint((".json", *UNSUPPORTED))
        return is_npz or _is_aist_motion(source)
    return source.has_npz_fields(*AMASS_FIELDS) or is_body_npz(list(source.npz_fields or ())) or _is_aist_motion(source)


def _is_aist_motion(source: DataPath) -> bool:
    """Return whether this is a file of AIST++'s motions, or a folder of them."""
    if ".pkl" not in source.suffixes:
        return False
    files = sorted(source.path.rglob("*.pkl")) if source.is_folder else [source.path]
    return bool(files) and is_body_file(files[0])


FORMATS: tuple[DataFormat, ...] = (
    DataFormat(
        "h36m",
        _is_h36m,
        _sequences(
            lambda path, options: read_h36m(
                path if path.is_dir() else path.parent,
                detections=options.detections or "gt",
                subjects=options.subjects,
            )
        ),
        options=("detections", "subjects"),
    ),
    DataFormat("3dhp", _is_3dhp, _sequences(lambda path, options: read_3dhp(path))),
    DataFormat("aist", _is_aist, _sequences(lambda path, options: read_aist(path))),
    _motion_format(
        "bvh",
        ".bvh",
        lambda path, options, _: read_bvh(path, metres_per_unit=options.unit, axes=options.axes),
        None,
        "unit",
        "axes",
    ),
    _motion_format(
        "amc",
        ".amc",
        lambda path, options, folder: read_amc(path, asf=options.asf, fps=options.source_fps or AMC_FPS, folder=folder),
        None,
        "asf",
        "source_fps",
    ),
    _motion_format("trc", ".trc", lambda path, options, _: read_trc(path, axes=options.axes), None, "axes"),
    DataFormat(
        "3dpw",
        lambda source: ".pkl" in source.suffixes and not _is_aist_motion(source),
        _sequences(lambda path, options: read_3dpw(path, detections=options.detections or "own")),
        options=("detections",),
    ),
    DataFormat(
        "takes",
        lambda source: source.has_npz_fields("joints_3d_world"),
        lambda path, options: Content(takes=read_takes(path)),
        has_cameras=False,
    ),
    _motion_format(
        "amass",
        ".npz",
        lambda path, options, _: read_amass(
            path, load_body(options.body or "default"), axes=options.axes, fps=options.source_fps
        ),
        _is_amass,
        "axes",
        "body",
        "source_fps",
    ),
    DataFormat("photographs", lambda source: False, _sequences(lambda path, options: read_photographs(path))),
    DataFormat(
        "2d",
        lambda source: source.suffixes.isdisjoint(UNSUPPORTED),
        _sequences(lambda path, options: read_keypoints(path, fps=options.source_fps)),
        options=("source_fps",),
    ),
)
"""The first format that recognises a path reads it. Photographs look like any COCO file: they are read on request only."""


def format_named(name: str) -> DataFormat:
    """Return the format with this name.

    Raises:
        KeyError: there is none.
    """
    return {known.name: known for known in FORMATS}[name]


def names_of_motion_formats() -> list[str]:
    """Return the names of the formats that hold 3D takes without cameras."""
    return [known.name for known in FORMATS if not known.has_cameras]
