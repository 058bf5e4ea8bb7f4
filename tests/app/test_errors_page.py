from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from helpers import stub_app
from helpers.stub_app import StubLifter, flat, stub_checkpoints
from streamlit.testing.v1 import AppTest

from explorer import cache
from explorer.charts import errors as error_charts
from explorer.compare import tables
from explorer.compare.candidates import GROUND_TRUTH, NOBODY, Actor, Source, truth_of
from posenet3d.core.lifted import Lifted
from posenet3d.core.skeleton import JOINT
from posenet3d.evaluation.evaluate import evaluate
from posenet3d.io.keypoints.packed import write_packed
from posenet3d.synthetic.sequences import bundled_sequences

ROOT = Path(__file__).parents[2]
PAGE = "explorer/pages/errors.py"
CLIPS = {clip.name: clip for clip in bundled_sequences()}
WALK = CLIPS["synthetic walk"]
NO_TRUTH = replace(WALK, joints_3d=None)
BUTTON = "Evaluate every clip of this file"
STYLES = {"first": error_charts.FIRST, "second": error_charts.SECOND}


def network(label, joints_3d=None, sequence=WALK):
    joints_3d = flat(sequence) if joints_3d is None else joints_3d.astype(np.float32)
    return Actor(label, label, Lifted(sequence.name, joints_3d, fps=sequence.fps), Source("stub", Path(), "teacher"))


def shaky(sequence=WALK):
    noise = np.random.default_rng(0).normal(0, 0.03, sequence.joints_3d.shape)
    return network("second", sequence.joints_3d + noise, sequence)


def truth(sequence=WALK):
    return Actor(GROUND_TRUTH, GROUND_TRUTH, truth_of(sequence))


