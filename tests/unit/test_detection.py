"""From a video to lifted joints: detectors in processes of their own, tracking, the cache, swapped sides."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from helpers.painted import COCO, PAINTED, SCALE, SIZE, WALK, filmed, paint
from PIL import Image

from explorer.browser_video import _select as select_pictures
from explorer.browser_video import thumbnails
from explorer.video_import import import_video
from posenet3d.cli import main
from posenet3d.core.skeleton import JOINT, JOINT_NAMES
from posenet3d.detection import cache, detectors
from posenet3d.detection import people as people_module
from posenet3d.detection.detect import detect
from posenet3d.detection.detections import Detections
from posenet3d.detection.detectors import DETECTORS, RunningDetector, find_detector, install
from posenet3d.detection.left_right import GROUPS, find_swaps, fix_left_right
from posenet3d.detection.people import find_people
from posenet3d.errors import InputError
from posenet3d.io.keypoints.read import read_keypoints
from posenet3d.io.lifted_npz import read_lifted
from posenet3d.io.video import open_video
from posenet3d.synthetic.sequences import bundled_sequences


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("POSENET3D_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("POSENET3D_DETECTORS", str(tmp_path / "detectors"))
    monkeypatch.setitem(DETECTORS, "painted", PAINTED)


def test_detects_tracks_and_reads_back(tmp_path):
    film = open_video(paint(tmp_path / "clip", 12, people=2))
    told = []
    detections = detect(film, PAINTED, progress=told.append)
    assert told == pytest.approx(np.arange(1, 13) / 12)
    assert len(detections.images) == 12
    assert len(detections.people) == 24
    assert {person.track_id for person in detections.people} == {1, 2}
    assert detections.n_tracks == 2
    first, second = detections.to_sequences(film)
    assert first.image_size == (SIZE, SIZE)
    gap = second.keypoints_px[:, JOINT["l_knee"]] - first.keypoints_px[:, JOINT["l_knee"]]
    assert np.abs(gap) == pytest.approx(np.tile([120, 0], (12, 1)), abs=0.1)
    ours = min((first, second), key=lambda s: float(s.keypoints_px[0, JOINT["l_knee"], 0]))
    assert ours.keypoints_px[:, JOINT["l_ankle"]] == pytest.approx(
        WALK.keypoints_px[:12, JOINT["l_ankle"]] * SCALE, abs=1
    )


def test_pictures_of_several_sizes_keep_their_names_and_pixels(tmp_path):
    folder = paint(tmp_path / "photos", 2)
    larger = Image.new("RGB", (SIZE + 100, SIZE + 40))
    larger.paste(Image.open(folder / "0001.png"))
    larger.save(folder / "0001.png")
    film = open_video(folder)
    detections = detect(film, PAINTED)
    told = [(image.file_name, image.width, image.height) for image in detections.images]
    assert told == [("0000.png", SIZE, SIZE), ("0001.png", SIZE + 100, SIZE + 40)]
    for frame, person in enumerate(detections.people):
        knee = person.keypoints[COCO.index("l_knee"), :2]
        assert knee == pytest.approx(WALK.keypoints_px[frame, JOINT["l_knee"]] * SCALE, abs=1.5)
    (sequence,) = detections.to_sequences(film)  # as a clip they are in the first one's pixels
    wanted = WALK.keypoints_px[1, JOINT["l_knee"]] * SCALE * [SIZE / (SIZE + 100), SIZE / (SIZE + 40)]
    assert sequence.keypoints_px[1, JOINT["l_knee"]] == pytest.approx(wanted, abs=1.5)


def test_file_of_detect_is_lifted_by_lift(tmp_path):
    folder, out = paint(tmp_path / "clip", 12), tmp_path / "joints.json"
    assert main(["detect", str(folder), "-o", str(out), "--detector", "painted", "--fps", "25"]) == 0
    content = json.loads(out.read_text())
    assert {"id", "file_name", "width", "height", "frame"} <= set(content["images"][0])
    assert {"image_id", "bbox", "keypoints", "score", "track_id"} <= set(content["annotations"][0])
    assert len(content["categories"][0]["keypoints"]) == 17
    (sequence,) = read_keypoints(out)
    assert (len(sequence), sequence.image_size, sequence.fps) == (12, (SIZE, SIZE), 25)


def test_file_of_an_uneven_film_keeps_its_gaps(tmp_path):
    detections = detect(open_video(paint(tmp_path / "clip", 12)), PAINTED).to_coco()
    for image in detections["images"][5:]:
        image["row"] += 2
    out = tmp_path / "joints.json"
    out.write_text(json.dumps(detections))
    (sequence,) = read_keypoints(out)
    assert np.flatnonzero(~sequence.is_observed.any(1)).tolist() == [5, 6]
    assert len(sequence) == 14
    detections["images"][3]["row"] = 4
    out.write_text(json.dumps(detections))
    with pytest.raises(InputError, match="same row twice"):
        read_keypoints(out)


def test_second_visit_asks_nobody(tmp_path, monkeypatch):
    folder = paint(tmp_path / "clip", 3)
    first = detect(open_video(folder), PAINTED)
    monkeypatch.setattr(detectors.subprocess, "Popen", None)
    moved = folder.rename(tmp_path / "elsewhere")
    again = detect(open_video(moved), PAINTED)
    assert again.to_coco() == first.to_coco()
    for one, other in zip(again.to_sequences(open_video(moved)), first.to_sequences(open_video(moved)), strict=True):
        assert np.array_equal(one.keypoints_px, other.keypoints_px, equal_nan=True)


def test_cancelled_work_leaves_nothing(tmp_path):
    class CancelledError(Exception):
        pass

    def stop(share):
        raise CancelledError

    with pytest.raises(CancelledError):
        detect(open_video(paint(tmp_path / "clip", 3)), PAINTED, progress=stop)
    assert not cache.folder().exists()


def test_cache_forgets_the_oldest(monkeypatch):
    monkeypatch.setattr(cache, "MAX_BYTES", 250)
    for number, key in enumerate(("a", "b", "c")):
        cache.write(key, list(range(30)))
        for file in cache.folder().glob(f"{key}.*"):
            os.utime(file, (number, number))
    assert cache.read("a") is None
    assert cache.read("c") == list(range(30))


def test_half_a_file_in_the_cache_is_made_again(tmp_path):
    folder = paint(tmp_path / "clip", 2)
    detections = detect(open_video(folder), PAINTED)
    (kept,) = cache.folder().iterdir()
    kept.write_bytes(kept.read_bytes()[:40])
    assert detect(open_video(folder), PAINTED).to_coco() == detections.to_coco()


def test_a_cached_file_of_another_form_is_made_again(tmp_path):
    folder = paint(tmp_path / "clip", 2)
    detections = detect(open_video(folder), PAINTED)
    (kept,) = cache.folder().iterdir()
    for content in ([], {}, {**detections.to_coco(), "images": [{}]}):
        cache.write(kept.name.removesuffix(cache.SUFFIX), content)
        assert detect(open_video(folder), PAINTED).to_coco() == detections.to_coco()


def test_detections_survive_coco(tmp_path):
    content = detect(open_video(paint(tmp_path / "clip", 3, people=2)), PAINTED).to_coco()
    assert Detections.from_coco(json.loads(json.dumps(content)), "joints.json").to_coco() == content
    assert content["info"] == {"description": "2D joints by painted", "fps": 30.0}
    assert set(content["images"][0]) == {"id", "file_name", "width", "height", "frame", "row"}
    fields = {"id", "image_id", "category_id", "bbox", "keypoints", "score", "track_id"}
    assert set(content["annotations"][0]) == fields
    del content["annotations"][4]["score"]
    with pytest.raises(InputError, match=r"joints\.json: does not hold detections"):
        Detections.from_coco(content, "joints.json")


def test_find_people_says_what_was_fixed_missing_and_assumed(tmp_path):
    video = open_video(paint(tmp_path / "clip", 12))
    late = replace(video, times_s=np.where(np.arange(12) < 5, video.times_s, video.times_s + 2 / video.fps))
    told = []
    people = find_people(late, PAINTED, progress=told.append)
    assert told[-1] == 1
    (sequence,) = people.sequences
    assert len(sequence) == 14
    assert np.flatnonzero(~sequence.is_observed.any(1)).tolist() == [5, 6]
    assert len(people.detections.images) == 12
    assert any("2 frames are missing" in note for note in people.notes)
    assert any("55 degrees are assumed" in note for note in people.notes)
    known = find_people(replace(video, fov_deg=60.0), PAINTED)
    assert known.notes == []
    assert known.sequences[0].K is not None


def test_frames_that_cannot_be_decoded_stay_empty(tmp_path, capsys):
    folder = paint(tmp_path / "clip", 12)
    for number in (4, 11):
        (folder / f"{number:04d}.png").write_bytes(b"no picture")
    video = open_video(folder)
    for _ in range(2):  # the second time from the cache
        people = find_people(video, PAINTED)
        (sequence,) = people.sequences
        assert len(sequence) == 12
        assert np.flatnonzero(~sequence.is_observed.any(1)).tolist() == [4, 11]
        assert sequence.keypoints_px[5, JOINT["l_knee"]] == pytest.approx(
            WALK.keypoints_px[5, JOINT["l_knee"]] * SCALE, abs=1
        )
        assert people.notes[0] == "2 of 12 frames cannot be decoded; their rows stay empty."
    assert [image.frame for image in people.detections.images] == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]
    out = tmp_path / "joints.json"
    assert main(["detect", str(folder), "-o", str(out), "--detector", "painted"]) == 0
    assert "2 of 12 frames cannot be decoded; their rows stay empty" in capsys.readouterr().err
    (read,) = read_keypoints(out)
    assert np.flatnonzero(~read.is_observed.any(1)).tolist() == [4]


def test_a_video_without_a_readable_frame_is_refused(tmp_path):
    video = open_video(paint(tmp_path / "clip", 2))
    for file in (tmp_path / "clip").iterdir():
        file.write_bytes(b"no picture")
    with pytest.raises(InputError, match="has no frame that can be decoded"):
        detect(video, PAINTED)


def test_copy_shows_the_picture_before_a_damaged_one():
    pictures = [None, "b", None, None, "e", None]
    shown = list(select_pictures(np.array([0, 0, 1, 2, 3, 4, 5, 5]), iter(pictures)))
    assert shown == list(enumerate("bbbbbeee"))
    assert list(select_pictures(np.array([0, 1, 2]), iter("a"))) == [(0, "a"), (1, "a"), (2, "a")]


def test_find_people_fixes_swapped_sides(tmp_path, monkeypatch):
    monkeypatch.setattr(people_module, "fix_left_right", lambda sequence: (sequence, 4))
    people = find_people(open_video(paint(tmp_path / "clip", 6)), PAINTED)
    assert people.notes[0] == "clip: left and right were swapped in 4 of 6 frames; this is fixed."


def test_lift_takes_a_film(tmp_path, capsys):
    out = tmp_path / "out.npz"
    assert main(["lift", str(paint(tmp_path / "clip", 30)), "-o", str(out), "--detector", "painted"]) == 0
    (lifted,) = read_lifted(out)
    assert lifted.joints_3d.shape == (30, 17, 3)
    assert np.isfinite(lifted.joints_3d).all()
    said = capsys.readouterr().out
    assert "degrees are assumed" in said
    assert "time: detect" in said


def test_nobody_in_it_is_a_sentence(tmp_path, capsys):
    (tmp_path / "clip").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "clip" / "0.png")
    assert main(["lift", str(tmp_path / "clip"), "-o", str(tmp_path / "o.npz"), "--detector", "painted"]) == 2
    assert "no person was found in its 1 frames" in capsys.readouterr().err


def test_detector_that_stops_says_its_last_words(tmp_path):
    with RunningDetector(PAINTED) as running, pytest.raises(InputError, match="blinded by a white picture"):
        running.detect(np.full((8, 8, 3), 255, np.uint8))


def test_a_detector_that_is_not_installed_says_how_and_ours_always_is(monkeypatch, capsys):
    monkeypatch.delitem(DETECTORS, "painted")
    assert find_detector().name == "pose2d"
    with pytest.raises(InputError, match="python -m posenet3d detectors --install mediapipe"):
        find_detector("mediapipe")
    with pytest.raises(InputError, match="'nonsense' is not known; choose one of rtmlib, mediapipe, pose2d"):
        find_detector("nonsense")
    assert main(["detectors"]) == 0
    assert "not installed" in capsys.readouterr().out


def test_two_installations_at_once_do_not_destroy_one_another(monkeypatch, tmp_path):
    monkeypatch.setenv("POSENET3D_DETECTORS", str(tmp_path / "detectors"))
    mediapipe = DETECTORS["mediapipe"]
    refused = []

    def create(folder, **options):
        (folder / "half").write_text("of the first")
        with pytest.raises(InputError, match="the installation of mediapipe is running already; wait until it ends"):
            install(mediapipe)
        refused.append((folder / "half").is_file())

    monkeypatch.setattr("venv.create", create)
    monkeypatch.setattr("subprocess.run", lambda *args, **options: None)
    install(mediapipe)
    assert refused == [True]
    assert mediapipe.python() is not None
    monkeypatch.setattr("venv.create", lambda folder, **options: None)
    install(mediapipe)  # the lock is free again


def swapped(frames: slice, group: str):
    pairs = GROUPS[group]
    there = [JOINT[name] for pair in pairs for name in pair]
    other = [JOINT[name] for pair in pairs for name in pair[::-1]]
    keypoints_px = WALK.keypoints_px.copy()
    keypoints_px[frames, there] = WALK.keypoints_px[frames, other]
    return replace(WALK, keypoints_px=keypoints_px)


@pytest.mark.parametrize("group", list(GROUPS))
@pytest.mark.parametrize("frames", [slice(50, 51), slice(100, 104), slice(160, 190)], ids=["one", "four", "thirty"])
def test_swapped_sides_are_found_and_put_right(group, frames):
    damaged = swapped(frames, group)
    found = find_swaps(damaged)
    column = list(GROUPS).index(group)
    # Where left and right lie on each other, nobody can say in which frame they were exchanged.
    truth = np.zeros(len(WALK), bool)
    truth[frames] = True
    assert (found[:, column] == truth).mean() > 0.97
    repaired, count = fix_left_right(damaged)
    assert count >= 1
    error = np.linalg.norm(repaired.keypoints_px - WALK.keypoints_px, axis=-1).mean()
    before = np.linalg.norm(damaged.keypoints_px - WALK.keypoints_px, axis=-1).mean()
    assert error < 0.3 * before


def test_nothing_is_found_where_nothing_is_swapped():
    assert fix_left_right(WALK)[1] == 0


def test_swaps_of_a_noisy_detector_are_put_right():
    noisy = next(sequence for sequence in bundled_sequences() if sequence.name == "synthetic walk (noisy detector)")
    repaired, count = fix_left_right(noisy)
    assert count >= 1  # its noise exchanges the legs for a moment
    changed = (repaired.keypoints_px != noisy.keypoints_px).any(-1) & noisy.is_observed & repaired.is_observed
    before, after = (np.linalg.norm((s.keypoints_px - WALK.keypoints_px)[changed], axis=-1) for s in (noisy, repaired))
    assert after.mean() < 0.5 * before.mean()


def test_nothing_is_swapped_where_nobody_is():
    damaged = swapped(slice(50, 60), "legs")
    keypoints_px, confidence = damaged.keypoints_px.copy(), damaged.confidence.copy()
    keypoints_px[54:], confidence[54:] = np.nan, 0
    found = find_swaps(replace(damaged, keypoints_px=keypoints_px, confidence=confidence))
    assert not found[54:].any()


def test_short_and_empty_clips_are_left_alone():
    nobody = replace(WALK, keypoints_px=np.full_like(WALK.keypoints_px, np.nan), confidence=np.zeros((len(WALK), 17)))
    assert not find_swaps(nobody).any()
    assert not find_swaps(WALK.frames(0, 2)).any()
    assert len(JOINT_NAMES) == 17


# In the explorer


def test_video_for_the_explorer(tmp_path):
    told = []
    seen = import_video(filmed(tmp_path / "walk.mkv", 30), None, PAINTED, told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)
    (track,) = seen.tracks
    assert (len(track), track.fps, track.image_size) == (30, 25, (SIZE, SIZE))
    assert any("55 degrees are assumed" in note for note in seen.notes)
    (picture,) = thumbnails(seen.video, seen.tracks)
    assert picture.startswith("data:image/jpeg;base64,")
