"""Whatever state a dead runner left its folder in, the seal makes it whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attempts import Attempt, notebook, text

from nbflow.files import write_whole
from nbflow.notebooks.events import EventLog
from nbflow.notebooks.folder import AttemptFolder
from nbflow.notebooks.seal import seal_lost
from nbflow.run import AttemptEnded, StopAttempt
from nbflow.states import AttemptState, Cause


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    return Attempt(tmp_path, notebook(text("# Title"), "one", "two", "three"))


def tell(attempt: Attempt, *events: dict[str, Any]) -> None:
    log = EventLog(attempt.folder.events)
    log.write([{"event": "started", "cells": 4}, *events])
    log.close()


def start(cell: int) -> dict[str, Any]:
    return {"event": "cell_start", "cell": cell}


def end(cell: int, state: str = "success", cause: str | None = None) -> dict[str, Any]:
    return {"event": "cell_end", "cell": cell, "state": state, "cause": cause, "seconds": 0.5, "execution_count": 1}


def stream(cell: int, said: str) -> dict[str, Any]:
    return {"event": "output", "cell": cell, "output": {"output_type": "stream", "name": "stdout", "text": said}}


def test_the_running_cell_is_marked_and_the_others_keep_what_they_were(attempt: Attempt) -> None:
    tell(attempt, start(2), stream(2, "a\n"), end(2), start(3), stream(3, "b"), stream(3, "c"))
    outcome = seal_lost(attempt.folder)
    assert (outcome.state, outcome.cause, outcome.failing_cell) == (AttemptState.LOST, Cause.LOST, 3)
    assert attempt.states == {2: "success", 3: "failed", 4: "not_run"}
    assert (attempt.shown(2), attempt.cell(2).execution_count) == ("a\n", 1)
    assert attempt.shown(3).startswith("bc[nbflow] the process that ran the notebook is gone")
    assert attempt.cell(2).metadata.nbflow.seconds == 0.5
    assert attempt.cell(2).metadata.papermill.status == "completed"
    assert attempt.notebook.metadata.nbflow.state == "lost"
    assert "[cell 3](#c3)" in (attempt.banner or "")
    assert attempt.names()[-2:] == ["cell_end", "ended"]
    assert not list(attempt.folder.path.glob(".*.tmp"))


def nothing_written(attempt: Attempt) -> None:
    assert attempt.names() == []


def only_started(attempt: Attempt) -> None:
    tell(attempt)


def torn_first_line(attempt: Attempt) -> None:
    attempt.folder.events.write_text('{"n": 1, "event": "star')


def binary_rubbish(attempt: Attempt) -> None:
    attempt.folder.events.write_bytes(b"\xff\xfe\x00\n" * 3)


def lines_that_are_no_events(attempt: Attempt) -> None:
    attempt.folder.events.write_text("[1]\n3\n{}\n")


def half_written_files(attempt: Attempt) -> None:
    for name in (".outcome.json.77.tmp", ".notebook.ipynb.77.tmp"):
        (attempt.folder.path / name).write_text('{"half": ')


def an_old_notebook(attempt: Attempt) -> None:
    tell(attempt)
    attempt.folder.notebook.write_text("{}")


@pytest.mark.parametrize(
    "leave",
    [
        nothing_written,
        only_started,
        torn_first_line,
        binary_rubbish,
        lines_that_are_no_events,
        half_written_files,
        an_old_notebook,
    ],
)
def test_half_done_folders(attempt: Attempt, leave: Callable[[Attempt], None]) -> None:
    leave(attempt)
    outcome = seal_lost(attempt.folder, "gone")
    assert (outcome.state, outcome.failing_cell) == (AttemptState.LOST, None)
    assert attempt.outcome == outcome
    assert attempt.states == {2: "not_run", 3: "not_run", 4: "not_run"}
    assert attempt.banner is not None
    assert attempt.banner.startswith("**Lost** on ")
    assert attempt.names() == ["started", "ended"]
    assert [event["n"] for event in attempt.events] == [1, 2]
    assert not list(attempt.folder.path.glob(".*.tmp"))


def test_a_notebook_that_cannot_be_read_gets_a_banner_only(attempt: Attempt) -> None:
    tell(attempt, start(2))
    attempt.folder.source.write_text("no json")
    assert seal_lost(attempt.folder).failing_cell == 2
    assert attempt.states == {}
    assert attempt.banner is not None


def test_values_that_were_reported_are_kept(attempt: Attempt) -> None:
    message = {"event": "message", "cell": 2, "type": "output", "name": "rows", "value": [1, None]}
    tell(attempt, start(2), message, end(2))
    assert seal_lost(attempt.folder).outputs == {"rows": [1, None]}


def test_a_runner_that_died_just_before_its_outcome(attempt: Attempt) -> None:
    tell(attempt, *(event for cell in (2, 3, 4) for event in (start(cell), end(cell))), {"event": "ended"})
    outcome = seal_lost(attempt.folder)
    assert (outcome.state, outcome.failing_cell) == (AttemptState.LOST, None)
    assert set(attempt.states.values()) == {"success"}
    assert attempt.names()[-2:] == ["ended", "ended"]


def test_an_outcome_is_never_replaced(attempt: Attempt) -> None:
    known = AttemptEnded(
        attempt=attempt.order.attempt, token=attempt.order.token, at=datetime.now(UTC), state=AttemptState.SUCCESS
    )
    attempt.folder.end(known)
    before = sorted(attempt.folder.path.iterdir())
    assert seal_lost(attempt.folder) == known
    assert attempt.outcome == known
    assert sorted(attempt.folder.path.iterdir()) == before


def test_the_injected_cell_comes_from_the_events(attempt: Attempt) -> None:
    log = EventLog(attempt.folder.events)
    log.write([{"event": "started", "cells": 4, "injected": {"after": 1, "source": "p = 1"}}])
    log.write([{"event": "cell_start", "cell": None}])
    log.close()
    outcome = seal_lost(attempt.folder)
    assert outcome.failing_cell is None
    assert attempt.states == {None: "failed", 2: "not_run", 3: "not_run", 4: "not_run"}
    assert attempt.notebook.cells[2].source == "p = 1"


def test_a_folder_without_an_order(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="has no order"):
        seal_lost(AttemptFolder(tmp_path))


@pytest.mark.parametrize(("is_stopped", "state"), [(False, "lost"), (True, "cancelled")])
def test_sealing_again_after_a_failed_seal(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, is_stopped: bool, state: str
) -> None:
    def full(path: Path, data: str | bytes) -> None:
        if path.name == "outcome.json":
            raise OSError(28, "No space left on device")
        write_whole(path, data)

    tell(attempt, start(2))
    if is_stopped:
        attempt.folder.ask_to_stop(StopAttempt(attempt=attempt.order.attempt, token=attempt.order.token, by="ana"))
    monkeypatch.setattr("nbflow.notebooks.folder.write_whole", full)
    with pytest.raises(OSError, match="No space"):
        seal_lost(attempt.folder)
    monkeypatch.undo()
    assert seal_lost(attempt.folder).failing_cell == 2
    assert json.loads((attempt.folder.path / "outcome.json").read_text())["state"] == state
    assert attempt.states == {2: "failed", 3: "not_run", 4: "not_run"}
    assert attempt.cell(2).metadata.nbflow.cause == state
    assert "[nbflow]" in attempt.shown(2)


def test_a_start_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    """A disk that is away for a moment must not end whoever looks, nor let an attempt begin twice."""
    (tmp_path / "started").mkdir()
    assert AttemptFolder(tmp_path).begun() == {}
