"""The record that describes one format of 2D keypoint files; `posenet3d.io.keypoints.formats` lists them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from posenet3d.core.sequence import PoseSequence
from posenet3d.io.checked_json import load_json


@dataclass(frozen=True)
class KeypointFile:
    """A file or folder that is to be read; its JSON is parsed once for all formats that ask for it."""

    path: Path

    @property
    def suffix(self) -> str:
        """The suffix in lower case, with its dot."""
        return self.path.suffix.lower()

    @cached_property
    def json(self) -> Any:
        """The parsed content of a .json file; None for a folder and for every other suffix.

        Raises:
            InputError: the file is missing, unreadable or not JSON.
        """
        return load_json(self.path) if self.suffix == ".json" and not self.path.is_dir() else None

    def has_json_key(self, key: str) -> bool:
        """Return whether the file holds a JSON object with this key."""
        return isinstance(self.json, dict) and key in self.json


@dataclass(frozen=True)
class KeypointOptions:
    """What the caller knows and the file may not say.

    Attributes:
        joint_set: name of the joint set; None recognises it.
        fps: frames per second, where the file has none; None assumes the default and says so.
        image_size: width and height in pixels, where the file has none.
    """

    joint_set: str | None = None
    fps: float | None = None
    image_size: tuple[int, int] | None = None


@dataclass(frozen=True)
class KeypointFormat:
    """One format of 2D keypoint files.

    Attributes:
        name: what users call it.
        suffixes: of its files, in lower case with the dot.
        recognise: returns whether a file or folder is of this format. It may raise an InputError for a damaged file.
        read: reads it, given the file and what the caller knows. It returns one sequence per person or clip and raises
            an InputError for what it cannot use.
        description: one line for help texts: which files, and which joint sets.
    """

    name: str
    suffixes: tuple[str, ...]
    recognise: Callable[[KeypointFile], bool]
    read: Callable[[KeypointFile, KeypointOptions], list[PoseSequence]]
    description: str
