"""Files made to break readers: every one is refused in a sentence, quickly and without filling the memory."""

import json
import os
import pickle
import pickletools
import re
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from posenet3d.body.files import read_smpl
from posenet3d.config import to_dict
from posenet3d.errors import MAX_NAME, InputError
from posenet3d.io.atomic import atomic_write, check_target, remove_leftovers
from posenet3d.io.checked_json import MAX_PARSED_BYTES, _parsed_bytes, describe, parse_json
from posenet3d.io.checked_npz import load_arrays, numeric
from posenet3d.io.checked_pickle import load_pickle, number_array, valid_frames
from posenet3d.io.datasets.h36m import _views
from posenet3d.io.datasets.mpi_inf_3dhp import read_3dhp
from posenet3d.io.keypoints.read import read_keypoints
from posenet3d.io.run_config import RunConfig
from posenet3d.lifting import checkpoint as checkpoint_module
from posenet3d.lifting.checkpoint import find_checkpoint, list_checkpoints, load_teacher
from posenet3d.models.teacher import Teacher, TeacherConfig
from posenet3d.paths import is_folder, is_plain_file
from posenet3d.safe_pickle import UnsafePickle, plain, read_object_npz, read_pickle
from posenet3d.training.loop import _load_state, _resumed
from posenet3d.training.metrics_log import MetricsLog


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


