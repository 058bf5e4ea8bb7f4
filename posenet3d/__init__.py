"""PoseNet3D Explorer: 2D joints in, a smooth 3D skeleton out, learnt from 2D alone.

Example:
    >>> import posenet3d as p3
    >>> people = p3.read("walk_openpose/")  # doctest: +SKIP
    >>> result = p3.lift(people[0], model="student")  # doctest: +SKIP
    >>> p3.export(result, "walk.glb")  # doctest: +SKIP

Conventions, said once and used everywhere:

- Camera frame: x right, y down, z forward (OpenCV). World: y up.
- Lengths are metres where a body or ground truth fixes the scale; elsewhere the name says the unit. Angles are radians.
  Suffixes ``_px``, ``_mm``, ``_deg``, ``_s`` mark everything else.
- The 17 joints of Human3.6M in its order (`posenet3d.core.skeleton`); other joint sets are converted on reading
  (`posenet3d.core.jointsets`).
- Array shapes are written in signatures (``frames joints 2``), never flattened to 34 or 51.
- ``R_b_a`` maps a-coordinates to b-coordinates.
- A missing joint is NaN with confidence 0. Nothing is silently invented.

The public names are imported when they are first used, so that ``import posenet3d`` does not wait for PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from posenet3d.api import detect, evaluate, export, lift, read
    from posenet3d.core.lifted import Lifted
    from posenet3d.core.sequence import PoseSequence
    from posenet3d.errors import InputError
    from posenet3d.lifting.lifter import Lifter

__version__ = "0.1.0"
__all__ = ["InputError", "Lifted", "Lifter", "PoseSequence", "detect", "evaluate", "export", "lift", "read"]

_HOME = {
    "InputError": "posenet3d.errors",
    "Lifted": "posenet3d.core.lifted",
    "Lifter": "posenet3d.lifting.lifter",
    "PoseSequence": "posenet3d.core.sequence",
}
"""Modules of the public classes; the verbs are in `posenet3d.api`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'posenet3d' has no attribute '{name}'")
    value = getattr(import_module(_HOME.get(name, "posenet3d.api")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
