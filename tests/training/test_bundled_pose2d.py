"""The bundled 2D networks on pictures: drawn people whom no network was trained on are found, and nobody where nobody is."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from posenet3d.cli import main
from posenet3d.io.lifted_npz import read_lifted
from posenet3d.paths import BUNDLED_POSE2D
from posenet3d.pose2d import predict
from posenet3d.pose2d.crops import iou
from posenet3d.pose2d.data.annotations import ImageStore, LabelledPerson, read_labels
from posenet3d.pose2d.data.random_people import random_background
from posenet3d.pose2d.evaluation.scoring import pck
from posenet3d.pose2d.predict import Estimator, PeopleEstimator, box_around

DRAWN = Path(__file__).parents[2] / "notebooks" / "people"


@pytest.fixture(scope="module")
def detector() -> PeopleEstimator:
    return PeopleEstimator()


@pytest.fixture(scope="module")
def drawn() -> list[LabelledPerson]:
    return read_labels(DRAWN / "people.json").people


def is_plain(person: LabelledPerson) -> bool:
    """Large enough and mostly in view."""
    return max(person.box[2:]) > 60 and (person.joints[:, 2] == 2).sum() >= 10


def test_joints_of_drawn_people(drawn):
    estimator, pictures = Estimator(BUNDLED_POSE2D / "estimator"), ImageStore(DRAWN / "pictures.zip")
    chosen = [person for person in drawn if is_plain(person)][:60]
    found = np.concatenate([estimator.joints_in(pictures.open(p.file_name), [p.box]) for p in chosen])
    labels = np.stack([person.joints for person in chosen])
    share, _ = pck(found[..., :2], labels[..., :2], labels[..., 2] == 2, estimator.joint_set.name)
    assert share > 45
    assert ((found[..., 2] >= 0) & (found[..., 2] <= 1)).all()


def test_drawn_people_are_found_without_boxes(detector, drawn):
    pictures = ImageStore(DRAWN / "pictures.zip")
    files = list(dict.fromkeys(person.file_name for person in drawn))[:30]
    hits = n_found = n_plain = 0
    for file in files:
        found = [box_around(person) for person in detector(np.asarray(pictures.open(file)))]
        here = [person for person in drawn if person.file_name == file]
        n_found += len(found)
        n_plain += sum(map(is_plain, here))
        hits += sum(any(iou(box, person.box) > 0.4 for box in found) for person in here if is_plain(person))
    assert hits / n_plain > 0.7
    assert n_found < 1.3 * len(drawn) * len(files) / 200


def test_who_was_there_is_found_by_less(detector, drawn, monkeypatch):
    person = next(person for person in drawn if is_plain(person))
    picture = np.asarray(ImageStore(DRAWN / "pictures.zip").open(person.file_name))
    monkeypatch.setattr(predict, "detect_boxes", lambda *_: [(person.box, 0.2)])
    assert detector(picture) == []
    assert iou(box_around(detector(picture, [person.box])[0]), person.box) > 0.4


def without_anybody() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 255, 300).astype(np.uint8)
    return {
        "black": np.zeros((200, 300, 3), np.uint8),
        "noise": rng.integers(0, 255, (240, 320, 3), np.uint8),
        "ramp": np.tile(ramp[None, :, None], (200, 1, 3)),
        "stripes": np.tile(np.where(np.arange(300) // 20 % 2, 255, 0).astype(np.uint8)[None, :, None], (200, 1, 3)),
        **{f"background {n}": random_background(rng, (384, 384)) for n in range(6)},
    }


@pytest.mark.parametrize("name", without_anybody())
def test_a_picture_without_a_person_gives_nothing(detector, name):
    assert detector(without_anybody()[name]) == []


def test_a_picture_goes_the_whole_way(tmp_path, monkeypatch, drawn):
    monkeypatch.setenv("POSENET3D_CACHE", str(tmp_path / "cache"))
    person = next(person for person in drawn if is_plain(person))
    film = tmp_path / "film"
    film.mkdir()
    picture = ImageStore(DRAWN / "pictures.zip").open(person.file_name)
    for frame in range(3):
        picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, -frame, 0, 1, 0)).save(film / f"{frame}.png")
    assert main(["detect", str(film), "-o", str(tmp_path / "joints.json"), "--detector", "pose2d"]) == 0
    found = json.loads((tmp_path / "joints.json").read_text())
    assert len(found["categories"][0]["keypoints"]) == 14
    assert main(["lift", str(film), "-o", str(tmp_path / "o.npz"), "--detector", "pose2d"]) == 0
    assert len(read_lifted(tmp_path / "o.npz")[0]) == 3