def npy(dtype: str, shape: str) -> bytes:
    """A .npy file that announces any type and shape, and holds nothing."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


@pytest.mark.parametrize(
    ("member", "content", "says"),
    [
        ("keypoints_2d.npy", b"hello", "is no array"),
        ("keypoints_2d.npy", b"", "is no array"),
        ("keypoints_2d", b"hello", "is no array"),
        ("keypoints_2d.npy", npy("|u1", "(1000000000, 3)"), "MiB of memory"),
        ("keypoints_2d.npy", npy("<f2", "(200000000,)"), "MiB of memory"),
        ("keypoints_2d.npy", npy("<f8", "(10000000000000,)"), "MiB of memory"),
        ("name.npy", npy("<U100000000", "(10,)"), "100000000 characters"),
        ("keypoints_2d.npy", npy("<f8", "(5,)"), "not a readable npz"),
        ("keypoints_2d.npy", npy("<f8", "(5,("), "not a readable npz"),
    ],
)
def test_what_npz_fields_take_is_checked_before_they_are_read(tmp_path, monkeypatch, member, content, says):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr(member, content)
    if says != "not a readable npz":
        monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("was read"))
    with pytest.raises(InputError, match=says):
        load_arrays(tmp_path / "a.npz", ["keypoints_2d", "name"])


def test_small_numbers_are_not_converted_to_more_than_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr("posenet3d.io.checked_npz.MAX_CONVERTED_BYTES", 1000)
    path = tmp_path / "a.npz"
    assert numeric({"a": np.zeros(125, np.uint8)}, "a", path).dtype == np.float64
    assert numeric({"a": np.zeros(126, np.float32)}, "a", path).dtype == np.float32
    with pytest.raises(InputError, match="field 'a' takes"):
        numeric({"a": np.zeros(126, np.uint8)}, "a", path)


def with_method(path: Path, method: int) -> None:
    """Write into both headers of a zip with one member that it was packed with another method, or is encrypted."""
    content = bytearray(path.read_bytes())
    for start, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = content.index(start) + offset
        content[at : at + 2] = struct.pack("<H", method)
        if method == 0:
            content[at - 2] |= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("method", [0, 12, 14, 99])  # encrypted, bzip2, lzma, unknown
def test_zips_packed_in_a_way_that_they_do_not_say_are_a_sentence(tmp_path, method):
    np.savez_compressed(tmp_path / "a.npz", v_template=np.zeros((4, 3)))
    with_method(tmp_path / "a.npz", method)
    with pytest.raises(InputError):
        read_smpl(tmp_path / "a.npz")
    with pytest.raises(UnsafePickle):
        read_object_npz(tmp_path / "a.npz", "v_template")
    with pytest.raises(InputError):
        load_arrays(tmp_path / "a.npz", ["v_template"])


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02}r\xff\xff\xff\x0e.",  # memo index of 250 million: 5 GB
        b"\x80\x02}r\xff\xff\xff\x3f.",
        b"\x80\x02}p999999999\n.",
        b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"}.",  # a frame of a terabyte
        b"\x80\x05\x96" + struct.pack("<Q", 2**33) + b"a.",  # a bytearray of 8 GB
        b"\x80\x04\x8e" + struct.pack("<Q", 2**33) + b"a.",
        b"\x80\x02B" + struct.pack("<I", 2**31) + b"a.",
        b"\x80\x02\x8b" + struct.pack("<i", 2**30) + b"a.",
    ],
)
def test_pickles_that_announce_more_than_there_is_are_never_run(tmp_path, monkeypatch, content):
    monkeypatch.setattr("posenet3d.safe_pickle._Reader", lambda *_, **__: pytest.fail("was run"))
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(UnsafePickle):
        read_pickle(tmp_path / "a.pkl")


def test_pickles_of_every_protocol_pass_the_scan(tmp_path):
    value = {"a": np.arange(12.0).reshape(3, 4), "b": [[1, 2.5], ["x" * 300]], "c": np.zeros(100_000)}
    for protocol in range(6):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(value, protocol))
        assert plain(read_pickle(tmp_path / "a.pkl"))["b"] == value["b"]
        (tmp_path / "a.pkl").write_bytes(pickletools.optimize(pickle.dumps(value, protocol)))
        assert (plain(read_pickle(tmp_path / "a.pkl"))["a"] == value["a"]).all()


def test_pickles_with_millions_of_objects_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("posenet3d.pickle_scan.MAX_OPERATIONS", 1000)
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02" + b"}" * 2000 + b".")
    with pytest.raises(UnsafePickle, match="more than 1000 entries"):
        read_pickle(tmp_path / "a.pkl")


def unfolding(depth: int = 6) -> list:
    """Lists of a hundred times the same list: 1e12 numbers in a few hundred bytes."""
    value: list = [1.0] * 100
    for _ in range(depth - 1):
        value = [value] * 100
    return value


@pytest.mark.parametrize(
    "value", [unfolding(), [1.0, unfolding()], [1, "x" * 10], [10**400, 1.5], [[1], [1, 2]], None, {}]
)
def test_lists_that_unfold_or_hold_no_numbers_are_refused(tmp_path, value):
    with pytest.raises(InputError, match="it must be"):
        number_array(value, (None,), "field", tmp_path / "a.pkl")
    with pytest.raises(InputError, match="it must be"):
        valid_frames(value, 2, "field", tmp_path / "a.pkl")


def test_valid_frames_may_be_flags_or_numbers(tmp_path):
    for value in ([True, False], np.array([[1], [0]], np.uint8), [2, 0.5], np.array([True, False])):
        assert valid_frames(value, 2, "valid", tmp_path).tolist() == [True, False]


def annotations(path: Path) -> Path:
    """The path of a folder of the test set of MPI-INF-3DHP with one file in it."""
    (path / "TS1").mkdir(exist_ok=True)
    return path / "TS1" / "annot_data.mat"


def test_hdf5_is_measured_before_it_is_read_and_stays_in_its_file(tmp_path):
    sizes = {"annot2": (20_000_000, 17, 2), "univ_annot3": (20_000_000, 17, 3), "valid_frame": (20_000_000,)}
    with h5py.File(annotations(tmp_path), "w") as file:
        for key, shape in sizes.items():
            file.create_dataset(key, shape, "f8", chunks=True)
    with pytest.raises(InputError, match="annot2 has shape"):
        read_3dhp(tmp_path)
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = np.zeros((5, 17, 2))
    layout = h5py.VirtualLayout((5, 17, 2), "f8")
    layout[:] = h5py.VirtualSource(tmp_path / "secret.h5", "x", (5, 17, 2))
    for kind in ("external", "soft", "virtual", "group", "texts"):
        with h5py.File(annotations(tmp_path), "w") as file:
            if kind == "virtual":
                file.create_virtual_dataset("annot2", layout)
            elif kind == "group":
                file.create_group("annot2")
            elif kind == "texts":
                file.create_dataset("annot2", data=["a", "b"], dtype=h5py.string_dtype())
            else:
                file["annot2"] = (
                    h5py.ExternalLink("../secret.h5", "x") if kind == "external" else h5py.SoftLink("/gone")
                )
        with pytest.raises(InputError, match=r"annot2 (is missing or a link|is no data set|has shape)"):
            read_3dhp(tmp_path)


def test_pipes_are_not_waited_for(tmp_path):
    os.mkfifo(annotations(tmp_path))
    with pytest.raises(InputError, match="not a plain file"):
        read_3dhp(tmp_path)
    for name in ("a.pkl", "config.json", "model.safetensors"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match="not a plain file"):
        read_smpl(tmp_path / "a.pkl")
    with pytest.raises(InputError, match="not a plain file"):
        load_pickle(tmp_path / "a.pkl", ("x",))
    with pytest.raises(InputError, match="not a plain file"):
        RunConfig.read(tmp_path)
    with pytest.raises(InputError, match="no checkpoint"):
        find_checkpoint(tmp_path)


def test_views_of_human36m_without_dimensions_are_refused(tmp_path):
    with pytest.raises(InputError, match="has no views"):
        _views({"Walking": np.array(5.0)}, "S9", "Walking", tmp_path / "a.npz")


def checkpoint(folder: Path, **changes: object) -> Path:
    """A small teacher's checkpoint whose config has changes."""
    config = TeacherConfig(width=8, blocks=1, window=3, temporal_blocks=1)
    folder.mkdir(exist_ok=True)
    RunConfig(model={**to_dict(config), **changes}, stage="teacher").write(folder)
    save_file(
        {name: value.contiguous() for name, value in Teacher(config).state_dict().items()}, folder / "model.safetensors"
    )
    return folder


