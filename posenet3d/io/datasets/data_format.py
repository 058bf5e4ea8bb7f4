"""The record that describes one format of data sets or motion-capture files, and what its reader is given and returns."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.checked_npz import check_npz
from posenet3d.io.datasets.h36m import POSITIONS
from posenet3d.io.mocap.take import Take


@dataclass(frozen=True)
class ReadOptions:
    """What the files do not say, or which part of them is wanted; None is each format's default."""

    detections: str | None = None  # NAME of data_2d_h36m_NAME.npz; 3dpw: own or gt
    subjects: Collection[str] | None = None
    unit: float | None = None  # metres
    asf: Path | None = None
    axes: str | None = None  # a name in posenet3d.io.mocap.take.UP_AXES
    body: str | None = None  # an official SMPL file
    source_fps: float | None = None


@dataclass(frozen=True)
class Content:
    """Loaded data: 2D sequences, or 3D mocap takes without cameras; the errors of files that were left out; and notes."""

    sequences: list[PoseSequence] = field(default_factory=list)
    takes: list[Take] = field(default_factory=list)
    left_out: list[InputError] = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """What was repaired or assumed on reading, one sentence each; those of several takes or clips are said once."""
        names: dict[str, list[str]] = {}
        entries: list[Take | PoseSequence] = [*self.takes, *self.sequences]
        for entry in entries:
            for note in entry.notes:
                names.setdefault(note, []).append(entry.name)
        return [
            note if note.startswith(first) else f"{first}{f' and {len(rest)} more' * bool(rest)}: {note}"
            for note, (first, *rest) in names.items()
        ]


@dataclass(frozen=True)
class DataPath:
    """A file or folder that is to be read, with what the formats ask about it; every answer is computed once."""

    path: Path

    @cached_property
    def is_folder(self) -> bool:
        """Whether the path is a folder."""
        return self.path.is_dir()

    @cached_property
    def npz_fields(self) -> frozenset[str] | None:
        """The names of the arrays in an npz file; None for other files and folders.

        Raises:
            InputError: the npz is damaged.
        """
        is_npz = not self.is_folder and self.path.suffix.lower() == ".npz"
        return frozenset(check_npz(self.path)) if is_npz else None

    def has_npz_fields(self, *fields: str) -> bool:
        """Return whether this is an npz file with all these arrays."""
        return self.npz_fields is not None and self.npz_fields.issuperset(fields)

    @cached_property
    def suffixes(self) -> frozenset[str]:
        """The suffixes of all files in a folder, or the file's own; in lower case with the dot.

        Raises:
            InputError: the folder holds no file, or is only a part of a data set.
        """
        if not self.is_folder:
            return frozenset((self.path.suffix.lower(),))
        found = frozenset(p.suffix.lower() for p in self.path.rglob("*") if p.is_file())
        if not found:
            raise InputError(self.path, "holds no file", "give the folder that does")
        _check_is_whole(self.path)
        return found


def _check_is_whole(path: Path) -> None:
    """Refuse a folder within a data set, or around one."""
    whole = path.resolve()
    above = {"annot_data.mat": whole.parent, "annot.mat": whole.parent.parent, "Seq1/annot.mat": whole.parent}
    parts = {name: folder for name, folder in above.items() if (path / name).is_file()}
    if whole.name in ("keypoints3d", "cameras") and (whole.parent / "keypoints3d").is_dir():
        parts["keypoints3d"] = whole.parent
    parts |= {file.name: file.parent for file in path.glob(f"*/{POSITIONS}")}
    for name, folder in parts.items():
        raise InputError(path, f"is not the folder that belongs to {name}", f"give {folder}")


@dataclass(frozen=True)
class DataFormat:
    """One format of data sets or motion-capture files.

    Attributes:
        name: of the command line's ``--format``.
        recognise: returns whether a path holds this format. It may raise an InputError for what is damaged.
        read: reads the path. It raises an InputError for what it cannot use.
        options: the fields of `ReadOptions` that it takes.
        has_cameras: whether it holds 2D sequences; otherwise 3D takes that no camera has recorded.
    """

    name: str
    recognise: Callable[[DataPath], bool]
    read: Callable[[Path, ReadOptions], Content]
    options: tuple[str, ...] = ()
    has_cameras: bool = True
