"""Recognise the names of bones and markers, whatever prefixes, suffixes and spellings of the sides a program gives them."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from posenet3d.core.jointsets import KNOWN_JOINTS, canonical_joint

# Joint names in skeletons of motion capture, without left and right, to names in posenet3d.core.jointsets.
_SKELETON_NAMES = {
    "pelvis": "pelvis_joint", "hips": "pelvis_joint", "root": "pelvis_joint",
    "upleg": "hip", "upperleg": "hip", "legupper": "hip", "thigh": "hip", "femur": "hip", "hip": "hip",
    "leg": "knee", "lowerleg": "knee", "lowleg": "knee", "leglower": "knee", "shin": "knee", "calf": "knee",
    "tibia": "knee", "knee": "knee",
    "foot": "ankle", "ankle": "ankle", "toebase": "foot", "toe": "foot", "toes": "foot", "toe0": "foot", "ball": "foot",
    "arm": "shoulder", "upperarm": "shoulder", "uparm": "shoulder", "armupper": "shoulder", "humerus": "shoulder",
    "shldr": "shoulder", "shoulder": "shoulder",
    "forearm": "elbow", "lowerarm": "elbow", "lowarm": "elbow", "armlower": "elbow", "radius": "elbow",
    "elbow": "elbow", "hand": "wrist", "wrist": "wrist",
    "collar": "collar", "clavicle": "collar",
    "neck": "neck_joint", "head": "head_joint", "headtop": "head_top", "headtopend": "head_top", "headnub": "head_top",
    "spine": "spine1", "thorax": "spine3",  # not Human3.6M's joints of these names
}  # fmt: skip

_MARKER_NAMES = {
    "hjc": "hip", "kjc": "knee", "ajc": "ankle", "sjc": "shoulder", "ejc": "elbow", "wjc": "wrist",
}  # fmt: skip
"""Centres of joints, as laboratories abbreviate them."""

_MIDLINE = ("pelvis_joint", "neck_joint", "head_joint", "head_top", "spine1", "spine3")

_SIDES = {
    **dict.fromkeys(("l", "left", "lf", "lft", "lt"), "l"),
    **dict.fromkeys(("r", "right", "rt", "rgt"), "r"),
}
_CENTRES = ("c", "center", "centre", "mid", "middle", "m")
_PREFIX = re.compile(
    r"(mixamorig|character|bip|valvebiped|robot|actor|skeleton|skel|subject|armature|def|org|jnt|cc)\d*"
)
_FOLLOWERS = {"cc": ("base",), "j": ("bip",), "valve": ("biped",)}
"""Words that are a prefix only together with the word after them: CC_Base_, J_Bip_, ValveBiped."""

_SUFFIX = re.compile(r"study|reg|jnt|bone|bind")
_TIPS = ("end", "nub", "tip", "site")  # of a chain: another joint, never a spelling of its parent
_WORD = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")


@dataclass(frozen=True)
class _Words:
    """A name in lower-case words, and whether a prefix or suffix was taken off it."""

    name: str
    words: tuple[str, ...]
    is_decorated: bool = False


@dataclass(frozen=True)
class SplitName:
    """The parts of a name: 'l' and ('up', 'leg') of 'mixamorig_LeftUpLeg'; the side is '' on the midline."""

    name: str
    side: str
    words: tuple[str, ...]
    is_decorated: bool

    @property
    def core(self) -> str:
        """The name without side, prefix and suffix, in lower case and in one word."""
        return "".join(self.words)


def split_names(names: Sequence[str], cores: Collection[str]) -> list[SplitName]:
    """Split names into side and rest, without the prefixes and suffixes that programs add.

    These are namespaces ('Subject:'), a list of known words ('mixamorig_', '_study'), and words with which more than half
    of all names begin or end.

    Args:
        names: of all bones or markers in a file.
        cores: names without sides that mean a joint; they are never taken for a prefix.
    """
    known = {*cores, *_SIDES, *_TIPS, *(core.rstrip("0123456789") for core in cores)}
    split = [_without_known_words(name) for name in names]
    split = _without_shared(split, known, lambda words: words[0], lambda words: words[1:])
    split = _without_shared(split, known, lambda words: words[-1], lambda words: words[:-1])
    return [SplitName(each.name, *_side(each.words, cores), each.is_decorated) for each in split]


def canonical_skeleton_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the joint names of a motion-capture skeleton in the spelling of `posenet3d.core.jointsets`.

    'mixamorig:LeftUpLeg', 'Bip01 L Thigh', 'LeftHip', 'lThigh' and 'left_hip' are one joint. Other names are kept in lower
    case. If two joints have the same name, the first keeps it and the others get a number.
    """
    parts = split_names(names, _SKELETON_NAMES)
    cores = {part.core for part in parts}
    names_here = dict(_SKELETON_NAMES)
    if cores & {"arm", "upperarm", "uparm", "armupper", "humerus", "shldr"}:
        names_here["shoulder"] = "collar"
    if "ankle" in cores:
        names_here["foot"] = "foot"
    if "wrist" in cores:
        names_here["hand"] = "hand"
    has_thigh = cores & {"upleg", "upperleg", "legupper", "thigh", "femur", "hip"}
    if not has_thigh and cores & {"knee", "lowerleg", "lowleg", "leglower", "shin", "calf", "tibia"}:
        names_here["leg"] = "hip"
    found = []
    for part in parts:
        known = names_here.get(part.core, "")
        known = f"{part.side}_{known}" if part.side and known else known
        is_joint = known and (part.side or known in _MIDLINE)
        found.append(known if is_joint else _by_itself(part))
    return _numbered(found, parts)


