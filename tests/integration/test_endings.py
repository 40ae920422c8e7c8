"""Every way in which a notebook can end, with real kernels: outcome, cells, banner and events tell the same truth."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from attempts import Attempt, code, notebook, text
from flying import HOUR
from making import PATIENCE

from nbflow.states import AttemptState, Cause
from nbflow.task import ONLY_SHOWN

TITLE = text("# A title")


def assert_one_truth(attempt: Attempt, states: Mapping[int | None, str], *words: str) -> None:
    """Cells, banner, notebook metadata and events all agree with the outcome."""
    outcome, book, events = attempt.outcome, attempt.notebook, attempt.events
    assert attempt.states == states
    for cell in book.cells:
        if cell.cell_type == "code":
            _assert_papermill_agrees(cell.metadata.nbflow, cell.metadata.papermill)
    assert book.metadata.nbflow.state == outcome.state
    assert book.metadata.nbflow.cause == outcome.cause
    assert [event["n"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["event"], events[-1]["event"]) == ("started", "ended")
    assert events[0]["cells"] == max((number or 0 for number in attempt.states), default=0)
    assert events[-1]["state"] == outcome.state
    assert events[-1]["failing_cell"] == outcome.failing_cell
    ends = {event["cell"]: event["state"] for event in events if event["event"] == "cell_end"}
    assert ends == {number: state for number, state in states.items() if state in {"success", "failed"}}
    if not words:
        assert attempt.banner is None
        return
    banner = attempt.banner or ""
    for word in words:
        assert word in banner
    assert f"{outcome.at:%Y-%m-%d at %H:%M:%S} UTC" in banner
    if outcome.failing_cell is not None:
        assert f"[cell {outcome.failing_cell}](#c{outcome.failing_cell})" in banner


def _assert_papermill_agrees(ours: Mapping[str, Any], papermills: Mapping[str, Any]) -> None:
    status = {"success": "completed", "failed": "failed", "not_run": "pending", "skipped": "pending"}
    assert papermills["status"] == status[ours["state"]]
    assert papermills["exception"] is {"success": False, "failed": True}.get(ours["state"])


# --- the notebook's own doing ---------------------------------------------------------------------------------------


def test_a_notebook_that_runs_to_its_end(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, notebook(TITLE, "print('one')", "", "1 + 1")).run()
    outcome = attempt.outcome
    assert (outcome.state, outcome.cause, outcome.reason) == (AttemptState.SUCCESS, None, "")
    assert (outcome.attempt, outcome.token) == (attempt.order.attempt, attempt.order.token)
    assert (outcome.kernel_start, outcome.failing_cell, outcome.error) == ("cold", None, None)
    assert outcome.peak_memory is not None
    assert 20e6 < outcome.peak_memory < 500e6
    assert attempt.states == {2: "success", 3: "success", 4: "success"}
    assert attempt.banner is None
    assert attempt.shown(2) == "one\n"
    assert attempt.shown(4) == "2"
    assert [cell.execution_count for cell in attempt.notebook.cells[1:]] == [1, None, 2]
    assert attempt.names() == [
        "started", "cell_start", "output", "cell_end", "cell_start", "output", "cell_end", "ended",
    ]  # fmt: skip
    document = attempt.document
    assert document["kernel"]["implementation"] == "ipython"
    assert document["kernel"]["language"] == "python"
    assert Path(document["interpreter"]).exists()
    assert document["seconds"] > 0
    assert set(document["versions"]) == {"nbflow", "papermill", "nbclient", "jupyter_client"}


def test_a_cell_raises(tmp_path: Path) -> None:
    source = """
class Bad(LookupError):
    pass
