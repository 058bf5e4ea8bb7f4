"""Places on disk, progress, and the records of loss terms."""

from pathlib import Path

import platformdirs
import pytest

from posenet3d import paths
from posenet3d.core.progress import no_progress, part
from posenet3d.evaluation.ablation import FAMILIES
from posenet3d.lifting.checkpoint import list_checkpoints
from posenet3d.training import terms
from posenet3d.training.loss_term import completed, default_weights


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A working directory, a checkout and a user's data folder, none of which holds runs."""
    for name in ("here", "checkout", "user"):
        (tmp_path / name).mkdir()
    monkeypatch.delenv("POSENET3D_RUNS", raising=False)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(paths, "PROJECT", tmp_path / "checkout")
    monkeypatch.setattr(platformdirs, "user_data_path", lambda name: tmp_path / "user" / name)
    return tmp_path


def test_runs_are_in_the_first_place_that_applies(places, monkeypatch):
    assert paths.runs_folder() == places / "user" / "posenet3d" / "runs"
    (places / "checkout" / "pyproject.toml").touch()
    assert paths.runs_folder() == places / "checkout" / "runs"
    (places / "here" / "runs").mkdir()
    assert paths.runs_folder().resolve() == places / "here" / "runs"
    monkeypatch.setenv("POSENET3D_RUNS", str(places / "elsewhere"))
    assert paths.runs_folder() == places / "elsewhere"


def test_this_repository_is_a_checkout():
    assert Path(__file__).parents[2] == paths.PROJECT
    assert (paths.PROJECT / "pyproject.toml").is_file()


def test_checkpoints_are_listed_from_the_runs_folder(places, monkeypatch):
    monkeypatch.setenv("POSENET3D_RUNS", str(places / "mine"))
    assert not any(name.startswith("mine/") for name in list_checkpoints())
    (places / "mine" / "first").mkdir(parents=True)
    (places / "mine" / "first" / "model.safetensors").touch()
    assert list_checkpoints()["mine/first"] == places / "mine" / "first"


def test_progress_of_parts_adds_up():
    told: list[float] = []
    first, second = part(told.append, 0.0, 0.3), part(told.append, 0.3, 1.0)
    for progress in (first, part(second, 0.0, 0.5), part(second, 0.5, 1.0)):
        for done in (0.5, 1.0):
            progress(done)
    assert told == pytest.approx([0.15, 0.3, 0.475, 0.65, 0.825, 1.0])
    assert told[-1] == 1.0, "exactly, so that a bar ends"
    no_progress(0.5)


def test_names_of_terms_are_unique_and_described():
    names = [term.name for term in terms.all_terms()]
    assert len(set(names)) == len(names)
    assert all(term.description.endswith(".") and term.weight > 0 for term in terms.all_terms())


def test_stage_3_has_the_weights_of_all_stages_and_its_own():
    joint = terms.joint_weights()
    assert {name: joint[name] for name in terms.teacher_weights()} == terms.teacher_weights()
    changed = {name for name, weight in terms.student_weights().items() if joint[name] != weight}
    assert changed == set(terms.JOINT_WEIGHTS) == {"distillation"}
    assert set(joint) == {term.name for term in terms.all_terms()} - set(default_weights(terms.DENOISER_TERMS))


def test_weights_of_older_runs_are_completed_and_unknown_ones_refused():
    assert completed({"a": 2.0}, {"a": 1.0, "b": 3.0}) == {"a": 2.0, "b": 3.0}
    with pytest.raises(ValueError, match="no loss term 'c'"):
        completed({"c": 1.0}, {"a": 1.0})


def test_every_family_of_a_term_is_ablated():
    families = {family for term in terms.all_terms() for family in term.families}
    assert families == set(FAMILIES)
    assert FAMILIES["bone"] == ("constancy", "symmetry", "wrong_bend", "shape")