def long_clip(frames=10_000):
    repeats = -(-frames // len(WALK))
    arrays = {name: getattr(WALK, name) for name in ("keypoints_px", "confidence", "joints_3d")}
    return replace(WALK, **{name: np.concatenate([values] * repeats)[:frames] for name, values in arrays.items()})


# Measures by actor


def test_two_networks_share_one_disagreement():
    found = tables.measures_by_key(WALK, [network("first"), shaky()])
    assert list(found) == ["pa_mpjpe", "n_mpjpe", "mpjpe", "disagreement", "reprojection", "bone_drift"]
    assert list(found.pop("disagreement")) == ["first and second"]
    assert all(list(by_label) == ["first", "second"] for by_label in found.values())


@pytest.mark.parametrize("actors", [[network("first"), truth()], [truth(), network("first")]])
def test_ground_truth_is_not_measured_against_itself(actors):
    found = tables.measures_by_key(WALK, actors)
    assert list(found) == ["pa_mpjpe", "n_mpjpe", "mpjpe", "reprojection", "bone_drift"]
    assert list(found["pa_mpjpe"]) == ["first"]
    assert list(found["bone_drift"]) == ["first", GROUND_TRUTH]


def test_ground_truth_alone_still_has_measures():
    assert list(tables.measures_by_key(WALK, [truth()])) == ["reprojection", "bone_drift"]


def test_clip_table_gives_the_disagreement_to_both():
    actors = [network("first"), shaky()]
    table = tables.clip_table(tables.measures_by_key(WALK, actors), actors)
    assert list(table["mean over the clip"]) == ["first", "second"]
    assert table["Disagreement (mm)"].nunique() == 1
    assert table["MPJPE (mm)"].nunique() == 2
    assert np.isnan(tables.clip_table(tables.measures_by_key(WALK, [truth(), actors[0]]), [truth()])["MPJPE (mm)"][0])


# Tables


def measures_of_constant(joints_3d, sequence=WALK):
    return tables.measures_by_key(sequence, [network("first", joints_3d, sequence)])


def test_joint_table_tells_mean_median_and_95th():
    measure = next(iter(measures_of_constant(WALK.joints_3d)["mpjpe"].values()))
    values = np.tile(np.arange(101.0)[:, None], (1, 17))
    values[:, 0] = np.nan
    values[5:, 1] = np.nan
    table = tables.joint_table({"first": replace(measure, values=values)})
    assert table["joint"][JOINT["l_wrist"]] == "left wrist"
    assert table.iloc[2, 1:].tolist() == [50, 50, 95]
    assert table.iloc[1, 1:].tolist() == [2, 2, pytest.approx(3.8)]
    assert table.iloc[0, 1:].isna().all()


def test_joint_table_has_columns_for_each_of_two():
    table = tables.joint_table(tables.measures_by_key(WALK, [network("first"), shaky()])["mpjpe"])
    assert list(table.columns[1:4]) == ["first, mm: mean", "first, mm: median", "first, mm: 95 %"]
    assert list(table.columns[4:]) == ["second, mm: mean", "second, mm: median", "second, mm: 95 %"]


def test_moments_name_time_frame_joint_and_the_worse_actor_counts():
    first, second = WALK.joints_3d.copy(), WALK.joints_3d.copy()
    first[60, JOINT["l_wrist"], 0] += 0.4
    second[150, JOINT["r_ankle"], 0] += 0.8
    by_label = tables.measures_by_key(WALK, [network("first", first), network("second", second)])["mpjpe"]
    worst, next_worst = tables.moments_table(by_label, fps=30.0).to_dict("records")[:2]
    assert (worst["frame"], worst["worst joint"]) == (150, "right ankle")
    assert worst["time_s"] == 5
    assert worst["at it"] == pytest.approx(800, rel=1e-3)
    assert worst["second"] == pytest.approx(800 / 17, rel=1e-3)
    assert worst["first"] == pytest.approx(0, abs=1e-3)
    assert (next_worst["frame"], next_worst["worst joint"]) == (60, "left wrist")


def test_moments_leave_out_frames_without_a_value():
    joints = flat(WALK)
    joints[20:40] = np.nan
    moments = tables.moments_table(measures_of_constant(joints)["mpjpe"], WALK.fps)
    assert len(moments)
    assert not moments["frame"].between(20, 39).any()
    assert moments[["first", "at it"]].notna().all(axis=None)


@pytest.mark.parametrize("frames", [1, 2])
def test_tables_of_a_very_short_clip(frames):
    clip = WALK.frames(0, frames)
    for by_label in measures_of_constant(flat(clip), clip).values():
        assert len(tables.joint_table(by_label)) == 17
        assert tables.moments_table(by_label, clip.fps)["frame"].between(0, frames - 1).all()


def test_action_table_says_what_evaluate_says():
    clips = [replace(WALK.frames(0, 40), action="walk"), replace(WALK.frames(50, 110), action="run"),
             replace(WALK.frames(120, 150), action="walk")]  # fmt: skip
    result = evaluate([Lifted(clip.name, flat(clip), fps=clip.fps) for clip in clips], clips)
    table = tables.action_table({"first": result})
    assert table["action"].tolist() == ["run", "walk", "all clips"]
    assert table["clips"].tolist() == [1, 2, 3]
    assert table["frames"].tolist() == [60, 70, 130]
    assert table["first, mm: MPJPE"].tolist()[1:] == [result.per_action["walk"].mpjpe, result.overall.mpjpe]
    names, means = tables.action_means({"first": result}, "pa_mpjpe")
    assert names == table["action"].tolist()
    assert means["first"].tolist() == table["first, mm: PA-MPJPE"].tolist()


# Figures


def test_bars_of_two_actors_stand_side_by_side_and_differ_without_colour():
    figure = error_charts.grouped_bars(
        ["a", "b"], {"first": np.array([1, 2]), "second": np.array([3, 4])}, STYLES, "mm"
    )
    assert figure.layout.barmode == "group"
    assert figure.layout.yaxis.autorange == "reversed"  # first joint on top, as in the table beside it
    assert [list(bar.x) for bar in figure.data] == [[1, 2], [3, 4]]
    assert figure.data[0].marker.color != figure.data[1].marker.color
    assert figure.data[0].marker.pattern.shape != figure.data[1].marker.pattern.shape


@pytest.mark.parametrize(("frames", "columns", "run"), [(1, 1, 1), (1500, 1500, 1), (1501, 751, 2), (10_000, 1429, 7)])
def test_a_column_of_the_map_shows_its_largest_value(frames, columns, run):
    values = np.random.default_rng(0).random((frames, 17))
    largest, per_column = error_charts.largest_per_column(values)
    assert (len(largest), per_column) == (columns, run)
    for column in (0, columns // 2, columns - 1):
        np.testing.assert_array_equal(largest[column], values[column * run : (column + 1) * run].max(0))


def test_a_column_of_the_map_is_empty_only_where_all_its_frames_are():
    values = np.full((3000, 2), np.nan)
    values[1001, 0] = 7
    largest, _ = error_charts.largest_per_column(values)
    assert largest[500, 0] == 7
    assert np.isfinite(largest).sum() == 1


def test_error_map_has_one_scale_for_both_and_marks_the_moments_in_both():
    rng = np.random.default_rng(0)
    values = {"first": rng.random((300, 17)), "second": 3 * rng.random((300, 17))}
    figure = error_charts.error_map(tables.JOINT_LABELS, values, "mm", 2.5, [40, 7])
    assert [cells.coloraxis for cells in figure.data] == ["coloraxis", "coloraxis"]
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 2.5)
    assert np.asarray(figure.data[0].z).shape == (17, 300)
    np.testing.assert_allclose(figure.data[1].z[:, 40], values["second"][40], rtol=1e-6)
    marks = [(mark.xref, mark.x, mark.text) for mark in figure.layout.annotations if mark.yref.endswith("domain")]
    assert marks == [("x", 40, "1"), ("x", 7, "2"), ("x2", 40, "1"), ("x2", 7, "2")]


def test_error_map_of_a_long_clip_is_small():
    values = np.random.default_rng(0).random((10_000, 17))
    figure = error_charts.error_map(tables.JOINT_LABELS, {"first": values, "second": values}, "mm", 1.0, [])
    assert len(figure.to_json()) < 500_000


def test_pck_curve_tells_the_area_under_it():
    figure = error_charts.share_below({"first": np.array([[10.0, 60.0, np.nan]])}, STYLES, "mm", 200.0, is_pck=True)
    curve = figure.data[0]
    assert curve.y[list(curve.x).index(50)] == 50
    assert curve.y[list(curve.x).index(10)] == 0  # strictly below
    assert curve.name == "first, AUC 74 %"  # 3 thresholds at 0, 10 at 50 and 18 at 100 %


def test_share_below_without_truth_has_its_own_unit_and_no_area():
    figure = error_charts.share_below({"first": np.array([[1.0, 3.0]])}, STYLES, "px", 4.0, is_pck=False)
    assert figure.data[0].name == "first"
    assert (figure.data[0].x[-1], figure.data[0].y[-1]) == (4, 100)
    assert figure.layout.xaxis.title.text == "threshold (px)"


# The page


@pytest.fixture
def app(tmp_path, monkeypatch):
    st.cache_resource.clear()
    st.cache_data.clear()
    monkeypatch.setattr(cache, "list_checkpoints", lambda: stub_checkpoints(tmp_path / "stub"))
    monkeypatch.setattr(cache.Lifter, "load", classmethod(lambda cls, folder, model: StubLifter(model)))
    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)


