"""Read MMPose's prediction files: of a video, with or without meta_info, or of one image."""

from pathlib import Path
from typing import Any

from posenet3d.core.jointsets import JointSet
from posenet3d.core.sequence import PoseSequence
from posenet3d.io.checked_json import records, whole_number
from posenet3d.io.keypoints.entries import Entry, joint_set_of_names, joints_of, sequences_of_entries
from posenet3d.io.keypoints.keypoint_format import KeypointFormat, KeypointOptions

FIELD = "instances.keypoints"

LIMBS = {f"{side}_{joint}" for side in "lr" for joint in ("shoulder", "hip", "knee", "ankle")}
"""Names without these are abbreviations of their own ('lsho', 'lank'): then the number of joints decides."""


def recognise_mmpose(content: object) -> bool:
    """Return whether parsed JSON has one of MMPose's three forms."""
    if isinstance(content, dict):
        return "instance_info" in content
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, dict) and ("instances" in first or "keypoint_scores" in first)


def read_mmpose(content: Any, path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read parsed predictions: ``{meta_info, instance_info}``, ``[{frame_id, instances}]`` or an image's ``[{keypoints}]``.

    The joint set is the one that `meta_info` names, else recognised by number and geometry.

    Raises:
        InputError: a field is missing or wrong, or nobody is seen.
    """
    named = None
    if isinstance(content, dict):
        named = _named(content.get("meta_info"), path)
        content = content["instance_info"]
    frames = records(content, path, "instance_info")
    if frames and "instances" not in frames[0]:  # one image: the list holds its people
        frames = [{"frame_id": 0, "instances": frames}]
    entries, numbers = [], []
    for index, frame in enumerate(frames):
        number = whole_number(frame.get("frame_id", index), path, f"[{index}].frame_id")
        numbers.append(number)
        for person in records(frame.get("instances"), path, f"[{index}].instances"):
            joints = joints_of(person.get("keypoints"), person.get("keypoint_scores"), path, FIELD)
            track = person.get("track_id", person.get("instance_id"))
            entries.append(Entry(number, joints, None if track is None else whole_number(track, path, "track_id")))
    span = (min(numbers), max(numbers)) if numbers else None
    return sequences_of_entries(entries, path, options, FIELD, joint_set=named, frames=span)


def _named(meta: object, path: Path) -> JointSet | None:
    names = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    if not isinstance(names, dict):
        return None
    ordered = [str(names[key]) for key in sorted(names, key=lambda key: int(key) if str(key).isdigit() else 0)]
    known = joint_set_of_names(ordered, path, "meta_info.keypoint_id2name")
    return known if known is not None and set(known.joints) >= LIMBS else None


FORMAT = KeypointFormat(
    name="MMPose",
    suffixes=(".json",),
    recognise=lambda file: recognise_mmpose(file.json),
    read=lambda file, options: read_mmpose(file.json, file.path, options),
    description="the predictions .json of the inferencer or of topdown_demo, of a video or of one image.",
)
