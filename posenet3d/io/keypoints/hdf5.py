"""Read HDF5 files of DeepLabCut (pandas' table) and SLEAP (analysis export); nothing in them is unpickled."""

import io
from pathlib import Path

import numpy as np

from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.keypoints.entries import Entry, joint_set_of_names, sequences_of_entries
from posenet3d.io.keypoints.keypoint_format import KeypointFormat, KeypointOptions
from posenet3d.io.keypoints.tables import read_columns
from posenet3d.pickle_scan import UnsafePickle
from posenet3d.safe_pickle import load_plain

SUFFIXES = (".h5", ".hdf5")
MAX_VALUES = 50_000_000


def read_hdf5(path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read a file of DeepLabCut or SLEAP.

    Raises:
        InputError: it is damaged, too large, of another program, or nobody is seen.
    """
    import h5py

    if not path.is_file():
        raise InputError(path, "there is no such file", "check the path")
    try:
        with h5py.File(path, "r") as file:
            if "tracks" in file and "node_names" in file:
                return _sleap(file, path, options)
            for name in ("df_with_missing/table", "table"):
                if name in file:
                    return _deeplabcut(file[name], path, options)
    except InputError:
        raise
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise InputError(path, "is not a readable HDF5 file", "export it again") from error
    raise InputError(path, "is neither DeepLabCut's nor SLEAP's", "give DeepLabCut's .h5, or SLEAP's analysis HDF5")


def _checked(dataset, path: Path) -> np.ndarray:  # type: ignore[no-untyped-def]  # h5py has no types
    if dataset.size > MAX_VALUES or dataset.external is not None or dataset.is_virtual:
        raise InputError(path, f"announces {dataset.size} values in '{dataset.name}'", "split it into shorter clips")
    return np.asarray(dataset[()])


def _sleap(file, path: Path, options: KeypointOptions) -> list[PoseSequence]:  # type: ignore[no-untyped-def]
    tracks = _checked(file["tracks"], path).astype(np.float64)  # tracks, xy, nodes, frames
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in _checked(file["node_names"], path)]
    if tracks.ndim != 4 or tracks.shape[1:3] != (2, len(names)):
        raise InputError(path, f"field 'tracks' has shape {tracks.shape}", "export SLEAP's analysis HDF5 again")
    joint_set = joint_set_of_names(names, path, "node_names")
    if joint_set is None:
        raise InputError(
            path, f"names no known joint ({', '.join(names[:6])})", "name the nodes left_hip, right_hip ..."
        )
    scores = (
        _checked(file["point_scores"], path) if "point_scores" in file else np.ones((len(tracks), *tracks.shape[2:]))
    )
    entries = []
    for person in range(len(tracks)):
        points = tracks[person].transpose(2, 1, 0)
        values = np.concatenate([points, scores[person].T[..., None]], axis=2)
        values[~np.isfinite(values).all(2)] = 0
        seen = np.flatnonzero((values[..., 2] > 0).any(1))
        entries += [Entry(int(f), values[f], person + 1 if len(tracks) > 1 else None) for f in seen]
    span = (0, tracks.shape[3] - 1)
    return sequences_of_entries(entries, path, options, "tracks", joint_set=joint_set, frames=span)


def _deeplabcut(table, path: Path, options: KeypointOptions) -> list[PoseSequence]:  # type: ignore[no-untyped-def]
    rows = _checked(table, path)
    try:
        columns = load_plain(io.BytesIO(bytes(table.attrs["values_block_0_kind"])))
    except UnsafePickle as error:
        raise InputError(path, f"is not usable: {error}", "export it again, or give the CSV") from error
    if not isinstance(columns, list) or not all(isinstance(c, tuple | list) and len(c) in (3, 4) for c in columns):
        raise InputError(path, "has no columns of DeepLabCut", "give DeepLabCut's .h5 or .csv")
    labels = [tuple(str(part) for part in column) for column in columns]
    individuals = [column[1] if len(column) == 4 else "" for column in labels]
    frames = [int(i) for i in rows["index"]]
    values = rows["values_block_0"].astype(np.float64)
    return read_columns(values, frames, individuals, [c[-2] for c in labels], [c[-1] for c in labels], path, options)


FORMAT = KeypointFormat(
    name="DeepLabCut or SLEAP HDF5",
    suffixes=SUFFIXES,
    recognise=lambda file: file.suffix in SUFFIXES,
    read=lambda file, options: read_hdf5(file.path, options),
    description="DeepLabCut's .h5 or SLEAP's analysis HDF5, with joints named left_hip, right_hip ...",
)