@pytest.mark.parametrize(
    "changes",
    [
        {"blocks": 10**9}, {"blocks": 200}, {"width": 30_000}, {"width": 10**12}, {"window": 9_999}, {"stride": 10**9},
        {"temporal_blocks": 10**6}, {"denoiser": {"width": 60_000}}, {"denoiser": {"far_s": 1e12}}, {"width": True},
        {"denoiser": {"dilations": [10**9] * 4}}, {"denoiser": {"dilations": 5}}, {"denoiser": 5}, {"denoiser": None},
        {"width": "384"}, {"width": None}, {"width": 8.5}, {"unit": 0}, {"unit": float("nan")}, {"unit": "a"},
        {"sizes": 3}, {"sizes": [1, "a"]}, {"sizes": [1.0]}, {"wings": 2},
    ],
)  # fmt: skip
def test_a_config_that_does_not_fit_its_weights_builds_no_network(tmp_path, monkeypatch, changes):
    assert load_teacher(checkpoint(tmp_path / "good")).config.width == 8
    monkeypatch.setattr(checkpoint_module, "load_weights", lambda *_: pytest.fail("was built"))
    with pytest.raises(InputError, match=r"describes? no network|does not fit the network"):
        load_teacher(checkpoint(tmp_path / "bad", **changes))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000, '{"model":' * 100_000, '{"model": ' * 900 + "1" + "}" * 900, " " * 2**21, "", "[]", "5", '{"model": 5}',
        '{"model": {}, "stage": ' + "[" * 300 + "]" * 300 + "}",
        '{"model": {}, "student": "a\\u001b"}', '{"model": {}, "data": 1}',
    ],
)  # fmt: skip
def test_one_bad_run_does_not_break_the_list(tmp_path, text):
    folder = checkpoint(tmp_path / "bad")
    (folder / "config.json").write_text(text)
    with pytest.raises(InputError) as caught:
        load_teacher(folder)
    assert len(str(caught.value)) < 2000
    checkpoint(tmp_path / "good")
    assert {f"{tmp_path.name}/good", f"{tmp_path.name}/bad"} <= list_checkpoints(tmp_path).keys()


def test_names_that_the_system_refuses_are_no_checkpoint(tmp_path):
    for name in ("x" * 5000, "a\0b", str(tmp_path / ("y" * 300))):
        with pytest.raises(InputError, match="is no checkpoint"):
            find_checkpoint(name)


def test_no_remedy_destroys_a_training_state(tmp_path, monkeypatch):
    path = tmp_path / "state" / "latest.pt"
    path.parent.mkdir()
    assert _load_state(tmp_path) is None
    path.write_bytes(b"damaged")
    with pytest.raises(InputError, match="not a readable training state") as damaged:
        _load_state(tmp_path)
    for failure, says in ((PermissionError(13, "Permission denied"), "Permission denied"), (MemoryError(), "memory")):

        def fail(*_: object, error: Exception = failure, **__: object) -> None:
            raise error

        monkeypatch.setattr(torch, "load", fail)
        with pytest.raises(InputError, match=says) as caught:
            _load_state(tmp_path)
        assert not re.search("delete|new run|train again", str(caught.value))
    assert not re.search("delete|train again", str(damaged.value))


def test_a_full_disk_in_the_log_is_a_sentence(tmp_path, monkeypatch):
    log = MetricsLog(tmp_path, is_main=True, keep_until=0)
    log.add({"loss": torch.ones(())})

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(Path, "open", fail)
        with pytest.raises(InputError, match=r"No space left on device\); make room, then go on with --resume"):
            log.write("frame", 1)
    log.close()


def test_resuming_removes_what_a_kill_left(tmp_path):
    (tmp_path / "state").mkdir()
    left = [
        tmp_path / ".model.safetensors.abcdefgh",
        tmp_path / ".config.json.a_3456_8",
        tmp_path / "state/.latest.pt.12345678",
    ]
    mine = tmp_path / ".notes.txt.abcdefgh"
    for path in (*left, mine):
        path.write_bytes(b"half")
    assert _resumed(tmp_path, {"model.safetensors": ()}) is None
    assert not any(path.exists() for path in left)
    assert mine.exists()