raise Bad("no such `country`")"""
    attempt = Attempt(tmp_path, notebook(TITLE, "print('one')", source, "print('never')")).run()
    outcome = attempt.outcome
    assert (outcome.state, outcome.cause, outcome.failing_cell) == (AttemptState.FAILED, Cause.ERROR, 3)
    assert outcome.error is not None
    assert (outcome.error.name, outcome.error.message) == ("Bad", "no such `country`")
    assert outcome.error.bases == ("LookupError", "Exception", "BaseException", "object")
    assert outcome.reason == "Bad: no such `country`"
    assert_one_truth(attempt, {2: "success", 3: "failed", 4: "not_run"}, "Failed", "Bad: no such `country`")
    assert "Bad" in attempt.shown(3)
    errors = [
        each for cell in attempt.notebook.cells for each in cell.get("outputs", ()) if each.output_type == "error"
    ]
    assert len(errors) == 1
    assert not [cell for cell in attempt.notebook.cells if "papermill-error-cell-tag" in cell.metadata.get("tags", [])]


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        ("%no_such_magic", "UsageError", "no_such_magic"),
        ("%%bash\nexit 3", "CalledProcessError", "exit status 3"),
        ("input('name? ')", "StdinNotImplementedError", "input"),
        ("import sys; sys.exit(1)", "SystemExit", "1"),
        ("exit(3)", "SystemExit", "3"),
        ("x = bytearray(1 << 60)", "MemoryError", ""),
        ("def broken(:", "SyntaxError", "invalid syntax"),
        ("%%capture\nprint('hidden')\n{}['country']", "KeyError", "country"),
        ("open('load.py', 'w').write('{}[\"country\"]')\n%run load.py", "KeyError", "country"),
        ("open('load.py', 'w').write('raise SystemExit(2)')\n%run load.py", "SystemExit", "2"),
        ("class Page:\n    def _repr_html_(self): return {}['country']\nPage()", "KeyError", "country"),
    ],
)
def test_a_cell_fails_in_another_way(tmp_path: Path, source: str, name: str, message: str) -> None:
    attempt = Attempt(tmp_path, notebook(source, "print('never')")).run()
    outcome = attempt.outcome
    assert (outcome.state, outcome.cause, outcome.failing_cell) == (AttemptState.FAILED, Cause.ERROR, 1)
    assert outcome.error is not None
    assert outcome.error.name == name
    assert message in outcome.error.message
    assert_one_truth(attempt, {1: "failed", 2: "not_run"}, "Failed", name)


@pytest.mark.parametrize(
    "source", ["import sys; sys.exit(0)", "import sys; sys.exit()", "exit()", "quit(0)", "%%capture\nraise SystemExit"]
)
def test_a_notebook_ends_itself(tmp_path: Path, source: str) -> None:
    attempt = Attempt(tmp_path, notebook(TITLE, source, "print('never')")).run()
    assert (attempt.outcome.state, attempt.outcome.cause) == (AttemptState.SUCCESS, None)
    assert_one_truth(attempt, {2: "success", 3: "not_run"}, "Ended early", "[cell 2](#c2)", "ended itself")


def test_a_notebook_says_that_there_is_nothing_to_do(tmp_path: Path) -> None:
    source = """
from nbflow import task
task.output("rows", 0)
try:
    task.skip("no new orders")
