"""What a reader of the events sees of a running notebook, against what the runner saves of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from attempts import Attempt, notebook, text

from nbflow.notebooks.document import CellState, Document, read_source
from nbflow.notebooks.events import read_events
from nbflow.notebooks.following import Following
from nbflow.notebooks.log import NotebookLog
from nbflow.notebooks.logs import FolderLogs
from nbflow.notebooks.mask import Mask
from nbflow.notebooks.show import cells_of
from nbflow.states import Cause


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    return Attempt(tmp_path, notebook(text("# Title"), "one()", "two()"))


@pytest.fixture
def log(attempt: Attempt) -> NotebookLog:
    document = Document(read_source(attempt.folder.source))
    log = NotebookLog(attempt.folder, attempt.order, document.inject({"after": 1, "source": "n = 1"}), Mask())
    log.begin()
    return log


def test_the_events_lead_to_what_is_saved(attempt: Attempt, log: NotebookLog) -> None:
    following = Following(attempt.notebook)
    log.start_cell(None)
    log.end_cell(CellState.SUCCESS)
    capture = log.start_cell(2)
    capture.stream("stdout", "one\n")
    capture.show({"output_type": "display_data", "data": {"text/plain": "a"}, "metadata": {}}, "d")
    log.tick()
    capture.stream("stdout", "50 %\r100 %\n")
    capture.update("d", {"text/plain": "b"}, {})
    log.end_cell(CellState.SUCCESS)
    capture = log.start_cell(3)
    capture.error("ValueError", "bad", ["ValueError: bad"])
    log.end_cell(CellState.FAILED, Cause.ERROR)
    log.save()
    assert following.apply(attempt.events) == {None, 2, 3}
    assert cells_of(following.notebook) == cells_of(attempt.notebook)


def test_only_what_is_new_changes_a_cell(attempt: Attempt, log: NotebookLog) -> None:
    logs, following = FolderLogs(attempt.folder.path.parents[1]), Following(attempt.notebook)
    pipeline, name = attempt.folder.path.parent.name, attempt.folder.path.name
    log.start_cell(2).stream("stdout", "one\n")
    log.tick()
    first = logs.happened(name, pipeline)  # type: ignore[arg-type]
    assert following.apply(first.events) == {2}
    log.end_cell(CellState.SUCCESS)
    log.start_cell(3)
    then = logs.happened(name, pipeline, after=first.upto)  # type: ignore[arg-type]
    assert [event["event"] for event in then.events] == ["cell_end", "cell_start"]
    assert following.apply(then.events) == {2, 3}
    assert [cell.state for cell in cells_of(following.notebook)] == ["", "not_run", "success", "running"]
    assert logs.happened(name, pipeline, after=then.upto).events == []  # type: ignore[arg-type]


def test_a_line_that_is_being_written_is_left_for_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"n": 1, "event": "started"}\n{"n": 2, "ev')
    events, upto = read_events(path)
    assert [event["n"] for event in events] == [1]
    with path.open("ab") as file:
        file.write(b'ent": "ended"}\n')
    assert [event["n"] for event in read_events(path, upto)[0]] == [2]


def test_events_of_cells_that_the_notebook_does_not_have_are_passed_over(attempt: Attempt, log: NotebookLog) -> None:
    del log
    assert Following(attempt.notebook).apply([{"event": "cell_start", "cell": 9}, {"event": "ended"}]) == set()
