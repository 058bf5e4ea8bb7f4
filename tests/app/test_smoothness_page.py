"""The Smoothness page: its numbers, its sentences, its charts, and the page itself."""

from dataclasses import replace

import numpy as np
import pytest
import streamlit as st
import torch
from helpers.stub_app import StubLifter, stub_checkpoints
from streamlit.testing.v1 import AppTest

from explorer import cache
from explorer.charts import errors as error_charts
from explorer.charts import motion as motion_charts
from explorer.compare import motion as motion_numbers
from explorer.compare.candidates import GROUND_TRUTH, NOBODY, Actor, Source, truth_of
from explorer.compare.motion import ALL_BONES, ALL_JOINTS, ALONE, BONE_LABELS, MOVING, QUANTITIES
from posenet3d.core.lifted import Lifted
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT
from posenet3d.evaluation.evaluate import evaluate
from posenet3d.lifting import checkpoint
from posenet3d.models.teacher import Teacher, TeacherConfig
from posenet3d.synthetic.sequences import bundled_sequences

FPS = 30.0
CLIPS = {clip.name: clip for clip in bundled_sequences()}
WALK = CLIPS["synthetic walk"]
NOISY = CLIPS["synthetic walk (noisy detector)"]
WITHOUT_TRUTH = replace(NOISY, joints_3d=None, name="no truth")
STYLES = {
    "calm": error_charts.FIRST,
    "rough": error_charts.SECOND,
    GROUND_TRUTH: error_charts.TRUTH,
    ALONE: motion_charts.ALONE,
}


def actor(label: str, joints_3d: np.ndarray, tmp_path) -> Actor:
    return Actor(
        label, label, Lifted(label, joints_3d.astype(np.float32), fps=FPS), Source("stub", tmp_path, "teacher")
    )


def shaken(joints_3d: np.ndarray, by_m: float) -> np.ndarray:
    return joints_3d + np.random.default_rng(0).normal(0, by_m, joints_3d.shape)


@pytest.fixture
def actors(tmp_path) -> list[Actor]:
    return [actor("calm", 1.1 * WALK.joints_3d, tmp_path), actor("rough", shaken(WALK.joints_3d, 0.005), tmp_path)]


@pytest.fixture
def motions(actors) -> list[motion_numbers.Motion]:
    return motion_numbers.motions_of(WALK, actors, shaken(WALK.joints_3d, 0.05))


# The numbers


def test_truth_is_looked_at_whether_it_is_shown_or_not(actors):
    shown = [*actors, Actor(GROUND_TRUTH, "truth", truth_of(WALK))]
    for chosen in (actors, shown):
        assert [m.label for m in motion_numbers.motions_of(WALK, chosen, None)] == ["calm", "rough", GROUND_TRUTH]
    assert [m.label for m in motion_numbers.motions_of(WITHOUT_TRUTH, actors, None)] == ["calm", "rough"]


def test_overview_agrees_with_evaluate(actors, motions):
    table = motion_numbers.overview(motions, FPS)
    for mine in actors:
        overall = evaluate([replace(mine.lifted, name=WALK.name)], [WALK]).overall
        row = table.loc[mine.label]
        assert row["jerk", "mm/frame³"] == pytest.approx(overall["jitter"], rel=1e-4)
        assert row["acceleration", "error, m/s²"] == pytest.approx(overall["acceleration_error_m_s2"], abs=1e-4)
        assert row["jerk", "% of truth"] == pytest.approx(100 * overall["jitter"] / overall["jitter_truth"], rel=1e-4)
        assert row["bone drift", "%"] == pytest.approx(overall["bone_length_drift_percent"], abs=1e-4)