except Exception:
    print("swallowed")"""
    attempt = Attempt(tmp_path, notebook(source, "print('never')")).run()
    outcome = attempt.outcome
    assert (outcome.state, outcome.cause, outcome.reason) == (AttemptState.SKIPPED, None, "no new orders")
    assert outcome.outputs == {"rows": 0}
    assert_one_truth(attempt, {1: "success", 2: "not_run"}, "Skipped", "[cell 1](#c1)", "no new orders")
    assert "skipped: no new orders" in attempt.shown(1)
    assert "Traceback" not in attempt.shown(1)
    assert not [output for output in attempt.cell(1).outputs if output.output_type == "error"]


@pytest.mark.parametrize(
    "hidden",
    [
        "%%capture\n{}",
        "from IPython.utils.capture import capture_output\nwith capture_output():\n    {}",
    ],
)
def test_what_is_told_to_nbflow_is_heard_where_outputs_are_taken_away(tmp_path: Path, hidden: str) -> None:
    report, skip = hidden.format("task.output('rows', 0)"), hidden.format("task.skip('no new orders')")
    attempt = Attempt(tmp_path, notebook("from nbflow import task", report, skip, "print('never')")).run()
    assert attempt.outcome.outputs == {"rows": 0}
    assert (attempt.outcome.state, attempt.outcome.reason) == (AttemptState.SKIPPED, "no new orders")
    assert_one_truth(attempt, {1: "success", 2: "success", 3: "success", 4: "not_run"}, "Skipped", "no new orders")


def test_what_a_process_of_the_notebook_tells_is_not_heard_and_that_is_said(tmp_path: Path) -> None:
    began = "import multiprocessing, sys\nfrom nbflow import task\n"
    forked = "own = multiprocessing.get_context('fork').Process(target=task.output, args=('rows', 1))\n"
    told = "!{sys.executable} -c 'from nbflow import task; task.output(\"rows\", 1)'"
    attempt = Attempt(tmp_path, notebook(f"{began}{forked}own.start(); own.join()", told)).run()
    assert (attempt.outcome.state, attempt.outcome.outputs) == (AttemptState.SUCCESS, {})
    for cell in (1, 2):
        assert attempt.shown(cell).strip() == f"rows = 1{ONLY_SHOWN}"


def test_tags_are_heeded(tmp_path: Path) -> None:
    hidden = code("%%capture\n1 / 0", "raises-exception")
    book = notebook(code("1 / 0", "raises-exception"), code("1 / 0", "skip-execution"), hidden, "print('on')")
    attempt = Attempt(tmp_path, book).run()
    assert attempt.outcome.state is AttemptState.SUCCESS
    assert_one_truth(attempt, {1: "success", 2: "skipped", 3: "success", 4: "success"})
    assert "ZeroDivisionError" in attempt.shown(1)
    assert attempt.shown(2) == ""


# --- the kernel dies ------------------------------------------------------------------------------------------------


def heard_and_ended(attempt: Attempt, cell: int) -> Attempt:
    """Run it; the cell is told when its output has arrived."""
    with attempt.running() as runner:
        attempt.wait_for("output", cell=cell)
        (attempt.project / "heard").touch()
        assert runner.wait(PATIENCE) == 0
    return attempt


def test_the_kernel_is_killed(tmp_path: Path) -> None:
    source = """
ballast = bytearray(200 << 20)
print("last words", flush=True)
import os, pathlib, signal, time
while not pathlib.Path("heard").exists(): time.sleep(0.01)  # what was not sent yet dies with the kernel
os.kill(os.getpid(), signal.SIGKILL)"""
    attempt = heard_and_ended(Attempt(tmp_path, notebook(TITLE, "print('one')", source, "print('never')")), cell=3)
    outcome = attempt.outcome
    assert (outcome.state, outcome.cause, outcome.failing_cell) == (AttemptState.FAILED, Cause.KERNEL_DIED, 3)
    assert (outcome.signal, outcome.exit_code) == (signal.SIGKILL, None)
    assert outcome.peak_memory is not None
    assert outcome.peak_memory > 200 << 20
    states = {2: "success", 3: "failed", 4: "not_run"}
    assert_one_truth(attempt, states, "Failed", "killed by signal 9 (SIGKILL)", "out of memory")
    assert attempt.shown(3).startswith("last words\n")
    assert "killed by signal 9" in attempt.shown(3)
    assert attempt.cell(3).metadata.nbflow.cause == "kernel_died"


def test_the_kernel_exits(tmp_path: Path) -> None:
    source = """
