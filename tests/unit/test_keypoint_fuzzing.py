"""Damaged keypoint files of every format give sequences or one sentence (InputError), never another exception."""

import copy
import json
import random
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_keypoint_formats as made

from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.keypoints.csv_table import write_csv
from posenet3d.io.keypoints.formats import FORMATS
from posenet3d.io.keypoints.keypoint_format import KeypointFile
from posenet3d.io.keypoints.read import read_keypoints
from posenet3d.synthetic.sequences import bundled_sequences

pytestmark = pytest.mark.slow

FRAMES = 4
MUTATIONS = 25
"""Damaged files per format and kind of damage; more were tried by hand with other seeds."""

ELSEWHERE = {"packed clips"}
"""Formats without a damaged file here: this one is read with checks of its own (`posenet3d.io.checked_npz`)."""

STRANGE: list[Any] = [
    None, True, False, "", "x", "-1", "1e999", "nan", [], [[]], {}, {"a": 1}, -1, 0, 0.5, 2**31, 2**70, 10**400, 1e308, -1e308,
    float("nan"), float("inf"), [None], ["a"] * 51, [1] * 50, [[1, 2, 3]] * 17, [1e300] * 51, "9" * 400, "\u0000", "frame_7.jpg",
]  # fmt: skip


def results_list() -> list:
    return [{"image_id": i, "keypoints": made.listed(made.COCO17[i]), "score": 1, "idx": 1} for i in range(FRAMES)]


def coco() -> dict:
    return {
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": 1000, "height": 1000, "row": i} for i in range(FRAMES)],
        "annotations": [{"image_id": i, "id": i, "category_id": 1, "keypoints": made.listed(made.COCO17[i])}
                        for i in range(FRAMES)],
        "categories": [{"id": 1, "keypoints": list(made.NAMES)}],
        "info": {"fps": 25},
    }  # fmt: skip


def label_studio() -> list:
    def result(i, j):
        value = {"x": made.COCO17[i, j, 0] / 10, "y": made.COCO17[i, j, 1] / 10, "keypointlabels": [made.NAMES[j]]}
        return {"original_width": 1000, "original_height": 1000, "value": value, "type": "keypointlabels"}

    return [{"id": i, "data": {"img": f"/data/frame_{i:04d}.jpg"},
             "annotations": [{"result": [result(i, j) for j in range(17)]}]} for i in range(FRAMES)]  # fmt: skip


def openpifpaf() -> list:
    return [{"keypoints": made.listed(made.COCO17[0]), "bbox": [1, 2, 3, 4], "score": 0.9, "category_id": 1}]