def test_overview_orders_what_shakes(motions):
    table = motion_numbers.overview(motions, FPS)
    assert list(table.index) == ["calm", "rough", GROUND_TRUTH, ALONE]
    assert table.loc[GROUND_TRUTH, ("jerk", "% of truth")] == pytest.approx(100)
    assert table.loc["calm", ("jerk", "% of truth")] == pytest.approx(100, abs=1)  # a wrong size is no shaking
    for head in [("speed", "m/s"), ("acceleration", "m/s²"), ("jerk", "mm/frame³"), ("above 6 Hz", "% of power")]:
        assert table.loc["calm", head] < table.loc["rough", head] < table.loc[ALONE, head], head
    assert table.loc[GROUND_TRUTH, ("foot skating", "m/s")] < 0.1 < table.loc["rough", ("foot skating", "m/s")]


def test_units_are_those_that_are_said():
    frames = np.arange(60)[:, None]
    joints = np.zeros((60, 17, 3))
    joints[:, JOINT["l_wrist"], 0] = 0.5 * 3.0 * (frames[:, 0] / FPS) ** 2  # 3 m/s²
    motion = motion_numbers.motions_of(WITHOUT_TRUTH, [], joints)
    mean = {name: motion_numbers.over_time(motion, q, "left wrist", FPS)[ALONE] for name, q in QUANTITIES.items()}
    assert mean["Acceleration"][30] == pytest.approx(3.0)
    assert mean["Speed"][30] == pytest.approx(3.0 * 29.5 / FPS)
    assert mean["Jerk"][30] == pytest.approx(0, abs=1e-6)
    everybody = motion_numbers.over_time(motion, QUANTITIES["Acceleration"], ALL_JOINTS, FPS)[ALONE]
    assert everybody[30] == pytest.approx(3.0 / 17)
    per_joint = motion_numbers.per_joint(motion, QUANTITIES["Acceleration"], FPS)[ALONE]
    assert dict(zip(MOVING, per_joint, strict=True))["left wrist"] == pytest.approx(3.0)
    assert per_joint.sum() == pytest.approx(3.0)


def test_gaps_are_left_out_and_never_bridged(actors, tmp_path):
    joints = WALK.joints_3d.copy()
    joints[100:110] = np.nan
    joints[110:] += 1.0  # a leap over the gap must not count
    gappy = motion_numbers.motions_of(WALK, [actor("gappy", joints, tmp_path)], None)
    for name, quantity in QUANTITIES.items():
        curve = motion_numbers.over_time(gappy, quantity, ALL_JOINTS, FPS)["gappy"]
        assert np.isnan(curve[100:110]).all()
        usual = motion_numbers.over_time(gappy, quantity, ALL_JOINTS, FPS)[GROUND_TRUTH]
        assert np.nanmax(curve) < 1.5 * np.nanmax(usual), name
    row = motion_numbers.overview(gappy, FPS).loc["gappy"]
    assert row["known", "% of joints"] == pytest.approx(100 * 230 / 240)
    assert row["jerk", "% of truth"] == pytest.approx(100, abs=1)  # over the same frames
    assert np.isnan(motion_numbers.foot_curves(gappy, 0, FPS)["gappy"][100:111]).all()
    assert np.isnan(motion_numbers.bone_drift(gappy, ALL_BONES)["gappy"][100:110]).all()


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
@pytest.mark.parametrize("sequence", [WALK, WITHOUT_TRUTH], ids=lambda s: s.name)
def test_a_few_frames(frames, sequence, tmp_path):
    clip = sequence.frames(0, frames)
    motions = motion_numbers.motions_of(
        clip, [actor("calm", WALK.joints_3d[:frames], tmp_path)], WALK.joints_3d[:frames]
    )
    table = motion_numbers.overview(motions, FPS)
    assert np.isfinite(table["speed", "m/s"]).all() == (frames > 1)
    assert np.isfinite(table["jerk", "mm/frame³"]).all() == (frames > 3)
    (sentence,) = motion_numbers.verdicts(motions)
    assert ("too few frames" in sentence) == (frames <= 3)
    assert motion_numbers.spectra(motions, ALL_JOINTS, FPS) == {}