import os, pathlib, time
print('bye')
while not pathlib.Path("heard").exists(): time.sleep(0.01)
os._exit(7)"""
    attempt = heard_and_ended(Attempt(tmp_path, notebook(source, "2")), cell=1)
    outcome = attempt.outcome
    assert (outcome.state, outcome.cause, outcome.failing_cell) == (AttemptState.FAILED, Cause.KERNEL_DIED, 1)
    assert (outcome.signal, outcome.exit_code) == (None, 7)
    assert_one_truth(attempt, {1: "failed", 2: "not_run"}, "Failed", "exit code 7")
    assert attempt.shown(1).startswith("bye\n")


# --- somebody stops it ----------------------------------------------------------------------------------------------

HANGS = "import time\nprint('begun', flush=True)\ntime.sleep(600)  # here it hangs"
STUBBORN = """
import time
print("begun", flush=True)
while True:
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        print("not me", flush=True)"""


def test_a_cell_takes_too_long(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, notebook("1", HANGS, "2"), cell_timeout=HOUR).run_too_long()
    outcome = attempt.outcome
    assert (outcome.state, outcome.cause, outcome.failing_cell) == (AttemptState.FAILED, Cause.TIMEOUT, 2)
    assert outcome.error is None
    assert_one_truth(attempt, {1: "success", 2: "failed", 3: "not_run"}, "Failed", "the cell ran longer than 60 min")
    assert "KeyboardInterrupt" in attempt.shown(2)
    assert "here it hangs" in attempt.shown(2)
    assert attempt.cell(2).metadata.nbflow.cause == "timeout"


def test_the_notebook_takes_too_long(tmp_path: Path) -> None:
    attempt = Attempt(
        tmp_path,
        notebook(code(HANGS, "raises-exception"), "2"),
        timeout=HOUR,
        cell_timeout=2 * HOUR,
    ).run_too_long()
    assert (attempt.outcome.cause, attempt.outcome.failing_cell) == (Cause.TIMEOUT, 1)
    assert_one_truth(attempt, {1: "failed", 2: "not_run"}, "Failed", "the notebook ran longer than 60 min")


def test_an_operator_cancels(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, notebook(HANGS, "2"))
    with attempt.running() as runner:
        attempt.wait_for("output")
        attempt.stop(runner, grace=60)
        assert runner.wait(PATIENCE) == 0
    assert (attempt.outcome.state, attempt.outcome.cause) == (AttemptState.CANCELLED, Cause.CANCELLED)
    assert_one_truth(attempt, {1: "failed", 2: "not_run"}, "Cancelled", "cancelled by ana")
    assert "here it hangs" in attempt.shown(1)


@pytest.mark.parametrize("in_two_steps", [False, True])
def test_a_notebook_that_will_not_stop_is_killed(tmp_path: Path, in_two_steps: bool) -> None:
    attempt = Attempt(tmp_path, notebook(STUBBORN, "2"))
    with attempt.running() as runner:
        attempt.wait_for("output")
        attempt.stop(runner, grace=60 if in_two_steps else 5)
        attempt.wait_for("output", output={"output_type": "stream", "name": "stdout", "text": "not me\n"})
        if in_two_steps:
            attempt.stop(runner, grace=0)
        assert runner.wait(PATIENCE) == 0
        assert attempt.processes() == []
    assert (attempt.outcome.state, attempt.outcome.signal) == (AttemptState.CANCELLED, None)
    assert_one_truth(attempt, {1: "failed", 2: "not_run"}, "Cancelled", "cancelled by ana")
    assert attempt.shown(1).startswith("begun\nnot me\n")
    assert "cancelled by ana" in attempt.shown(1)


def test_a_runner_that_is_told_to_go(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, notebook(HANGS, "2"))
    with attempt.running() as runner:
        attempt.wait_for("output")
        runner.terminate()
        assert runner.wait(PATIENCE) == 0
        assert attempt.processes() == []
    assert (attempt.outcome.state, attempt.outcome.cause) == (AttemptState.LOST, Cause.LOST)
    assert_one_truth(attempt, {1: "failed", 2: "not_run"}, "Lost", "told to end")


def test_a_stop_order_that_was_there_first(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, notebook("print('never')"))
    with attempt.running(before="import time; time.sleep(600)") as runner:
        attempt.stop(runner, grace=10)  # ends the runner, which has no handler yet
        runner.wait(PATIENCE)
    attempt.run()
    assert attempt.outcome.state is AttemptState.CANCELLED
    assert_one_truth(attempt, {1: "not_run"}, "Cancelled")


# --- it never starts ------------------------------------------------------------------------------------------------


def test_the_kernel_is_not_installed(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, notebook("1"), kernel="julia-1.9").run()
    outcome = attempt.outcome
    assert (outcome.state, outcome.cause, outcome.failing_cell) == (AttemptState.FAILED, Cause.INVALID, None)
    assert "'julia-1.9' is not installed" in outcome.reason
    assert "python3" in outcome.reason
    assert outcome.kernel_start is None
    assert_one_truth(attempt, {1: "not_run"}, "Failed", "julia-1.9")


@pytest.mark.parametrize("source", ["no json", '{"cells": 3}', "[]", '{"nbformat": 99, "cells": []}', ""])
def test_the_notebook_cannot_be_read(tmp_path: Path, source: str) -> None:
    attempt = Attempt(tmp_path, source).run()
    assert (attempt.outcome.state, attempt.outcome.cause) == (AttemptState.FAILED, Cause.INVALID)
    assert_one_truth(attempt, {}, "Failed", "no notebook that can be read")


def test_the_notebook_is_not_there(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, notebook("1"))
    attempt.folder.source.unlink()
    attempt.run()
    assert attempt.outcome.cause is Cause.INVALID
    assert_one_truth(attempt, {}, "Failed", "the notebook is not there")


def test_a_secret_is_missing(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path, notebook("1"), secrets={"KEY": "stripe_key"}).run()
    assert attempt.outcome.cause is Cause.INVALID
    assert "the secret 'stripe_key' is not there" in attempt.outcome.reason
    assert_one_truth(attempt, {1: "not_run"}, "Failed", "stripe_key")


@pytest.mark.parametrize(
    ("argv", "limit", "reason"),
    [
        (["python", "-c", "raise SystemExit('no kernel')"], 60, "exit code 1 before it answered: no kernel"),
        (["/no/such/program", "{connection_file}"], 60, "could not be started"),
        (["python", "-c", "import time; time.sleep(600)", "ipykernel"], 1, "did not answer within 1 s"),
    ],
)
def test_the_kernel_does_not_start(tmp_path: Path, argv: list[str], limit: int, reason: str) -> None:
    spec = tmp_path / "jupyter" / "kernels" / "broken"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Broken", "language": "python"}))
    attempt = Attempt(tmp_path, notebook("1"), kernel="broken").run(
        before=f"import nbflow.notebooks.kernels as kernels; kernels.START_TIMEOUT = {limit}",
        JUPYTER_PATH=str(tmp_path / "jupyter"),
    )
    assert (attempt.outcome.state, attempt.outcome.cause) == (AttemptState.FAILED, Cause.KERNEL_START)
    assert reason in attempt.outcome.reason
    assert_one_truth(attempt, {1: "not_run"}, "Failed", reason[:30])
    assert attempt.processes() == []


# --- the disk is full -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("last", ["1", "import time; time.sleep(600)"])
def test_the_log_cannot_be_written(tmp_path: Path, last: str) -> None:
    """At the end, or while a cell runs: that is not waited for then."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))"
    attempt = Attempt(tmp_path, notebook("print('x' * 10000)", "print('y' * 25000)", last)).run(before=limit)
    outcome = attempt.outcome
    assert (outcome.state, outcome.cause) == (AttemptState.FAILED, Cause.STORAGE)
    assert "the attempt's files could not be written" in outcome.reason
    assert set(attempt.states.values()) <= {"success", "running", "not_run"}  # what was saved before is whole
    assert attempt.names()[0] == "started"
    assert "ended" not in attempt.names()
    assert attempt.processes() == []
