import json
import math
import os
import time
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from explorer.charts import training as training_charts
from explorer.charts.style import PALETTE
from explorer.run_status import duration, status, summary
from explorer.runs import TermCurve, find_runs, read_log, read_run
from posenet3d.errors import InputError
from posenet3d.synthetic.sequences import bundled_sequences
from posenet3d.training.joint import JointTraining
from posenet3d.training.lifter import TeacherTraining
from posenet3d.training.loop import LoopSettings
from posenet3d.training.student import StudentTraining
from posenet3d.training.teacher import train_teacher

PAGE = Path(__file__).parents[2] / "explorer" / "pages" / "training.py"
STEPS = {
    "teacher": {"denoiser_steps": 100, "frame_steps": 200, "temporal_steps": 100},
    "student": {"frame_steps": 200, "temporal_steps": 100},
    "joint": {"steps": 200},
}


def line(step: int, phase: str, **terms: float | str) -> str:
    return json.dumps({"phase": phase, "step": step, "seconds": step / 10, **terms}) + "\n"


def make_run(folder: Path, stage: str = "teacher", text: str | None = None, **settings) -> Path:
    """A run folder with a config and, unless `text` is None, that log."""
    (folder / "state").mkdir(parents=True)
    training = {**STEPS[stage], "lr": 0.001, "weights": {"pose": 1.0}, **settings}
    training = {name: value for name, value in training.items() if value is not None}
    config = {"stage": stage, "model": {"width": 8, "dilations": [1, 2]}, "training": training, "tilt": None}
    (folder / "config.json").write_text(json.dumps(config))
    if text is not None:
        (folder / "metrics.jsonl").write_text(text)
    return folder


def teacher_log(until: int = 400) -> str:
    """A log line every 25 steps, and held-out terms every 100."""
    text = ""
    for step in range(25, until + 1, 25):
        phase = "denoiser" if step <= 100 else "frame" if step <= 300 else "temporal"
        terms = {"position": 1 / step} if phase == "denoiser" else {"pose": 30 / step}
        text += line(step, phase, **terms)
        if step % 100 == 0:
            text += line(step, phase, **{f"val/{name}": 2 * value for name, value in terms.items()})
    return text


def finish(folder: Path) -> Path:
    (folder / "state" / "finished").touch()
    return folder


def age(folder: Path, seconds: float) -> None:
    """As if nothing had been written for so long."""
    then = time.time() - seconds
    for file in folder.glob("*.json*"):
        os.utime(file, (then, then))


# Finding runs


def test_runs_are_found_newest_first_also_before_their_weights(tmp_path):
    old, new = make_run(tmp_path / "runs" / "old", text=""), make_run(tmp_path / "runs" / "report" / "new")
    age(old, 100)
    (tmp_path / "runs" / "empty").mkdir()
    names = list(find_runs(tmp_path / "runs"))
    assert names[:2] == ["runs/report/new", "runs/old"]
    assert all(name.endswith("(bundled)") for name in names[2:])
    assert find_runs(tmp_path / "runs")["runs/report/new"] == new


def test_without_a_runs_folder_there_are_the_bundled_ones(tmp_path):
    found = find_runs(tmp_path / "runs")
    names = ("teacher", "student", "joint", "pose2d/estimator", "pose2d/finder")
    assert list(found) == [f"{name} (bundled)" for name in sorted(names, key=lambda name: ("/" in name, name))]
    for name, folder in found.items():
        run = read_run(name, folder)
        assert status(run, time.time()) == "finished"


# Reading them


def test_training_and_held_out_terms_are_separated(tmp_path):
    run = read_run("a", make_run(tmp_path / "a", text=teacher_log()))
    assert set(run.log.training) == set(run.log.held_out) == {"position", "pose"}
    assert list(run.log.training["position"].steps) == [25, 50, 75, 100]
    assert list(run.log.held_out["pose"].steps) == [200, 300, 400]
    assert run.log.held_out["pose"].values[-1] == pytest.approx(2 * 30 / 400)
    assert [(p.name, p.start, p.stop) for p in run.phases] == [
        ("denoiser", 0, 100),
        ("frame", 100, 300),
        ("temporal", 300, 400),
    ]