def opened(app, monkeypatch, *clips):
    """The page on a file that holds `clips`."""
    monkeypatch.setattr(cache, "bundled", lambda: {"other": WALK.frames(0, 30)})
    app.session_state["uploaded"] = {"file": list(clips)}
    app.run().switch_page(PAGE).run()
    app.selectbox(key="sequence").set_value("file").run()
    assert not app.exception
    return app


def test_shows_both_actors_with_ground_truth(app):
    app.run().switch_page(PAGE).run()
    assert not app.exception
    assert not app.info
    assert [head.value for head in app.subheader] == ["Which joint", "When", "Worst moments", "How often it is good"]
    assert len(app.get("plotly_chart")) == 3
    assert len(app.get("download_button")) == 1
    assert app.dataframe[0].value.index.tolist() == ["student (stub)", "teacher (stub)"]


def test_one_box_chooses_the_measure_of_everything(app):
    app.run().switch_page(PAGE).run()
    box = app.selectbox(key="error measure")
    assert box.value == "pa_mpjpe"
    box.set_value("bone_drift").run()
    assert not app.exception
    assert "teacher (stub), %" in {group for group, _ in app.dataframe[1].value.columns}
    app.switch_page("explorer/pages/about.py").run().switch_page(PAGE).run()
    assert app.selectbox(key="error measure").value == "bone_drift"


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("beside", [NOBODY, GROUND_TRUTH])
def test_every_measure_of_every_bundled_clip(app, name, beside):
    app.run()
    app.selectbox(key="sequence").set_value(name).run()
    app.selectbox(key="beside").set_value(beside).run()
    app.switch_page(PAGE).run()
    for key in ["pa_mpjpe", "n_mpjpe", "mpjpe", "reprojection", "bone_drift"]:
        app.selectbox(key="error measure").set_value(key).run()
        assert not app.exception
        assert not app.error


def test_without_ground_truth_it_says_what_that_means(app, monkeypatch):
    opened(app, monkeypatch, NO_TRUTH)
    assert "no ground truth" in app.info[0].value
    assert app.selectbox(key="error measure").value == "disagreement"
    assert len(app.selectbox(key="error measure").options) == 3


