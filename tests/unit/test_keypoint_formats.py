"""The list of keypoint formats: the reader and every help text follow from it."""

import numpy as np
import pytest

from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.keypoints import formats
from posenet3d.io.keypoints.keypoint_format import KeypointFile, KeypointFormat
from posenet3d.io.keypoints.read import read_keypoints


def read_toy(file: KeypointFile, joint_set: str | None, fps: float) -> list[PoseSequence]:
    x = [float(line) for line in file.path.read_text().split()[1:]]
    pixels = np.repeat(np.array(x)[:, None, None], 17, axis=1).repeat(2, axis=2)
    return [PoseSequence(f"{file.path.stem} {joint_set}", pixels, np.ones(pixels.shape[:2]), fps=fps)]


TOY = KeypointFormat(
    name="Toy",
    suffixes=(".toy",),
    recognise=lambda file: file.suffix == ".toy" and file.path.read_text().startswith("toy"),
    read=read_toy,
    description="a .toy with a number per frame.",
)


@pytest.fixture
def with_toy(monkeypatch):
    monkeypatch.setattr(formats, "FORMATS", (*formats.FORMATS, TOY))


def test_one_line_in_the_list_adds_a_format(tmp_path, with_toy):
    (tmp_path / "a.toy").write_text("toy 1 2 3")
    (sequence,) = read_keypoints(tmp_path / "a.toy", joint_set="coco17")
    assert (sequence.name, len(sequence), sequence.fps) == ("a coco17", 3, 30)
    assert ".toy" in formats.accepted_suffixes()
    assert formats.describe_formats().endswith("or Toy (.toy)")
    assert "- **Toy**: a .toy with a number per frame." in formats.formats_as_markdown()


def test_a_file_of_no_format_is_told_what_can_be_read(tmp_path, with_toy):
    for name, content, says in (
        ("a.xyz", "1", r"'.xyz' is no known format; give OpenPose .*, packed clips \(\.npz\) or Toy \(\.toy\)\.$"),
        ("a.toy", "1", r"is none of the \.toy files that can be read; give Toy \(\.toy\)\.$"),
        ("a.json", "{}", r"none of the \.json files .*; give OpenPose .*, COCO \(\.json\) or AlphaPose \(\.json\)\.$"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(InputError, match=says):
            read_keypoints(tmp_path / name)


def test_without_the_line_it_is_unknown(tmp_path):
    (tmp_path / "a.toy").write_text("toy 1 2 3")
    with pytest.raises(InputError, match=r"'\.toy' is no known format"):
        read_keypoints(tmp_path / "a.toy")


def test_names_and_suffixes_are_those_of_the_list():
    assert formats.accepted_suffixes() == (".json", ".zip", ".csv", ".npz")
    assert len({known.name for known in formats.FORMATS}) == len(formats.FORMATS)


def test_json_is_parsed_once(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text('{"annotations": []}')
    parsed = []
    monkeypatch.setattr("posenet3d.io.keypoints.keypoint_format.load_json", lambda path: parsed.append(path) or {})
    with pytest.raises(InputError, match=r"none of the \.json files"):
        read_keypoints(tmp_path / "a.json")
    assert parsed == [tmp_path / "a.json"]