def test_names_of_earlier_versions_are_read_as_todays(tmp_path):
    text = line(25, "cleaner", position=1.0) + line(150, "frame", telling=0.5) + line(175, "frame", discriminator=0.25)
    run = read_run("a", make_run(tmp_path / "a", text=text, cleaner_steps=50, denoiser_steps=None))
    assert run.phases[0].name == "denoiser"
    assert set(run.log.training) == {"position", "discriminator"}
    assert list(run.log.training["discriminator"].values) == [0.5, 0.25]


def test_a_phase_without_steps_is_left_out(tmp_path):
    run = read_run("a", make_run(tmp_path / "a", denoiser_steps=0))
    assert [(p.name, p.start, p.stop) for p in run.phases] == [("frame", 0, 200), ("temporal", 200, 300)]


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_half_written_last_line_is_left_out(tmp_path, cut):
    path = tmp_path / "metrics.jsonl"
    path.write_text(line(25, "frame", pose=1.0) + line(50, "frame", pose=2.0)[:-cut])
    assert list(read_log(path).steps) == [25]


def test_reading_goes_on_where_it_ended(tmp_path):
    path = tmp_path / "metrics.jsonl"
    whole, log, start = teacher_log().encode(), read_log(path), 0
    for end in (0, 30, 200, 201, 500, len(whole)):  # most of them in mid-line
        with path.open("ab") as file:
            file.write(whole[start:end])
        log, start = read_log(path, log), end
    at_once = read_log(path)
    np.testing.assert_array_equal(log.seconds, at_once.seconds)
    for side in ("training", "held_out"):
        assert list(getattr(log, side)) == list(getattr(at_once, side))
        for name, curve in getattr(at_once, side).items():
            np.testing.assert_array_equal(getattr(log, side)[name], curve)


def test_a_log_that_a_resumed_run_wrote_anew_is_read_anew(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(teacher_log(200))
    log = read_log(path)
    other = tmp_path / "other"
    other.write_text(teacher_log(100) + line(125, "frame", pose=7.0) * 50)  # longer than what was read
    other.replace(path)
    assert read_log(path, log).training["pose"].values[0] == 7.0


@pytest.mark.parametrize(
    "damage",
    ["{oops\n", "[1]\n", "3\n", '{"step": 1}\n', "\x00\n", line(1, "frame", pose="high"), "\n", '{"step": []}\n'],
)
def test_a_damaged_line_is_an_error_message_with_its_number(tmp_path, damage):
    path = tmp_path / "metrics.jsonl"
    path.write_text(line(25, "frame", pose=1.0) + damage + line(50, "frame", pose=1.0))
    with pytest.raises(
        InputError, match=r"metrics\.jsonl: line 2 is not a line of a training log; delete that line\.$"
    ):
        read_log(path)


def test_a_log_that_is_a_folder_is_an_error_message(tmp_path):
    folder = make_run(tmp_path / "a")
    (folder / "metrics.jsonl").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read_run("a", folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stage": "cook"}, "field 'stage' is 'cook'"),
        ({"stage": ["teacher"]}, "field 'stage'"),
        ({"training": None}, "field 'training.denoiser_steps' is None"),
        ({"training": {**STEPS["teacher"], "frame_steps": "many"}}, "field 'training.frame_steps' is 'many'"),
        ({"training": dict.fromkeys(STEPS["teacher"], 0)}, "has no steps"),
        ({"model": 3}, "not the config of a checkpoint"),
    ],
)
def test_a_damaged_config_is_an_error_message(tmp_path, change, message):
    folder = make_run(tmp_path / "a")
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=r"config\.json: ") as error:
        read_run("a", folder)
    assert message in str(error.value)


# How a run stands


def test_a_run_is_running_until_it_is_finished_or_writes_nothing_more(tmp_path):
    folder = make_run(tmp_path / "a", text=teacher_log(275))
    now = time.time()
    assert status(read_run("a", folder), now) == "running"
    assert summary(read_run("a", folder), now) == (
        "running, step 275 of 400 after 28 s; about 2 s to the end of 'frame'"
    )
    assert status(read_run("a", folder), now + 600) == "stopped"
    assert "stopped, step 275 of 400 after 28 s; nothing was written for 1 h 0 min" in summary(
        read_run("a", folder), now + 3600
    )
    assert status(read_run("a", finish(folder)), now + 600) == "finished"