def test_nobody_in_the_clip(tmp_path):
    nobody = np.full((50, 17, 3), np.nan)
    clip = WITHOUT_TRUTH.frames(0, 50)
    motions = motion_numbers.motions_of(clip, [actor("nobody", nobody, tmp_path)], nobody)
    row = motion_numbers.overview(motions, FPS).loc["nobody"]
    assert row.pop(("known", "% of joints")) == 0
    assert row.isna().all()
    panels = {ALL_JOINTS: motion_numbers.over_time(motions, QUANTITIES["Speed"], ALL_JOINTS, FPS)}
    motion_charts.over_time(panels, {"nobody": error_charts.FIRST} | STYLES, FPS, "m/s", cut=ALONE)


def test_feet_are_on_the_floor_for_everybody_at_the_same_time(motions, actors):
    by_truth = motion_numbers.feet_on_floor(motions, FPS)
    assert by_truth.any(0).all()
    assert not by_truth.all(0).any()
    np.testing.assert_array_equal(by_truth, motion_numbers.feet_on_floor(motions[::-1], FPS))
    without = motion_numbers.motions_of(WITHOUT_TRUTH, actors, None)
    by_height = motion_numbers.feet_on_floor(without, FPS)
    np.testing.assert_array_equal(by_height, motion_numbers.feet_on_floor(without[:1], FPS))


def test_bone_drift_of_one_bone(tmp_path):
    joints = WALK.joints_3d.copy()
    elbow, wrist = JOINT["l_elbow"], JOINT["l_wrist"]
    joints[7, wrist] = joints[7, elbow] + 1.5 * (joints[7, wrist] - joints[7, elbow])
    motions = motion_numbers.motions_of(WALK, [actor("long", joints, tmp_path)], None)
    bone = BONE_LABELS.index("left elbow to left wrist")
    drift = motion_numbers.bone_drift(motions, BONE_LABELS[bone])["long"]
    assert drift[7] == pytest.approx(50, abs=0.5)
    assert np.delete(drift, 7).max() < 0.5
    assert motion_numbers.bone_drift(motions, ALL_BONES)["long"][7] == pytest.approx(50 / 16, abs=0.2)
    assert motion_numbers.bone_spread(motions)["long"].argmax() == bone


# The sentences


def test_sentences_against_the_truth(tmp_path):
    kernel = np.ones(9) / 9
    sleepy = np.apply_along_axis(lambda x: np.convolve(np.pad(x, 4, mode="edge"), kernel, "valid"), 0, WALK.joints_3d)
    three = {"same": WALK.joints_3d, "sleepy": sleepy, "shaky": shaken(WALK.joints_3d, 0.005)}
    actors = [actor(label, joints, tmp_path) for label, joints in three.items()]
    same, sleepy, shaky = motion_numbers.verdicts(motion_numbers.motions_of(WALK, actors, None))
    assert "flows as the truth does, with 100 % of" in same
    assert "smoother than the truth" in sleepy
    assert "smoothed away" in sleepy
    assert "rougher than the truth" in shaky


def test_sentences_without_truth(tmp_path):
    calm = [actor("calm", WALK.joints_3d, tmp_path)]
    (sentence,) = motion_numbers.verdicts(motion_numbers.motions_of(WITHOUT_TRUTH, calm, shaken(WALK.joints_3d, 0.05)))
    assert "times less jerk than frame by frame" in sentence
    assert "truth" not in sentence
    (sentence,) = motion_numbers.verdicts(motion_numbers.motions_of(WITHOUT_TRUTH, calm, WALK.joints_3d))
    assert "moves much as frame by frame" in sentence
    assert motion_numbers.verdicts(motion_numbers.motions_of(WITHOUT_TRUTH, calm, None)) == []


# The figures


