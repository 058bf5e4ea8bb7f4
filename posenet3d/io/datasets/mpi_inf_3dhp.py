"""Read MPI-INF-3DHP (Mehta et al., 3DV 2017): the test set as downloaded, the training set, and P-STMO's npz of both.

Register at https://vcai.mpi-inf.mpg.de/3dhp-dataset, and give

- the folder with ``TS1`` ... ``TS6``, each with its ``annot_data.mat``: the test set; or
- the folder with ``S1`` ... ``S8``, their ``Seq1`` and ``Seq2`` each with its ``annot.mat``: the training set; or
- the file ``data_test_3dhp.npz`` or ``data_train_3dhp.npz``, as P-STMO's scripts write them.

The ground truth is ``univ_annot3``, as in the authors' own evaluation: all people have the same height. It is the metric
pose scaled about the camera, so it projects to the same pixels, and K is computed from the pairs. Frames of the test set
that are not valid have 2D but no ground truth.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from jaxtyping import Float
from scipy.io import loadmat

from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.checked_pickle import load_dictionary, number_array, valid_frames
from posenet3d.io.datasets.resection import find_intrinsics
from posenet3d.paths import is_plain_file

MM = 1000.0  # millimetres in a metre; the files hold millimetres
FPS, FAST_FPS = 25.0, 50.0
FAST_FRAMES = 10_000
"""Some sequences of the training set were recorded at twice the rate, and are twice as long."""

IMAGE_SIZE, OUTDOOR_SIZE = (2048, 2048), (1920, 1080)
OUTDOORS = ("TS5", "TS6")
USED_CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)
"""Of 14 cameras: not those at the ceiling, as in the authors' training."""

FROM_17 = [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]
"""The 17 of `posenet3d.core.skeleton` among the test set's: head_top neck r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist
r_hip r_knee r_ankle l_hip l_knee l_ankle pelvis spine head. Its neck is our thorax."""

RELEVANT = [7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6]
"""The test set's 17 among the training set's 28."""

MAX_FRAMES = 200_000
"""Of a sequence of the test set: an hour; the longest has 6,151."""

MAX_BYTES = 2**30

NO_CAMERA_PX = 20.0
"""Median error of the projection above which K is not used."""


def read_3dhp(path: Path) -> list[PoseSequence]:
    """Read every sequence (of the training set: every view), with the 3D in the camera's frame.

    Raises:
        InputError: neither of the layouts above, or a file in it is damaged.
    """
    if path.is_file() and path.suffix.lower() == ".mat":
        raise InputError(path, "is one of the annotation files", "give the folder that holds TS1 to TS6, or S1 to S8")
    if path.is_file():
        return [_sequence(view) for view in _npz(path)]
    tests = sorted(path.glob("TS*/annot_data.mat"))
    trainings = sorted(path.glob("S*/Seq*/annot.mat"))
    if not tests and not trainings:
        remedy = "give the folder that holds TS1 to TS6, or S1 to S8"
        raise InputError(path, "has no TS*/annot_data.mat and no S*/Seq*/annot.mat", remedy)
    views = [view for file in tests for view in _test(file)]
    views += [view for file in trainings for view in _training(file)]
    return [_sequence(view) for view in views]


class View(NamedTuple):
    """One camera's view of one sequence."""

    name: str
    take: str  # the sequence, which all its cameras share
    subject: str
    pixels: Float[np.ndarray, "frames 17 2"]
    truth_mm: Float[np.ndarray, "frames 17 3"]


def _test(path: Path) -> Iterator[View]:
    """Read one sequence of the test set; its files are HDF5 (MATLAB 7.3), so their axes are in reverse order."""
    _check_plain(path)
    try:
        with h5py.File(path, "r") as file:
            pixels, truth, valid = (_dataset(file, key) for key in ("annot2", "univ_annot3", "valid_frame"))
    except Exception as error:  # h5py raises a dozen kinds for damaged files
        raise InputError(path, f"is not the test set's annotation file ({error})", "download it again") from error
    name = path.parent.name
    yield View(name, name, name, *_checked(pixels.squeeze(), truth.squeeze(), valid.ravel(), name, path))


