"""Run folders of an older version, with other names of settings, weights and logged numbers, still load, lift and resume."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from explorer.charts.training import TERMS, term_names
from explorer.runs import read_run
from posenet3d.__main__ import main
from posenet3d.io.keypoints.packed import read_packed
from posenet3d.io.run_config import RunConfig
from posenet3d.lifting.lifter import Lifter
from posenet3d.renamed import RENAMED, current_name, with_current_names
from posenet3d.training.loop import LoopSettings

OLD = Path(__file__).parents[1] / "data" / "old_run"
CLIPS = OLD / "clips.npz"


def names_in(content: dict) -> set[str]:
    return set(content).union(*(names_in(value) for value in content.values() if isinstance(value, dict)))


def test_the_data_are_of_the_old_format():
    """Otherwise the tests below would show nothing."""
    config = json.loads((OLD / "teacher" / "config.json").read_text())
    assert names_in(config) & set(RENAMED) == set(RENAMED) - {"telling"}
    assert any(name.startswith("cleaner.") for name in load_file(OLD / "joint" / "model.safetensors"))
    assert '"telling"' in (OLD / "joint" / "metrics.jsonl").read_text()
    state = torch.load(OLD / "teacher_stopped" / "state" / "latest.pt", weights_only=True)
    assert "cleaner" in state["optimizers"]


def test_names_with_parts_are_renamed_part_by_part():
    assert current_name("teacher.cleaner.inlet.weight") == "teacher.denoiser.inlet.weight"
    assert current_name("val/telling") == "val/discriminator"
    assert current_name("cleaner_like") == "cleaner_like"
    assert with_current_names({"a": {"cleaner": {"width": 3}}, "cleaner_steps": 1}) == {
        "a": {"denoiser": {"width": 3}},
        "denoiser_steps": 1,
    }


@pytest.mark.parametrize("model", ["teacher", "student"])
def test_an_old_checkpoint_lifts_as_before(model):
    lifted = Lifter.load(OLD / "joint", model=model)(read_packed(CLIPS))
    expected = np.load(OLD / "lifted.npz")[model]
    np.testing.assert_allclose(np.concatenate([x.joints_3d[::6] for x in lifted]), expected, atol=1e-4)


@pytest.mark.parametrize("run", ["teacher", "joint"])
def test_an_old_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path, run):
    shutil.copytree(OLD / f"{run}_stopped", tmp_path / run)
    order = ["train", run, "--data", str(CLIPS), "--out", str(tmp_path / run), "--resume"]
    if run == "joint":
        order += ["--init", str(OLD / "teacher"), "--student", str(OLD / "student")]
    assert main(order) == 0
    for file in ("model.safetensors", "discriminators.safetensors"):
        expected = load_file(OLD / run / file)
        resumed = load_file(tmp_path / run / file)
        assert {current_name(name) for name in expected} == set(resumed)
        for name, value in expected.items():
            torch.testing.assert_close(resumed[current_name(name)], value, atol=1e-5, rtol=1e-4)
    config = RunConfig.read(tmp_path / run).to_dict()
    assert not names_in(config) & set(RENAMED)
    assert not names_in(json.loads((tmp_path / run / "config.json").read_text())) & set(RENAMED)


def test_a_student_is_distilled_from_an_old_teacher(tmp_path):
    settings = [
        "frame_steps=1",
        "temporal_steps=1",
        "frame_batch=4",
        "temporal_batch=4",
        "model.width=6",
        "model.window=3",
    ]
    out = ["--data", str(CLIPS), "--out", str(tmp_path / "student"), "--set", *settings]
    assert main(["train", "student", "--init", str(OLD / "teacher"), *out]) == 0
    trained = load_file(tmp_path / "student" / "model.safetensors")
    for name, value in load_file(OLD / "teacher" / "model.safetensors").items():
        assert torch.equal(trained[current_name(name)], value)


def test_an_old_log_plots_under_todays_names():
    for stage, phases in (("teacher", ["denoiser", "frame", "temporal"]), ("joint", ["joint"])):
        run = read_run(stage, OLD / stage)
        assert [phase.name for phase in run.phases] == phases
        names = term_names([run], None)
        assert "discriminator" in names
        assert set(names) <= set(TERMS)


def test_a_run_config_is_written_as_it_was_read(tmp_path):
    config = RunConfig.read(OLD / "joint")
    config.write(tmp_path)
    assert RunConfig.read(tmp_path) == config
    assert config.training is not None
    assert LoopSettings(**config.training["loop"]).log_every == 1
    assert config.to_dict()["data"]["sha256"] == RunConfig.read(OLD / "teacher").to_dict()["data"]["sha256"]
