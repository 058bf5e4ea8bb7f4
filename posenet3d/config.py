"""Settings as frozen dataclasses: to JSON and back, and changed by ``key=value`` from the command line.

A settings class that renames a field keeps the old name in a class attribute ``RENAMED: ClassVar[dict[str, str]]`` (old name to
new name), so that old run folders and old command lines still work.
"""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Iterable
from typing import Any, TypeVar

from posenet3d.errors import InputError

Settings = TypeVar("Settings")


def override(settings: Settings, assignments: Iterable[str]) -> Settings:
    """Return a copy with ``key=value`` applied; dots reach nested settings (``model.width=256``).

    Raises:
        InputError: an unknown key, or a value of the wrong type.
    """
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise InputError("--set", f"'{assignment}' is not key=value", "write for example seed=1")
        settings = _assign(settings, key.split("."), text, key)
    return settings


def to_dict(settings: Any) -> dict[str, Any]:
    """Convert a settings dataclass to a plain dictionary, ready for JSON."""
    return json.loads(json.dumps(dataclasses.asdict(settings)))


def from_dict(kind: type[Settings], data: dict[str, Any]) -> Settings:
    """Build settings from a dictionary written by `to_dict`, also one with the old names of ``kind.RENAMED``.

    Raises:
        TypeError: a key the dataclass does not know, or a value of another type.
        ValueError: a number that is not finite.
    """
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, value in data.items():
        name = _current_name(kind, key)
        hint = hints.get(name)
        if dataclasses.is_dataclass(hint) and isinstance(value, dict):
            values[name] = from_dict(typing.cast(type, hint), value)
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
            _check_type(values[name], hint, key)
    return kind(**values)


_ACCEPTED: dict[Any, tuple[type, ...]] = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}
"""Types in JSON that fit an annotated type; 1 is a float, true is no number."""


def _check_type(value: Any, hint: Any, key: str) -> None:
    """Check a value from JSON against a plain type, a tuple of plain types or a settings class; others are not checked.

    Raises:
        TypeError: it does not fit.
        ValueError: a number is not finite.
    """
    parts = typing.get_args(hint) if typing.get_origin(hint) is tuple else ()
    if parts and not isinstance(value, tuple):
        raise TypeError(f"'{key}' is no list")
    for part, wanted in zip(value, parts, strict=False) if parts and parts[-1] is not ... else ():
        _check_type(part, wanted, key)
    if parts and parts[-1] is ...:
        for part in value:
            _check_type(part, parts[0], key)
    if dataclasses.is_dataclass(hint):
        raise TypeError(f"'{key}' is no group of settings")
    accepted = _ACCEPTED.get(hint)
    if accepted and (not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool)):
        raise TypeError(f"'{key}' is not of type {hint.__name__}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"'{key}' is not a finite number")


def _assign(settings: Any, path: list[str], text: str, key: str) -> Any:
    names = [field.name for field in dataclasses.fields(settings)]
    name = _current_name(type(settings), path[0])
    if name not in names:
        raise InputError("--set", f"there is no setting '{key}'", f"choose from {', '.join(names)}")
    current = getattr(settings, name)
    hint = typing.get_type_hints(type(settings))[name]
    inner = _names_in(current)
    if inner and len(path) == 1:
        raise InputError("--set", f"'{key}' is a group of settings", f"set one of {', '.join(inner)}, as {key}.NAME")
    if not inner and len(path) > 1:
        raise InputError("--set", f"there is no setting '{key}'", f"'{name}' has no parts")
    if dataclasses.is_dataclass(current):
        value = _assign(current, path[1:], text, key)
    elif inner:
        if ".".join(path[1:]) not in inner:
            raise InputError("--set", f"there is no setting '{key}'", f"choose from {', '.join(inner)}")
        value = {**current, path[1]: _parse(text, typing.get_args(hint)[1], key)}
    else:
        value = _parse(text, hint, key)
    return dataclasses.replace(settings, **{name: value})


def _names_in(value: Any) -> list[str]:
    """Return the names in a group of settings, a dataclass or a dictionary; none for other values."""
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value)]
    return list(value) if isinstance(value, dict) else []


def _current_name(kind: type, name: str) -> str:
    """Return the field that a settings class calls `name` today."""
    renamed: dict[str, str] = getattr(kind, "RENAMED", {})
    return renamed.get(name, name)


def _parse(text: str, hint: Any, key: str) -> Any:
    """Convert `text` to the annotated type: int, float, bool, str, or None where the annotation allows it."""
    if isinstance(hint, types.UnionType):
        if text.lower() == "none":
            return None
        hint = next(kind for kind in typing.get_args(hint) if kind is not type(None))
    try:
        if hint is bool:
            return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
        if typing.get_origin(hint) is typing.Literal:
            return {choice: choice for choice in typing.get_args(hint)}[text]
        if typing.get_origin(hint) is tuple:
            return tuple(typing.get_args(hint)[0](part) for part in text.split(","))
        return hint(text)
    except (KeyError, ValueError) as error:
        choices = typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()
        wanted = " or ".join(choices) if choices else getattr(hint, "__name__", str(hint))
        raise InputError("--set", f"'{key}={text}' is not a value of type {wanted}", "check the value") from error