def test_a_measure_that_the_next_clip_lacks_gives_way(app, monkeypatch):
    opened(app, monkeypatch, NO_TRUTH)
    app.selectbox(key="sequence").set_value("other").run()
    app.selectbox(key="error measure").set_value("mpjpe").run()
    app.selectbox(key="sequence").set_value("file").run()
    assert not app.exception
    assert app.selectbox(key="error measure").value == "disagreement"


def test_a_moment_is_a_link_to_its_frame(app):
    app.run().switch_page(PAGE).run()
    links = [link.proto for link in app.get("page_link")]
    assert 1 <= len(links) <= 10
    moments = tables.moments_table(
        tables.measures_by_key(WALK, app.session_state["choice"].actors)["pa_mpjpe"], WALK.fps
    )
    assert [link.query_string for link in links] == [f"frame={frame}" for frame in moments["frame"]]
    assert f"frame {moments['frame'][0]}:" in links[0].label


def test_a_clip_in_which_nobody_was_lifted_is_a_sentence(app, monkeypatch):
    monkeypatch.setattr(
        StubLifter, "__call__", lambda self, clips, **_: [Lifted(c.name, np.full_like(flat(c), np.nan)) for c in clips]
    )
    app.run().switch_page(PAGE).run()
    assert not app.exception
    assert len(app.warning) == 2
    assert not app.get("plotly_chart")


@pytest.mark.parametrize("clip", [WALK.frames(0, 1), long_clip()], ids=["one frame", "10,000 frames"])
def test_short_and_long_clips(app, monkeypatch, clip):
    monkeypatch.setattr(stub_app, "LONG", 10_000)  # the stub is slow on longer ones, on purpose
    opened(app, monkeypatch, clip)
    assert len(app.get("plotly_chart")) == 3


# Per action


def clips_of_file():
    return [
        replace(WALK.frames(0, 40), name="a", action="walk"),
        replace(WALK.frames(40, 90), name="b", action="run"),
        replace(WALK.frames(90, 120), name="c", action="walk"),
    ]


def test_every_clip_is_evaluated_only_on_demand(app, monkeypatch):
    opened(app, monkeypatch, *clips_of_file())
    assert len(app.get("plotly_chart")) == 3
    next(button for button in app.button if button.label == BUTTON).click().run()
    assert not app.exception
    assert not app.error
    table = app.dataframe[-1].value
    assert table.index.tolist() == ["run", "walk", "all clips"]
    assert table["", "frames"].tolist() == [50, 70, 120]
    assert {group for group, _ in table.columns} == {"", "student (stub), mm", "teacher (stub), mm"}
    assert len(app.get("plotly_chart")) == 4
    app.selectbox(key="error measure").set_value("bone_drift").run()
    assert len(app.get("plotly_chart")) == 3  # the table stays, the bars are only for what is evaluated
    assert app.dataframe[-1].value.shape == table.shape


def test_a_packed_file_keeps_its_actions(tmp_path, app):
    path = tmp_path / "set.npz"
    write_packed(path, clips_of_file())
    found = cache.read_upload((("set.npz", path.read_bytes()),))
    assert [clip.action for clip in found] == ["walk", "run", "walk"]


def test_clips_without_action_names_are_told_as_a_whole(app, monkeypatch):
    opened(app, monkeypatch, *(replace(clip, action="") for clip in clips_of_file()))
    next(button for button in app.button if button.label == BUTTON).click().run()
    assert app.dataframe[-1].value.index.tolist() == ["all clips"]
    assert any("'action'" in info.value for info in app.info)


@pytest.mark.parametrize("clips", [[WALK], [WALK, NO_TRUTH]], ids=["one clip", "not all with ground truth"])
def test_nothing_to_evaluate_is_not_offered(app, monkeypatch, clips):
    opened(app, monkeypatch, *clips)
    assert BUTTON not in [button.label for button in app.button]


def test_clips_that_cannot_be_scored_are_a_sentence(app, monkeypatch):
    unknown = np.full_like(WALK.joints_3d[:30], np.nan)
    opened(app, monkeypatch, *(replace(clip.frames(0, 30), joints_3d=unknown) for clip in clips_of_file()))
    next(button for button in app.button if button.label == BUTTON).click().run()
    assert not app.exception
    assert "no frame has finite joints_3d" in app.error[0].value