@pytest.mark.parametrize("text", [None, "", teacher_log(100)])
def test_a_run_may_prepare_a_phase_for_minutes(tmp_path, text):
    run = read_run("a", make_run(tmp_path / "a", text=text))
    assert status(run, time.time() + 600) == "running"
    assert status(run, time.time() + 6000) == "stopped"


def test_a_slow_log_has_more_patience(tmp_path):
    text = "".join(line(step, "frame", pose=1.0) for step in range(10_000, 60_000, 10_000))  # every 1000 s
    run = read_run("a", make_run(tmp_path / "a", text=text, frame_steps=90_000))
    assert status(run, time.time() + 3600) == "running"


def test_a_whole_log_is_finished_also_without_the_mark(tmp_path):
    run = read_run("a", make_run(tmp_path / "a", text=teacher_log()))
    assert status(run, time.time() + 6000) == "finished"


def test_a_loss_that_is_no_number_is_named(tmp_path):
    run = read_run("a", make_run(tmp_path / "a", text=teacher_log(275) + line(300, "frame", pose=math.nan)))
    assert "the loss 'pose' was not a finite number" in summary(run, time.time() + 6000)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (-1, "0 s"), (89, "89 s"), (90, "2 min"), (3599, "1 h 0 min"), (9000, "2 h 30 min")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_phase_table_has_steps_time_and_speed(tmp_path):
    table = training_charts.phase_table(read_run("a", make_run(tmp_path / "a", text=teacher_log(200))))
    assert list(table["phase"]) == ["denoiser", "frame", "temporal"]
    assert list(table["steps"]) == ["100 of 100", "100 of 200", "0 of 100"]
    assert list(table["time"]) == ["10 s", "10 s", "–"]
    assert list(table["steps/s"]) == ["10.0", "10.0", "–"]


# Tables and charts


def test_settings_that_differ_come_first(tmp_path):
    a = read_run("a", make_run(tmp_path / "a"))
    b = read_run("b", make_run(tmp_path / "b", "student", lr=0.002))
    table = training_charts.settings_table([a, b]).set_index("setting")
    differing = table[table["differs"] == "≠"]
    assert set(differing.index) == {"stage", "training.denoiser_steps", "training.lr"}
    assert list(table.index[:3]) == list(differing.index)
    assert list(table.loc["training.denoiser_steps", ["a", "b"]]) == ["100", "–"]
    assert list(table.loc["model.dilations", ["a", "b"]]) == ["1, 2", "1, 2"]
    assert list(training_charts.settings_table([a]).columns) == ["setting", "a"]


@pytest.mark.parametrize(
    "settings", [TeacherTraining(), StudentTraining(), JointTraining()], ids=lambda s: type(s).__name__
)
def test_every_weighted_term_has_a_description(settings):
    assert set(settings.weights) <= set(training_charts.TERMS)


def test_terms_are_in_the_order_of_their_descriptions_unknown_ones_last(tmp_path):
    text = line(125, "frame", brightness=1.0, symmetry=1.0, pose=1.0, consistency_2d=1.0)
    run = read_run("a", make_run(tmp_path / "a", text=text))
    assert training_charts.term_names([run], None) == ["consistency_2d", "pose", "symmetry", "brightness"]
    assert training_charts.term_names([run], "denoiser") == []


def test_two_runs_are_overlaid_in_two_colours(tmp_path):
    a = read_run("a", make_run(tmp_path / "a", text=teacher_log()))
    b = read_run("b", make_run(tmp_path / "b", text=teacher_log(), temporal_steps=300))
    chart = training_charts.term_chart([a, b], "pose", None, is_log=True)
    assert [trace.name for trace in chart.data] == ["a, training", "a, held-out", "b, training", "b, held-out"]
    assert [trace.line.color for trace in chart.data] == [PALETTE[0]] * 2 + [PALETTE[1]] * 2
    assert chart.layout.yaxis.type == "log"
    assert [note.text for note in chart.layout.annotations] == ["denoiser", "frame", "temporal"]
    assert tuple(chart.layout.xaxis.range) == (0, pytest.approx(612))


