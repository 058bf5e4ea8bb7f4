"""The configuration of a run folder or checkpoint: ``config.json``, read and written."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from posenet3d.errors import InputError
from posenet3d.io.atomic import atomic_write
from posenet3d.io.checked_json import describe
from posenet3d.renamed import with_current_names

FILE_NAME = "config.json"
MAX_BYTES = 2**20
"""Of a config.json; those of trained networks have 3 kB."""

_TEXTS = ("stage", "version", "body_model", "started")


@dataclass(frozen=True)
class RunConfig:
    """What was trained, how, and on which data.

    Attributes:
        model: settings of the network in ``model.safetensors``.
        stage: 'teacher', 'student', 'joint', 'earlier' (the baseline) or 'pose2d ...'.
        version: of this program.
        student: settings of the network in ``student.safetensors``, where there is one.
        refiner: settings of the network in ``refiner.safetensors``, where there is one.
        training: settings of the training, the networks' apart.
        teacher: name and training settings of the run that was distilled or fine-tuned.
        student_run: the same of the student's run.
        tilt_deg: mean and spread of the cameras' tilt, and on how many clips they rest.
        body_model: name of the body that the student predicts.
        data: number and digest of the training data.
        started: local time.
        other: fields that this version does not know.
    """

    model: Mapping[str, Any]
    stage: str = ""
    version: str = ""
    student: Mapping[str, Any] | None = None
    refiner: Mapping[str, Any] | None = None
    training: Mapping[str, Any] | None = None
    teacher: Mapping[str, Any] | None = None
    student_run: Mapping[str, Any] | None = None
    tilt_deg: Mapping[str, Any] | None = None
    body_model: str | None = None
    data: Mapping[str, Any] | None = None
    started: str | None = None
    other: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "RunConfig":
        """Read the configuration of a run folder or checkpoint; old names of settings are replaced by today's.

        Raises:
            InputError: it is missing, not JSON, has no settings of a model, or a field is of the wrong type.
        """
        path = folder / FILE_NAME
        try:
            if not path.is_file():  # reading a pipe would wait for ever
                raise InputError(path, "is missing, or is not a plain file", "restore it or train again")
            if path.stat().st_size > MAX_BYTES:
                raise InputError(path, f"is larger than {MAX_BYTES >> 20} MiB", "restore it or train again")
            content = with_current_names(json.loads(path.read_text()))
            if not isinstance(content["model"], dict):
                raise KeyError("model")
        except InputError:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError) as error:
            raise InputError(path, "is not the config of a checkpoint", "restore it or train again") from error
        known = {f.name for f in fields(cls)} - {"other"}
        for key in known & content.keys():
            kind = str if key in _TEXTS else dict
            if not isinstance(content[key], kind | None):
                problem = (
                    f"field '{key}' is {describe(content[key])}, not a {'text' if kind is str else 'group of settings'}"
                )
                raise InputError(path, problem, "restore it or train again")
        other = {key: value for key, value in content.items() if key not in known}
        given = {key: value for key, value in content.items() if key in known and value is not None}
        return cls(**given, other=other)

    def write(self, folder: Path) -> None:
        """Write the configuration into a folder, whole or not at all."""
        with atomic_write(folder / FILE_NAME) as file:
            file.write(json.dumps(self.to_dict(), indent=2).encode())

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``config.json``; fields that the run does not have are left out."""
        order = ["stage", "version", *(f.name for f in fields(self) if f.name not in ("stage", "version", "other"))]
        return {key: value for key in order if (value := getattr(self, key)) is not None} | dict(self.other)
