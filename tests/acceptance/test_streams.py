"""Standard output and standard error of the program: closed, full, or read by somebody who leaves."""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from making import PATIENCE, Project, eventually, kill


@pytest.fixture
def project(project: Project) -> Project:
    project.pipeline("quick", "name: quick\ntasks:\n  one: {notebook: one.ipynb}\n", one="print(1)")
    project.pipeline("bad", "name: bad\ntasks:\n  one: {notebook: one.ipynb}\n", one="1 / 0")
    return project


def in_shell(project: Project, line: str) -> subprocess.CompletedProcess[str]:
    """A line for bash, with `nbflow` in it; its exit code is that of the last part that failed."""
    program = f'nbflow() {{ {shlex.join(project.command())} "$@"; }}; set -o pipefail; '
    return subprocess.run(
        ["bash", "-c", program + line],
        cwd=project.folder,
        env=project.env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def last_state(project: Project) -> str:
    return str(project.json("runs")["runs"][0]["state"])


# --- a reader that leaves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("nbflow list --json", 0),
        ("nbflow list", 0),
        ("nbflow --help", 0),
        ("nbflow run quick --json", 0),
        ("nbflow run bad --json 2>&1", 1),
        ("nbflow validate nowhere 2>&1", 2),
    ],
)
def test_a_reader_that_leaves_changes_nothing(project: Project, line: str, code: int) -> None:
    done = in_shell(project, f"{line} | true")
    assert done.returncode == code
    assert (done.stdout, "Error" in done.stderr, "error" in done.stderr) == ("", False, False)


def test_a_run_goes_on_without_those_who_read_its_messages(project: Project) -> None:
    done = in_shell(project, "nbflow run quick 2>&1 | head -1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("run ")
    assert last_state(project) == "success"


def test_following_a_log_ends_when_nobody_reads_it(project: Project) -> None:
    project.pipeline(
        "endless",
        "name: endless\ntasks:\n  one: {notebook: one.ipynb}\n",
        one="import time\nwhile True:\n    print('on and on', flush=True)\n    time.sleep(0.1)",
    )
    running = project.spawn("run", "endless")
    try:
        log = f"{project.folder}/.nbflow/runs/endless/*/one/1/events.jsonl"
        eventually(lambda: in_shell(project, f"grep -q 'on and on' {log}").returncode == 0)
        assert in_shell(project, "nbflow logs latest one --follow | head -1").returncode == 0
    finally:
        kill(running.pid)
        running.wait(PATIENCE)


def test_a_run_whose_terminal_goes_away_is_cancelled_in_good_order(project: Project) -> None:
    project.pipeline("slow", "name: slow\ntasks:\n  one: {notebook: one.ipynb}\n", one="import time\ntime.sleep(600)")
    ours, its = pty.openpty()
    env = {**project.env, "TERM": "xterm-256color"}
    take_it = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY); os.execv(sys.argv[1], sys.argv[1:])"
    running = subprocess.Popen(
        [sys.executable, "-c", take_it, *project.command("run", "slow")],
        cwd=project.folder,
        env=env,
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    try:
        screen = bytearray()
        eventually(lambda: screen.extend(os.read(ours, 65536)) or b"cell 2 of 2" in screen)
        os.close(ours)
        assert running.wait(PATIENCE) == 130
    finally:
        kill(running.pid)
        running.wait(PATIENCE)
    assert last_state(project) == "cancelled"


def test_ctrl_c_before_the_command_has_begun_leaves_no_traceback(tmp_path: Path) -> None:
    """Python takes a signal for an exception wherever it is, also in the middle of an import."""
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = subprocess.run(
        [sys.executable, "-m", "nbflow", "list"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


# --- nowhere to write ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["--help", "--version", "list", "list --json", "next --cron @daily", "run --help"])
def test_output_that_cannot_be_written_is_an_error_in_one_sentence(project: Project, words: str) -> None:
    done = in_shell(project, f"nbflow {words} > /dev/full")
    assert done.returncode == 1
    assert done.stderr == "error: standard output cannot be written: No space left on device\n"


def test_a_run_whose_result_cannot_be_written_says_so_and_how_it_ended(project: Project) -> None:
    done = in_shell(project, "nbflow run quick --json > /dev/full")
    assert done.returncode == 1
    assert "✓ success" in done.stderr
    assert done.stderr.endswith("error: standard output cannot be written: No space left on device\n")


def test_messages_that_cannot_be_written_fail_no_run(project: Project) -> None:
    assert in_shell(project, "nbflow run quick 2> /dev/full").returncode == 0
    assert last_state(project) == "success"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_daemon_may_have_closed_the_standard_streams(project: Project, closed: str) -> None:
    assert in_shell(project, f"nbflow run quick --json {closed}").returncode == 0
    assert last_state(project) == "success"
