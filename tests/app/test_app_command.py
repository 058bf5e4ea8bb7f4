"""``posenet3d app``: the explorer starts from the command line, in any folder, and listens on this computer only."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from posenet3d.cli import main

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answer(port: int, process: subprocess.Popen, limit_s: float = 120) -> str:
    """What the health address says, as soon as it says anything."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2) as page:
                return page.read().decode()
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"no answer; exit code {process.poll()}")


def test_it_answers_in_any_folder_and_ends_at_an_interrupt(tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "posenet3d", "app", "--headless", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            assert answer(port, process) == "ok"
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does at Ctrl+C
            assert process.wait(30) == 0
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    said = (tmp_path / "log").read_text()
    assert f"http://localhost:{port}" in said
    assert "Network URL" not in said, "it listens on this computer only"
    assert "Traceback" not in said


@pytest.mark.parametrize("port", ["0", "70000"])
def test_a_number_that_is_no_port_is_a_sentence(port, capsys):
    assert main(["app", "--port", port]) == 2
    assert f"{port} is no TCP port" in capsys.readouterr().err


def test_a_port_in_use_is_a_sentence(capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert main(["app", "--port", str(other.getsockname()[1])]) == 2
    assert "is in use" in capsys.readouterr().err


def test_the_command_line_does_not_load_the_app():
    code = "import sys, posenet3d.__main__; assert not {'explorer', 'streamlit'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