def _dataset(file: h5py.File, key: str) -> np.ndarray:
    """Return a data set of the file itself, after checking its size and type: 2 kB may announce 20 million frames.

    Raises:
        ValueError: it is larger than any recording, holds objects, or lies in another file.
    """
    if not isinstance(file.get(key, getlink=True), h5py.HardLink):
        raise ValueError(f"{key} is missing or a link")
    dataset = file[key]
    if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual or dataset.external is not None:
        raise ValueError(f"{key} is no data set of this file")
    if dataset.shape is None or dataset.dtype.kind not in "fiubS" or dataset.nbytes > MAX_FRAMES * 3 * 17 * 8:
        raise ValueError(f"{key} has shape {dataset.shape} and type {dataset.dtype}")
    return np.array(dataset)


def _check_plain(path: Path) -> None:
    """Refuse pipes and folders, which cannot be opened as files, and files larger than any annotation.

    Raises:
        InputError: it is none.
    """
    if not is_plain_file(path) or path.stat().st_size > MAX_BYTES:
        raise InputError(path, f"is not a plain file of at most {MAX_BYTES >> 20} MiB", "download it again")


def _training(path: Path) -> Iterator[View]:
    """Read all used views of one sequence of the training set."""
    _check_plain(path)
    try:
        content = loadmat(path, variable_names=["annot2", "univ_annot3"])
        views = list(zip(content["annot2"].ravel(), content["univ_annot3"].ravel(), strict=True))
    except Exception as error:  # scipy raises a dozen kinds for damaged files
        raise InputError(path, "is not the training set's annotation file", "download it again") from error
    subject, sequence = path.parent.parent.name, path.parent.name
    for camera, (pixels, truth) in enumerate(views):
        if camera in USED_CAMERAS:
            where = f"{subject} {sequence} camera {camera}"
            pixels = number_array(pixels, (None, 56), where, path).reshape(-1, 28, 2)[:, RELEVANT]
            truth = number_array(truth, (len(pixels), 84), where, path).reshape(-1, 28, 3)[:, RELEVANT]
            yield View(where, f"{subject} {sequence}", subject, *_checked(pixels, truth, None, where, path))


def _npz(path: Path) -> Iterator[View]:
    """Read the views in P-STMO's npz of the test set or the training set."""
    for name, content in load_dictionary(path, "data").items():
        views = content[0] if isinstance(content, list) and content else {"": content}
        if not isinstance(views, dict):
            raise InputError(path, f"has no views of {name}", "give the file as P-STMO's script writes it")
        for camera, view in views.items():
            if not isinstance(view, dict) or not {"data_2d", "data_3d"} <= view.keys():
                raise InputError(path, f"has no 'data_2d' and 'data_3d' in {name}", "give the file as P-STMO writes it")
            where = f"{name} camera {camera}" if camera else name
            joints = _checked(view["data_2d"], view["data_3d"], view.get("valid"), where, path)
            yield View(where, name, name.split()[0], *joints)


def _checked(pixels: Any, truth: Any, valid: Any, where: str, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return 2D (pixels) and 3D (mm) in the order of `posenet3d.core.skeleton`; the 3D is NaN in frames that are not valid."""
    pixels = number_array(pixels, (None, 17, 2), where, path)
    truth = number_array(truth, (len(pixels), 17, 3), where, path)
    if valid is not None:
        truth[~valid_frames(valid, len(pixels), f"valid of {where}", path)] = np.nan
    return pixels[:, FROM_17], truth[:, FROM_17]


def _sequence(view: View) -> PoseSequence:
    """Return a view as a sequence, with K computed from its 2D and 3D."""
    pixels = view.pixels
    try:
        K, error_px = find_intrinsics(view.truth_mm.reshape(-1, 3), pixels.reshape(-1, 2))
    except ValueError:  # no valid frame
        K, error_px = np.eye(3), np.inf
    return PoseSequence(
        name=f"3DHP {view.name}",
        keypoints_px=pixels,
        confidence=np.ones(pixels.shape[:2]),
        fps=FAST_FPS if len(pixels) > FAST_FRAMES else FPS,
        image_size=OUTDOOR_SIZE if view.subject in OUTDOORS else IMAGE_SIZE,
        K=K if error_px < NO_CAMERA_PX and min(K[0, 0], K[1, 1]) > 0 else None,
        joints_3d=(view.truth_mm / MM).astype(np.float32),
        subject=view.subject,
        take=f"3DHP {view.take}",
    )
