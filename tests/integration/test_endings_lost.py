"""A runner that dies in the middle: the log is made true from what it left."""

from __future__ import annotations

import signal
from pathlib import Path

from attempts import Attempt, code, notebook, text
from making import PATIENCE, eventually

from nbflow.notebooks.seal import seal_lost
from nbflow.states import AttemptState, Cause


def test_a_runner_is_killed(tmp_path: Path) -> None:
    working = """
from nbflow import task
task.output("rows", 3)
print("seen", flush=True)
import time; time.sleep(600)"""
    book = notebook(text("# Title"), code("region = 'all'", "parameters"), "print(region)", working, "print('never')")
    attempt = Attempt(tmp_path, book, params={"region": "emea"})
    with attempt.running() as runner:
        attempt.wait_for("output", cell=4, output={"output_type": "stream", "name": "stdout", "text": "seen\n"})
        runner.send_signal(signal.SIGKILL)
        runner.wait(PATIENCE)
    last = attempt.events[-1]["n"]
    with attempt.folder.events.open("a") as events:
        events.write('{"n": 99, "time": "20')  # torn
    sealed = seal_lost(attempt.folder, "its runner was killed by signal 9")
    assert sealed == attempt.outcome
    outcome = attempt.outcome
    assert (outcome.state, outcome.cause, outcome.failing_cell) == (AttemptState.LOST, Cause.LOST, 4)
    assert (outcome.attempt, outcome.token) == (attempt.order.attempt, attempt.order.token)
    assert outcome.reason == "its runner was killed by signal 9"
    assert outcome.outputs == {"rows": 3}
    assert attempt.states == {2: "success", None: "success", 3: "success", 4: "failed", 5: "not_run"}
    assert [cell.metadata.nbflow.cell for cell in attempt.notebook.cells[1:]] == [1, 2, None, 3, 4, 5]
    assert attempt.shown(3) == "emea\n"
    assert attempt.shown(4).startswith("rows = 3seen\n[nbflow] its runner was killed")
    assert attempt.cell(4).metadata.nbflow.cause == "lost"
    assert attempt.cell(4).metadata.papermill.exception is True
    assert attempt.cell(3).execution_count == 3
    assert "**Lost** in [cell 4](#c4)" in (attempt.banner or "")
    assert [event["n"] for event in attempt.events] == list(range(1, last + 3))
    assert [event["event"] for event in attempt.events[-2:]] == ["cell_end", "ended"]


def test_a_kernel_does_not_outlive_its_runner_for_long(tmp_path: Path) -> None:
    """Even where no guard looks after it: ipykernel itself sees that its parent is gone."""
    attempt = Attempt(tmp_path, notebook("print('seen', flush=True)\nimport time; time.sleep(600)"))
    with attempt.running() as runner:
        attempt.wait_for("output")
        kernels = attempt.processes()
        runner.send_signal(signal.SIGKILL)
        runner.wait(PATIENCE)
        assert kernels
        eventually(lambda: not attempt.processes())