def openpose() -> dict:
    return {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": made.listed(made.coco18(0))}]}


JSON: list[Callable[[], Any]] = [*made.JSON, results_list, coco, label_studio, openpifpaf, openpose]


def places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of parsed JSON with each of its keys."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in list(pairs):
        yield content, key
        yield from places(value)


def damaged_json(content: Any, chance: random.Random) -> Any:
    content = copy.deepcopy(content)
    for _ in range(chance.choice((1, 1, 2, 5))):
        every = list(places(content))
        if not every:
            break
        # Numbers are by far the most: the outer fields are chosen as often as they are.
        outer = [place for place in every if not isinstance(place[0][place[1]], int | float)] or every
        container, key = chance.choice(chance.choice((every, outer)))
        action = chance.randrange(4)
        if action == 0:
            del container[key]
        elif action == 1 and isinstance(container, list):
            container.insert(key, copy.deepcopy(chance.choice(container)))
        else:
            container[key] = copy.deepcopy(chance.choice(STRANGE))
    return content


def damaged_bytes(content: bytes, chance: random.Random) -> bytes:
    result = bytearray(content)
    for _ in range(chance.choice((1, 3, 20))):
        where = chance.randrange(len(result) or 1)
        action = chance.randrange(4)
        if action == 0:
            del result[where : where + chance.choice((1, 9, len(result)))]
        elif action == 1:
            result[where:where] = chance.choice(
                (b"\0", b",", b"\n", b"\xff\xfe", b"-", b"1e999", b";", b'"', b"[" * 3000)
            )
        elif where < len(result):
            result[where] = chance.randrange(256)
    return bytes(result)


def read_or_refuse(path: Path) -> None:
    """Read the file with and without the size; anything but sequences or an InputError fails the test."""
    for options in ({}, {"image_size": (1000, 1000), "units": "px"}):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # a warning is not a sentence for the user
                sequences = read_keypoints(path, **options)
        except InputError:
            continue
        assert isinstance(sequences, list)
        assert all(isinstance(sequence, PoseSequence) for sequence in sequences)


@pytest.mark.parametrize("make", JSON, ids=lambda make: make.__name__)
def test_json_with_wrong_fields(make, tmp_path, monkeypatch):
    monkeypatch.setattr(made, "FRAMES", FRAMES)
    content, chance = make(), random.Random(make.__name__)
    for _ in range(MUTATIONS):
        path = tmp_path / "clip.json"
        path.write_text(json.dumps(damaged_json(content, chance)))
        read_or_refuse(path)


def written_files(folder: Path) -> list[Path]:
    """One small valid file of every format that is not JSON, as the tests of the formats write it."""
    write_csv(folder / "own.csv", [bundled_sequences()[0].frames(0, FRAMES)])
    for name, test in vars(made).items():
        if name in ("test_a_wide_table", "test_deeplabcuts_csv", "test_deeplabcuts_hdf5", "test_sleaps_analysis_file",
                    "test_videopose3ds_custom_file", "test_detectron2s_file", "test_movenet_is_y_x_in_shares",
                    "test_openpifpaf_video_is_json_lines"):  # fmt: skip
            own = folder / name
            own.mkdir()
            test(own, made_reference(folder))
    np.save(folder / "walk.npy", made.COCO17[:FRAMES])
    (folder / "label.txt").write_text(
        "0 0.5 0.5 0.1 0.1 " + " ".join(f"{v / 1000:.5f}" for v in made.COCO17[0].ravel())
    )
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "reference.json"]


def made_reference(folder: Path) -> PoseSequence:
    content = [{"image_id": i, "keypoints": made.listed(made.COCO17[i]), "score": 1} for i in range(made.FRAMES)]
    (sequence,) = read_keypoints(made.written(folder / "reference.json", content))
    return sequence


def test_every_kind_of_file_with_damaged_bytes(tmp_path):
    files = written_files(tmp_path)
    assert len(files) >= 11
    chance = random.Random(0)
    for file in files:
        content = file.read_bytes()
        for _ in range(MUTATIONS // 4):
            path = tmp_path / f"damaged{file.suffix}"
            path.write_bytes(damaged_bytes(content, chance))
            read_or_refuse(path)


@pytest.mark.parametrize("flag", [0x01, 0x20], ids=["encrypted", "patched"])
def test_an_archive_that_cannot_be_unpacked_is_refused(flag, tmp_path):
    made.test_videopose3ds_custom_file(tmp_path, made_reference(tmp_path))
    path = tmp_path / "data_2d_custom_mine.npz"
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        start = content.find(mark)
        while start >= 0:
            content[start + offset] |= flag
            start = content.find(mark, start + 4)
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_keypoints(path)


def test_arrays_of_any_shape(tmp_path):
    chance = np.random.default_rng(0)
    for number in range(3 * MUTATIONS):
        shape = tuple(int(n) for n in chance.choice([0, 1, 2, 3, 4, 17, 18, 34, 51], chance.integers(0, 5)))
        array = chance.normal(size=shape) * chance.choice([0, 1, 1e3, 1e300]) + chance.choice([0, 500, np.nan, np.inf])
        kinds = ("f4", "f2", "i8", "u1", "bool", "c16", "U5", "M8[s]")
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array = array.astype(kinds[number % 8]) if number % 3 else array
        np.save(tmp_path / "array.npy", array)
        read_or_refuse(tmp_path / "array.npy")


def test_every_format_is_damaged_here(tmp_path, monkeypatch):
    files = written_files(tmp_path)
    monkeypatch.setattr(made, "FRAMES", FRAMES)
    for make in JSON:
        files.append(made.written(tmp_path / f"{make.__name__}.json", make()))
    used = {next(known.name for known in FORMATS if known.recognise(KeypointFile(file))) for file in files}
    assert {known.name for known in FORMATS} - used == ELSEWHERE
