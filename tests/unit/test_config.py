"""Settings: JSON and back, changes from the command line, and old names of renamed fields."""

from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from posenet3d.config import from_dict, override, to_dict
from posenet3d.errors import InputError


@dataclass(frozen=True)
class Shape:
    RENAMED: ClassVar[dict[str, str]] = {"breadth": "crop_width"}

    crop_width: int = 96
    sides: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Training:
    RENAMED: ClassVar[dict[str, str]] = {"network": "model"}

    model: Shape = field(default_factory=Shape)
    lr: float = 0.1


CHANGED = Training(Shape(48, (3, 4)), 0.5)


def test_settings_survive_json():
    assert to_dict(CHANGED) == {"model": {"crop_width": 48, "sides": [3, 4]}, "lr": 0.5}
    assert from_dict(Training, to_dict(CHANGED)) == CHANGED


def test_old_names_are_read_and_set():
    assert from_dict(Training, {"network": {"breadth": 48, "sides": [3, 4]}, "lr": 0.5}) == CHANGED
    assert override(Training(), ["network.breadth=48", "model.sides=3,4", "lr=0.5"]) == CHANGED
    assert override(Training(), ["model.breadth=48"]) == override(Training(), ["model.crop_width=48"])


def test_unknown_names_are_errors():
    with pytest.raises(TypeError):
        from_dict(Training, {"models": {}})
    with pytest.raises(InputError, match=r"there is no setting 'model.bread'; choose from crop_width, sides"):
        override(Training(), ["model.bread=48"])
    with pytest.raises(InputError, match="is a group of settings"):
        override(Training(), ["network=1"])