def test_within_a_phase_runs_line_up_though_their_plans_differ(tmp_path):
    a = read_run("a", make_run(tmp_path / "a", text=teacher_log()))
    b = read_run("b", make_run(tmp_path / "b", "student", text=line(25, "frame", pose=1.0)))
    chart = training_charts.term_chart([a, b], "pose", "frame", is_log=False)
    assert list(chart.data[0].x[:2]) == [25, 50]  # 125 and 150 of the whole run
    assert chart.data[0].x[-1] == 200
    assert list(chart.data[-1].x) == [25]
    assert not chart.layout.annotations


def test_where_the_other_runs_phases_begin_is_marked_if_it_differs(tmp_path):
    a = read_run("a", make_run(tmp_path / "a", text=teacher_log()))
    same = read_run("b", make_run(tmp_path / "b", text=teacher_log()))
    other = read_run("c", make_run(tmp_path / "c", "student", text=teacher_log()))
    shapes = [training_charts.term_chart([a, b], "pose", None, is_log=False).layout.shapes for b in (same, other)]
    assert [len(of) for of in shapes] == [3, 4]
    assert shapes[1][-1].x0 == 200


@pytest.mark.parametrize("count", [0, 1, 2, 1199, 1200, 1201, 1999, 100_000])
def test_thinned_keeps_ends_and_every_spike(count):
    rng = np.random.default_rng(0)
    values = rng.normal(size=count)
    spikes = [i for i in (0, count // 3, count - 1) if 0 <= i < count]
    for number, i in enumerate(spikes):
        values[i] = (-1) ** number * (100 + number)
    values[count // 2 : count // 2 + 1] = np.nan if count > 5 else 0.0
    steps = np.arange(count, dtype=float)
    thin = training_charts.thinned(TermCurve(steps, values))
    assert len(thin.steps) <= 1300
    assert (np.diff(thin.steps) > 0).all()
    assert {steps[i] for i in spikes} <= set(thin.steps)
    np.testing.assert_array_equal(thin.values, values[thin.steps.astype(int)])


def test_a_curve_without_any_number_is_thinned_too():
    thin = training_charts.thinned(TermCurve(np.arange(5000.0), np.full(5000, np.nan)))
    assert 2 <= len(thin.steps) <= 1300


def test_a_log_of_100000_lines_is_drawn_with_few_points(tmp_path):
    rows = [line(25 * i, "frame", pose=1.0 + (i == 77_777)) for i in range(1, 100_001)]
    run = read_run("a", make_run(tmp_path / "a", text="".join(rows), frame_steps=2_500_000))
    assert len(run.log.steps) == 100_000
    trace = training_charts.term_chart([run], "pose", None, is_log=False).data[0]
    assert len(trace.x) <= 1300
    assert trace.x[list(trace.y).index(2.0)] == 25 * 77_777


# The page


@pytest.fixture
def page(tmp_path, monkeypatch) -> AppTest:
    st.cache_resource.clear()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSENET3D_RUNS", "runs")
    return AppTest.from_file(str(PAGE), default_timeout=60)


def charts(page: AppTest) -> int:
    return len(page.get("plotly_chart"))


def headings(page: AppTest) -> set[str]:
    return {text.value.split("**")[1] for text in page.markdown if text.value.startswith("**")}


def test_without_runs_the_page_explains_how_to_train_one_and_shows_the_bundled_settings(page):
    page.run()
    assert not page.exception
    assert not page.error
    assert "python -m posenet3d train teacher" in page.info[0].value
    assert page.selectbox(key="run").value == "joint (bundled)"
    assert page.dataframe[-1].value["setting"].str.startswith("training.").any()


def test_a_run_is_shown_term_by_term(page, tmp_path):
    finish(make_run(tmp_path / "runs" / "a", text=teacher_log()))
    page.run()
    assert not page.exception
    assert page.selectbox(key="run").value == "runs/a"
    assert headings(page) == {"position", "pose"}
    assert charts(page) == 2
    assert any(
        "**pose** · weight 1" in text.value and training_charts.TERMS["pose"] in text.value for text in page.markdown
    )
    page.radio(key="phase").set_value("denoiser").run()
    page.radio(key="scale").set_value("log").run()
    assert not page.exception
    assert headings(page) == {"position"}


def test_a_run_that_has_just_begun_appears_without_a_restart(page, tmp_path):
    finish(make_run(tmp_path / "runs" / "a", text=teacher_log()))
    page.run()
    make_run(tmp_path / "runs" / "b")
    page.run()
    assert "runs/b" in page.selectbox(key="run").options
    assert page.selectbox(key="run").value == "runs/a"  # what was being looked at stays
    page.selectbox(key="run").set_value("runs/b").run()
    assert not page.exception
    assert charts(page) == 0


def test_a_run_being_written_is_followed_to_its_end(page, tmp_path):
    folder = make_run(tmp_path / "runs" / "a", text=teacher_log(275) + '{"phase": "fra')
    page.run()
    assert not page.exception
    assert progress_text(page).startswith("running, step 275 of 400")
    (folder / "metrics.jsonl").write_text(teacher_log())
    finish(folder)
    page.run()
    assert not page.exception
    assert progress_text(page).startswith("finished, step 400 of 400")


def progress_text(page: AppTest) -> str:
    return page.get("progress")[0].proto.text


def test_two_runs_of_different_stages(page, tmp_path):
    finish(make_run(tmp_path / "runs" / "a", text=teacher_log()))
    finish(make_run(tmp_path / "runs" / "b", "student", text=line(25, "frame", distillation=1.0)))
    page.run()
    page.selectbox(key="run").set_value("runs/a").run()
    page.selectbox(key="other run").set_value("runs/b").run()
    assert not page.exception
    assert headings(page) == {"position", "pose", "distillation"}
    assert list(page.dataframe[-1].value.columns) == ["setting", "differs", "runs/a", "runs/b"]
    page.selectbox(key="run").set_value("runs/b").run()  # which was laid over the other one
    assert not page.exception
    assert page.selectbox(key="other run").value == "nothing"


def test_a_phase_that_another_run_lacks_is_forgotten(page, tmp_path):
    finish(make_run(tmp_path / "runs" / "a", text=teacher_log()))
    finish(make_run(tmp_path / "runs" / "b", "joint", text=line(25, "joint", consensus=1.0)))
    page.run()
    page.selectbox(key="run").set_value("runs/a").run()
    page.radio(key="phase").set_value("denoiser").run()
    page.selectbox(key="run").set_value("runs/b").run()
    assert not page.exception
    assert page.radio(key="phase").value == "all phases"
    assert headings(page) == {"consensus"}


def test_a_deleted_run_is_forgotten(page, tmp_path):
    finish(make_run(tmp_path / "runs" / "a", text=teacher_log()))
    folder = finish(make_run(tmp_path / "runs" / "b", text=teacher_log()))
    page.run()
    page.selectbox(key="run").set_value("runs/b").run()
    folder.rename(tmp_path / "gone")
    page.run()
    assert not page.exception
    assert page.selectbox(key="run").value == "runs/a"


@pytest.mark.parametrize("file", ["config.json", "metrics.jsonl"])
def test_a_damaged_run_is_one_error_message_and_the_other_is_still_shown(page, tmp_path, file):
    finish(make_run(tmp_path / "runs" / "good", text=teacher_log()))
    bad = finish(make_run(tmp_path / "runs" / "bad", text=teacher_log()))
    (bad / file).write_text("{oops\n")
    page.run()
    page.selectbox(key="run").set_value("runs/bad").run()
    assert not page.exception
    assert [file in error.value for error in page.error] == [True]
    page.selectbox(key="other run").set_value("runs/good").run()
    assert not page.exception
    assert len(page.error) == 1
    assert charts(page) == 2


def test_a_real_run_is_shown(page, tmp_path):
    settings = TeacherTraining(
        loop=LoopSettings(log_every=1, validate_every=1, save_every=2),
        denoiser_steps=2, frame_steps=2, temporal_steps=2, frame_batch=4, temporal_batch=4, denoiser_batch=2,
    )  # fmt: skip
    train_teacher(bundled_sequences(), settings, tmp_path / "runs" / "first")
    page.run()
    assert not page.exception
    assert not page.error
    assert progress_text(page).startswith("finished, step 6 of 6")
    run = read_run("first", tmp_path / "runs" / "first")
    logged = set(run.log.training) | set(run.log.held_out)
    assert headings(page) == logged
    assert logged <= set(training_charts.TERMS)