def test_what_is_cut_does_not_set_the_scale(motions):
    panels = {ALL_JOINTS: motion_numbers.over_time(motions, QUANTITIES["Jerk"], ALL_JOINTS, FPS)}
    cut = motion_charts.over_time(panels, STYLES, FPS, "mm/frame³", cut=ALONE)
    whole = motion_charts.over_time(panels, STYLES, FPS, "mm/frame³")
    others = max(np.nanmax(curve) for label, curve in panels[ALL_JOINTS].items() if label != ALONE)
    assert cut.layout.yaxis.range[1] == pytest.approx(1.1 * others)
    assert whole.layout.yaxis.range[1] == pytest.approx(1.1 * np.nanmax(panels[ALL_JOINTS][ALONE]))
    means = motion_numbers.per_joint(motions, QUANTITIES["Jerk"], FPS)
    bars = motion_charts.per_joint(MOVING, means, STYLES, "mm/frame³", cut=ALONE)
    assert bars.layout.xaxis.range[1] == pytest.approx(1.1 * max(v.max() for k, v in means.items() if k != ALONE))


def test_ten_thousand_frames_keep_their_peaks_in_few_points():
    curve = np.ones(10_000)
    curve[4321] = 9.0
    curve[5000:5100] = np.nan
    (line,) = motion_charts.over_time({"one": {"calm": curve}}, STYLES, FPS, "m/s").data
    assert len(line.x) <= error_charts.MAP_COLUMNS
    assert line.y[np.nanargmax(line.y)] == 9
    assert line.x[np.nanargmax(line.y)] == pytest.approx(4321 / FPS, abs=0.3)
    assert np.isnan(line.y).any()


def test_lines_and_shades():
    panels = {name: {"calm": np.ones(6), "rough": np.zeros(6)} for name in ("left", "right")}
    shaded = {"left": np.array([0, 1, 1, 0, 0, 0], bool), "right": np.zeros(6, bool)}
    figure = motion_charts.over_time(panels, STYLES, FPS, "m/s", shaded=shaded)
    shades = [trace for trace in figure.data if trace.name == motion_charts.SHADED]
    np.testing.assert_allclose(shades[0].y, np.array([0, 1.1, 1.1, 0, 0, 0]), rtol=1e-6)
    assert not np.any(shades[1].y)
    legend = [trace.name for trace in figure.data if trace.showlegend]
    assert sorted(legend) == sorted({"calm", "rough", motion_charts.SHADED})


def test_spectrum_is_drawn_for_those_who_have_one(actors):
    alone = shaken(WALK.joints_3d, 0.05)
    alone[::20] = np.nan
    motions = motion_numbers.motions_of(WALK, actors, alone)
    spectra = motion_numbers.spectra(motions, "left wrist", FPS)
    assert list(spectra) == ["calm", "rough", GROUND_TRUTH]
    figure = motion_charts.spectrum(spectra, STYLES, 6.0)
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert 10 ** np.array(figure.layout.xaxis.range) == pytest.approx([0.5, 15])
    high = {label: density[frequency > 6].mean() for label, (frequency, density) in spectra.items()}
    assert high["rough"] > 10 * high[GROUND_TRUTH]


# The page


def page_alone():
    """The sidebar and this page; which pages the app has is not asked here."""
    from pathlib import Path

    import streamlit as st

    import explorer
    from explorer import sidebar

    page = st.navigation([st.Page(Path(explorer.__file__).parent / "pages" / "smoothness.py")])
    sidebar.choose()
    page.run()


@pytest.fixture
def without_network(tmp_path, monkeypatch) -> AppTest:
    st.cache_resource.clear()
    st.cache_data.clear()
    monkeypatch.setattr(cache, "list_checkpoints", lambda: stub_checkpoints(tmp_path / "stub"))
    monkeypatch.setattr(cache.Lifter, "load", classmethod(lambda cls, folder, model: StubLifter(model)))
    return AppTest.from_function(page_alone, default_timeout=60)