def canonical_marker_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names of markers and keypoints in 3D in the spelling of `posenet3d.core.jointsets`.

    Unlike bones, they name the place where they are: 'Head' is the top of the head, 'RFoot' no ankle.
    """
    parts = split_names(
        names, {*_MARKER_NAMES, *(joint.partition("_")[2] for joint in KNOWN_JOINTS if joint[1] == "_")}
    )
    found = []
    for part in parts:
        known = _MARKER_NAMES.get(part.core)
        found.append(f"{part.side}_{known}" if part.side and known else _by_itself(part))
    return _numbered(found, parts)


def _by_itself(part: SplitName) -> str:
    """Return the name that a joint has in the joint sets; the whole name in lower case if it has none."""
    as_written = canonical_joint(part.name)
    if as_written in KNOWN_JOINTS:
        return as_written
    spelt = canonical_joint("_".join(((part.side,) if part.side else ()) + part.words))
    return spelt if spelt in KNOWN_JOINTS else as_written


def _numbered(found: Sequence[str], parts: Sequence[SplitName]) -> tuple[str, ...]:
    """Return the names with numbers after all but the first of the same name; names without decoration come first."""
    order = sorted(range(len(found)), key=lambda index: (parts[index].is_decorated, index))
    unique = list(found)
    used: set[str] = set()
    for index in order:
        if found[index] in used:
            unique[index] = f"{found[index]}.{index}"
        used.add(unique[index])
    return tuple(unique)


def _without_known_words(name: str) -> _Words:
    """Return the words of a name without namespace and known prefixes and suffixes; at least one word is left."""
    words = tuple(word.lower() for word in _WORD.findall(re.sub(r"^.*[:|]", "", name.strip())))
    left = words
    while len(left) > 1:
        pair = left[0] in _FOLLOWERS and left[1] in _FOLLOWERS[left[0]]
        if pair and len(left) > 2:
            left = left[2:]
        elif _PREFIX.fullmatch(left[0]):
            left = left[1:]
        elif _SUFFIX.fullmatch(left[-1]):
            left = left[:-1]
        else:
            break
    return _Words(name, left, is_decorated=left != words)


def _without_shared(
    split: list[_Words],
    known: Collection[str],
    pick: Callable[[tuple[str, ...]], str],
    drop: Callable[[tuple[str, ...]], tuple[str, ...]],
) -> list[_Words]:
    """Take off the first or last word as long as more than half of the names share it."""
    while True:
        counts = Counter(pick(each.words) for each in split if len(each.words) > 1)
        word, count = counts.most_common(1)[0] if counts else ("", 0)
        if len(split) < 3 or 2 * count <= len(split) or word in known or word.rstrip("0123456789") in known:
            return split
        split = [
            replace(each, words=drop(each.words), is_decorated=True)
            if len(each.words) > 1 and pick(each.words) == word
            else each
            for each in split
        ]


def _side(words: tuple[str, ...], cores: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """Split words into side and rest: 'left', 'l' or 'L' before or after the rest, with or without a space between."""
    if len(words) > 1:
        if words[0] in _SIDES:
            return _SIDES[words[0]], words[1:]
        if words[-1] in _SIDES:
            return _SIDES[words[-1]], words[:-1]
        if words[0] in _CENTRES:
            return "", words[1:]
    whole = "".join(words)
    for spelling in ("left", "right", "l", "r"):
        for rest in (whole.removeprefix(spelling), whole.removesuffix(spelling)):
            is_known = whole not in cores and rest in cores
            if rest and rest != whole and (is_known or (len(spelling) > 1 and whole.startswith(spelling))):
                return spelling[0], (rest,)
    return "", words
