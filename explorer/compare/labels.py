"""Names of joints as the pages show them."""

from posenet3d.core.skeleton import JOINT_NAMES


def joint_label(name: str) -> str:
    """Return a joint's name in words: 'r_hip' is 'right hip'."""
    side = {"r": "right ", "l": "left "}[name[0]] if name[1] == "_" else ""
    return side + name[2 * bool(side) :].replace("neck_nose", "neck/nose").replace("_", " ")


JOINT_LABELS = [joint_label(name) for name in JOINT_NAMES]
