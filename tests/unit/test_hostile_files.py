"""Files made to break readers: every one is refused in a sentence, quickly and without filling the memory."""

import json
import zipfile
from pathlib import Path

import pytest

from posenet3d.errors import MAX_NAME, InputError
from posenet3d.io.atomic import atomic_write, check_target, remove_leftovers
from posenet3d.io.checked_json import MAX_PARSED_BYTES, _parsed_bytes, describe, parse_json
from posenet3d.io.keypoints.read import read_keypoints
from posenet3d.paths import is_folder, is_plain_file


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mb", "a\u2028b", "a\u202eb", "a\udcffb", "a\x7fb", "a\x9bb"])
def test_control_characters_in_a_name_are_shown_escaped(name):
    error = InputError(name, f"holds {name}", f"remove {name}")
    assert not [letter for letter in str(error) if ord(letter) < 32 or ord(letter) > 126]
    assert "\\" in str(error)
    assert error.file == name
    assert str(InputError(error.file, error.problem, error.remedy)) == str(error)
    assert describe(name).isprintable()


def test_long_names_are_shortened_and_foreign_names_stay():
    error = InputError("x" * 5000 + "/end.json", "is " + "y" * 10**6, "give another")
    assert len(str(error)) < 2000
    assert "end.json: is y" in str(error)
    assert "give another" in str(error)
    assert str(error).index(": ") <= MAX_NAME
    assert "Übung 走る é.json: " in str(InputError("Übung 走る é.json", "is empty", "write it again"))


def test_targets_that_the_system_refuses_are_a_sentence(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="cannot be written"):
        check_target(tmp_path / ("x" * 300), tmp_path / "in.json")
    with pytest.raises(InputError, match="cannot be written"):
        check_target(tmp_path / "a\0b", tmp_path / "in.json")
    assert not is_plain_file(tmp_path / ("x" * 300))
    assert not is_folder(tmp_path / ("x" * 300))

    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        check_target(tmp_path / "out.npz", tmp_path / "in.json")
    assert not is_plain_file(tmp_path / "a")
    assert not is_folder(tmp_path / "a")


def test_temporary_files_of_a_killed_process_are_removed_and_no_others(tmp_path):
    with atomic_write(tmp_path / "latest.pt") as file:
        left = Path(file.name) if isinstance(file.name, str) else next(tmp_path.iterdir())
        kept = left.name
    for name in (kept, ".latest.pt.abcd_012", ".other.pt.abcd_012", ".latest.pt.backup-01", ".latest.pt"):
        (tmp_path / name).write_bytes(b"1")
    removed = remove_leftovers(tmp_path, ["latest.pt", "model.safetensors"])
    assert {path.name for path in removed} == {kept, ".latest.pt.abcd_012"}
    assert {path.name for path in tmp_path.iterdir()} == {
        "latest.pt", ".other.pt.abcd_012", ".latest.pt.backup-01", ".latest.pt"
    }  # fmt: skip
    assert remove_leftovers(tmp_path / "gone", ["latest.pt"]) == []


def test_json_that_would_fill_the_memory_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr("posenet3d.io.checked_json.json.loads", lambda text: pytest.fail("was parsed"))
    for bomb in (b"[" + b"{}," * 20_000_000, b"[" + b"[]," * 30_000_000, b"[" + b"1," * 110_000_000):
        with pytest.raises(InputError, match="would fill"):
            parse_json(bomb, "a.json")


def test_a_zip_of_empty_objects_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.json", b"{}," * 2**24)
    assert (tmp_path / "a.zip").stat().st_size < 100_000
    with pytest.raises(InputError, match="unpacks to more than 32 MiB"):
        read_keypoints(tmp_path / "a.zip")


def test_training_annotations_of_coco_have_room():
    """262,465 annotations of 61 numbers in the outline and 118,287 images, as in person_keypoints_train2017.json."""
    annotation = {
        "segmentation": [[round(100.5 + 1.25 * k, 2) for k in range(61)]], "num_keypoints": 10, "area": 47803.27955,
        "iscrowd": 0, "keypoints": [142, 309, 1] * 17, "image_id": 425226, "bbox": [73.35, 206.02, 300.58, 372.5],
        "category_id": 1, "id": 183126,
    }  # fmt: skip
    image = {
        "license": 3, "file_name": "000000391895.jpg", "coco_url": "http://images.cocodataset.org/train2017/000000391895.jpg",
        "height": 360, "width": 640, "date_captured": "2013-11-14 11:18:45", "id": 391895,
        "flickr_url": "http://farm9.staticflickr.com/8186/8119368305_4e622c8349_z.jpg",
    }  # fmt: skip
    texts = [json.dumps(record).encode() for record in (annotation, image)]
    counts = 262_465, 118_287
    assert sum(len(text) * count for text, count in zip(texts, counts, strict=True)) > 200e6
    filled = sum(_parsed_bytes(text + b",") * count for text, count in zip(texts, counts, strict=True))
    assert filled < 0.8 * MAX_PARSED_BYTES
