"""Check a payload against `payload_schema.json`, the one list of names, types and shapes that Python and JavaScript read.

Arrays are sent flat. Their names are made of the schema's names: an array of a candidate is ``a_pose``, of a measure
``a_heat_mpjpe``, of a body model ``body0_faces``; an array of the clip has its own name.
"""

import json
import math
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SCHEMA: Mapping[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))

PREFIXES: tuple[str, ...] = tuple(SCHEMA["prefixes"])
"""Of the arrays of the first and the second candidate."""


@dataclass(frozen=True)
class ArraySpec:
    """What the schema says of one array of a payload.

    Attributes:
        name: of the array in the payload.
        dtype: of its values.
        shape: lengths, or names of lengths.
        owner: names of lengths that the payload does not state, such as 'vertices', are equal within one owner.
        is_expected: whether the payload must hold it; None for an array that it may hold.
    """

    name: str
    dtype: str
    shape: tuple[str | int, ...]
    owner: str
    is_expected: bool | None


def array_specs(meta: Mapping[str, Any]) -> list[ArraySpec]:
    """Return every array that a payload with this `meta` must or may hold."""
    specs = list(_specs("clip", "{}", "clip", {"b_onto_a": len(meta["candidates"]) == 2, "video": "video" in meta}))
    for number, body in enumerate(meta["bodies"]):
        specs += _specs("body", f"body{number}_{{}}", f"body {number}", {"colors": body["has_colors"]})
    for candidate in meta["candidates"]:
        prefix = candidate["prefix"]
        specs += _specs("candidate", f"{prefix}_{{}}", prefix)
        if candidate["body"] is not None:
            specs += _specs("candidate_body", f"{prefix}_{{}}", f"body {candidate['body']}")
        for measure in candidate["measures"]:
            specs += _specs("measure", f"{prefix}_{{}}_{measure['key']}", prefix, {"truth": measure["has_truth"]})
    return specs


def check_payload(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Check names, types and lengths of everything in a payload.

    Raises:
        ValueError: names the first field or array that does not follow the schema.
    """
    _check_fields("clip", meta, optional={"video"})
    _check_fields("curve", meta["curve"])
    _check_fields("camera", meta["camera"])
    if "video" in meta:
        _check_fields("video", meta["video"])
    for body in meta["bodies"]:
        _check_fields("body", body)
    for candidate in meta["candidates"]:
        _check_fields("candidate", candidate)
        _check_fields("size", candidate["size"])
        for measure in candidate["measures"]:
            _check_fields("measure", measure)
    specs = {spec.name: spec for spec in array_specs(meta)}
    if unknown := arrays.keys() - specs.keys():
        raise ValueError(f"payload_schema.json does not name the array {min(unknown)!r}")
    lengths: dict[tuple[str, str], int] = {}
    for name, spec in specs.items():
        if (name in arrays) != (spec.is_expected if spec.is_expected is not None else name in arrays):
            raise ValueError(f"the payload {'lacks' if spec.is_expected else 'must not hold'} the array {name!r}")
        if name in arrays:
            _check_array(spec, arrays[name], meta, lengths)


def _specs(kind: str, pattern: str, owner: str, expected: Mapping[str, bool] | None = None) -> Iterator[ArraySpec]:
    for name, field in SCHEMA["arrays"][kind].items():
        default = None if field.get("optional", False) else True
        is_expected = (expected or {}).get(name, default)
        yield ArraySpec(pattern.format(name), field["dtype"], tuple(field["shape"]), owner, is_expected)


def _check_fields(kind: str, fields: Mapping[str, Any], optional: Set[str] = frozenset()) -> None:
    wrong = set(SCHEMA["meta"][kind]) ^ (fields.keys() - optional)
    if wrong:
        raise ValueError(f"the fields of a {kind} and payload_schema.json differ in {', '.join(sorted(wrong))}")


def _check_array(
    spec: ArraySpec, values: np.ndarray, meta: Mapping[str, Any], lengths: dict[tuple[str, str], int]
) -> None:
    if values.dtype != spec.dtype or values.ndim != 1:
        raise ValueError(f"the array {spec.name!r} has type {values.dtype}{list(values.shape)}, not flat {spec.dtype}")
    stated = {"frames": meta["frames"], "joints": len(meta["joints"])}
    if meta["bodies"]:
        stated["body_joints"] = len(meta["bodies"][0]["parents"])
    known = [stated.get(length, length) if isinstance(length, str) else length for length in spec.shape]
    per_unit = math.prod(length for length in known if isinstance(length, int))
    free = [length for length in known if isinstance(length, str)]
    if not free:
        is_right = values.size == per_unit
    else:  # at most one length is not stated; the owner's first array sets it
        count = lengths.setdefault((spec.owner, free[0]), values.size // per_unit)
        is_right = values.size == count * per_unit
    if not is_right:
        raise ValueError(f"the array {spec.name!r} has {values.size} values, which is not {list(spec.shape)}")