@pytest.fixture
def app(without_network, monkeypatch) -> AppTest:
    torch.manual_seed(3)
    teacher = Teacher(TeacherConfig(width=32, blocks=1, temporal_blocks=0)).eval()
    monkeypatch.setattr(checkpoint, "load_teacher", lambda folder: teacher)
    return without_network


def said(app: AppTest) -> str:
    return " ".join(text.value for text in [*app.markdown, *app.caption, *app.info])


def uploaded(app: AppTest, sequence: PoseSequence) -> AppTest:
    app.session_state["uploaded"] = {"clip.csv": [sequence]}
    app.run()
    app.selectbox(key="sequence").set_value("clip.csv")
    return app.run()


@pytest.mark.parametrize("name", CLIPS)
def test_page_shows_every_bundled_sequence(app, name):
    app.run()
    app.selectbox(key="sequence").set_value(name).run()
    assert not app.exception
    assert not app.error
    assert not app.warning
    rows = app.dataframe[0].value
    assert list(rows.index) == ["student (stub)", "teacher (stub)", GROUND_TRUTH, ALONE]
    assert "The ground truth is the aim" in said(app)
    assert len(app.get("plotly_chart")) == 6


def test_page_without_truth_says_what_cannot_be_known(app):
    uploaded(app, WITHOUT_TRUTH)
    assert not app.exception
    assert list(app.dataframe[0].value.index) == ["student (stub)", "teacher (stub)", ALONE]
    assert "nobody can say how much jerk is right" in said(app)
    assert "truth's jerk" not in said(app)
    assert "less than 5 cm above" in said(app)


@pytest.mark.parametrize("frames", [1, 5])
def test_page_of_a_few_frames(app, frames):
    uploaded(app, WITHOUT_TRUTH.frames(0, frames))
    assert not app.exception
    assert "long enough for a spectrum" in said(app)


def test_page_of_nobody(app):
    keypoints = np.full((40, 17, 2), np.nan, np.float32)
    uploaded(app, PoseSequence("nobody", keypoints, np.zeros((40, 17), np.float32)))
    assert not app.exception
    assert app.dataframe[0].value["known", "% of joints"].eq(0).all()


def test_page_of_ground_truth_by_itself(app):
    app.run()
    app.selectbox(key="show").set_value(GROUND_TRUTH).run()
    app.selectbox(key="beside").set_value(NOBODY).run()
    assert not app.exception
    assert list(app.dataframe[0].value.index) == [GROUND_TRUTH]
    assert len(app.get("plotly_chart")) == 6


def test_quantities_and_joints_can_be_chosen_and_dropped(app):
    app.run()
    for name, quantity in QUANTITIES.items():
        app.button_group(key="quantity").set_value(name).run()
        assert not app.exception
        assert quantity.note in said(app)
    app.multiselect(key="joints over time").set_value([]).run()
    app.multiselect(key="bones over time").set_value([]).run()
    app.selectbox(key="joint of the spectrum").set_value("right ankle").run()
    app.toggle(key="is_whole").set_value(True).run()
    assert not app.exception
    assert len(app.get("plotly_chart")) == 4


def test_frame_by_frame_is_lifted_once_for_a_clip(app, monkeypatch):
    loads = []
    load = checkpoint.load_teacher
    monkeypatch.setattr(checkpoint, "load_teacher", lambda folder: loads.append(folder) or load(folder))
    app.run()
    app.run()
    assert len(loads) == 1
    app.selectbox(key="sequence").set_value(NOISY.name).run()
    assert len(loads) == 2


def test_a_checkpoint_that_went_away_costs_one_row(without_network):
    app = without_network.run()
    assert not app.exception
    assert "config.json" in app.warning[0].value
    assert list(app.dataframe[0].value.index) == ["student (stub)", "teacher (stub)", GROUND_TRUTH]
