"""Networks run on one thread, and the program that called them keeps its own setting."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from posenet3d.bench.neighbour import neighbour_bench
from posenet3d.core.threads import network_threads
from posenet3d.errors import InputError
from posenet3d.lifting.lifter import Lifter
from posenet3d.synthetic.sequences import bundled_sequences
from posenet3d.training.loop import LoopSettings, fit

CLIP = bundled_sequences()[0].frames(0, 30)


@pytest.fixture
def host_setting(monkeypatch):
    """A program with three threads of its own, in an environment that names no number."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("POSENET3D_THREADS", raising=False)
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(1)


def threads_inside(model: str) -> set[int]:
    seen = set()
    Lifter.load(model=model)([CLIP], progress=lambda share: seen.add(torch.get_num_threads()))
    return seen


@pytest.mark.parametrize("model", ["teacher", "student"])
def test_a_lift_runs_on_one_thread_and_restores_the_setting(model, host_setting):
    assert threads_inside(model) == {1}
    assert torch.get_num_threads() == 3


def test_the_setting_is_restored_after_an_error(host_setting):
    def stop(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Lifter.load()([CLIP], progress=stop)
    assert torch.get_num_threads() == 3


def test_the_environment_wins(host_setting, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads_inside("teacher") == {3}
    monkeypatch.setenv("POSENET3D_THREADS", "2")
    assert threads_inside("teacher") == {2}
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize("value", ["0", "-1", "two", "99999999999999999999", "²"])
def test_an_unusable_number_is_refused(value, host_setting, monkeypatch):
    monkeypatch.setenv("POSENET3D_THREADS", value)
    with pytest.raises(InputError, match="from 1 to 1024"):
        Lifter.load()([CLIP])


def test_training_runs_on_one_thread(host_setting, tmp_path):
    from posenet3d.training.loop import PhasePlan

    seen = []

    class Watch:
        optimizers = {}  # noqa: RUF012

        def train_step(self, step, rng):
            seen.append(torch.get_num_threads())
            return {"loss": torch.zeros(())}

        def validate(self):
            return {}

    (tmp_path / "state").mkdir()
    fit(torch.nn.ModuleDict(), [PhasePlan("watch", 2, Watch)], tmp_path, LoopSettings(), exports={})
    assert seen == [1, 1]
    assert torch.get_num_threads() == 3


def test_nested_and_simultaneous_calls_restore_the_setting_of_the_host(host_setting):
    entered, leave, late = threading.Event(), threading.Event(), []

    def other():
        with network_threads():
            entered.set()
            leave.wait(10)
        late.append(torch.get_num_threads())

    thread = threading.Thread(target=other)
    with network_threads():
        thread.start()
        assert entered.wait(10)
        with network_threads():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3
    leave.set()
    thread.join()
    assert late == [3]


def test_importing_the_library_imports_no_torch_and_sets_nothing():
    code = "import sys, os, posenet3d; print('torch' in sys.modules, os.environ.get('OMP_NUM_THREADS'))"
    root = Path(__file__).parents[2]
    environment = {"PATH": "/usr/bin:/bin"}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, env=environment)
    assert out.stdout.split() == ["False", "None"], out.stderr


def test_the_benchmark_beside_a_busy_neighbour_prints_the_ratio(host_setting):
    lines = neighbour_bench(Lifter.load(), CLIP.frames(0, 5), 0.0)
    assert len(lines) == 3
    assert float(lines[2].split()[-1]) > 0
    assert torch.get_num_threads() == 3
