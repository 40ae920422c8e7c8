"""The parent of `nbflow up`, with services that are small programs."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from nbflow import supervisor
from nbflow.supervisor import Supervisor

COUNTS = """
import pathlib, sys
runs = pathlib.Path(sys.argv[1])
runs.write_text(runs.read_text() + "x" if runs.exists() else "x")
sys.exit(int(sys.argv[2]) if len(runs.read_text()) < 3 else 2)
"""


def program(folder: Path, code: str) -> str:
    path = folder / "service.py"
    path.write_text(textwrap.dedent(code))
    return str(path)


def test_a_service_that_ends_is_started_again_with_growing_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "PAUSES", (0.01, 0.02))
    said: list[str] = []
    command = [sys.executable, program(tmp_path, COUNTS), str(tmp_path / "runs"), "7"]
    stopping = Supervisor({"counter": command}, lambda text, **about: _stop_after(said, text, 3))
    assert stopping.run() == 0
    assert said[:3] == [
        "counter ended with exit code 7; it is started again in 0.01 s",
        "counter ended with exit code 7; it is started again in 0.02 s",
        "counter ended with exit code 2; it is started again in 0.02 s",
    ]


def test_a_service_that_cannot_be_started_now_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where no memory is left for a process."""
    monkeypatch.setattr(supervisor, "PAUSES", (0.01,))
    said: list[str] = []
    missing = Supervisor({"counter": [str(tmp_path / "gone")]}, lambda text, **about: _stop_after(said, text, 2))
    assert missing.run() == 0
    assert said[0] == "counter cannot be started: No such file or directory; it is tried again in 0.01 s"


def _stop_after(said: list[str], text: str, count: int) -> None:
    said.append(text)
    if len(said) == count:
        signal.raise_signal(signal.SIGTERM)


def test_wrong_use_at_the_first_start_ends_it_with_that_code(tmp_path: Path) -> None:
    said: list[str] = []
    assert Supervisor({"counter": [sys.executable, "-c", "raise SystemExit(2)"]}, said.append).run() == 2
    assert said == []


SERVICES = """
import signal, sys, time
from nbflow.supervisor import Supervisor
service = '''
import os, signal, time
signal.signal(signal.{heeds}, lambda *_: (os.write(1, b"told {heeds}\\\\n"), os._exit(0)))
os.write(1, b"up\\\\n")
time.sleep(600)
'''
commands = {
    "first": [sys.executable, "-c", service.replace("{heeds}", "SIGINT")],
    "other": [sys.executable, "-c", service.replace("{heeds}", "SIGTERM")],
}
sys.exit(Supervisor(commands, print).run())
"""


def test_ctrl_c_drains_the_first_and_then_tells_the_others(tmp_path: Path) -> None:
    command = [sys.executable, program(tmp_path, SERVICES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline(), process.stdout.readline()] == ["up\n", "up\n"]
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "told SIGINT\ntold SIGTERM\n"
        assert process.wait(30) == 0
