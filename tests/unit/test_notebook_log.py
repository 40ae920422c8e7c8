"""When the log is saved and its events are written, on a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attempts import Attempt, code, notebook, text

from nbflow.files import write_whole
from nbflow.notebooks import endings
from nbflow.notebooks.document import CellState, Document, read_source
from nbflow.notebooks.log import NotebookLog
from nbflow.notebooks.mask import Mask
from nbflow.notebooks.messages import Output, Refused, Skip
from nbflow.states import Cause

AT = datetime(2026, 4, 1, 9, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.saving = 0.0

    def __call__(self) -> float:
        return self.now


class Written:
    """A log over a folder, with what it has written counted."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, *cells: Any) -> None:
        self.clock, self.saves, self.size = Clock(), 0, 0
        self.attempt = Attempt(root, notebook(text("# Title"), *cells))
        self.log = NotebookLog(
            self.attempt.folder,
            self.attempt.order,
            Document(read_source(self.attempt.folder.source)),
            Mask(),
            self.clock,
        )
        monkeypatch.setattr("nbflow.notebooks.log.write_whole", self._save)
        self.log.begin()

    def _save(self, path: Path, data: Iterable[bytes], *, lasting: bool) -> None:
        data = list(data)
        self.saves += 1
        self.size += sum(map(len, data))
        self.clock.now += self.clock.saving
        write_whole(path, data, lasting=lasting)

    def tick(self, seconds: float) -> None:
        self.clock.now += seconds
        self.log.tick()


Make = Callable[..., Written]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    return lambda *cells: Written(tmp_path, monkeypatch, *cells)


def test_it_is_there_from_the_beginning(make: Make) -> None:
    written = make("1", code("p = 1", "injected-parameters"))
    assert written.saves == 1
    assert written.attempt.states == {2: "not_run"}
    assert written.attempt.events[0]["cells"] == 2
    assert written.attempt.events[0]["kernel"] == "python3"


def test_saves_are_two_seconds_apart_and_only_where_something_changed(make: Make) -> None:
    written = make("1", "2")
    cell = written.log.start_cell(2)
    written.tick(1.9)
    assert written.saves == 1
    written.tick(0.1)
    assert written.saves == 2
    assert written.attempt.states == {2: "running", 3: "not_run"}
    written.tick(60)
    assert written.saves == 2
    cell.stream("stdout", "news")
    written.tick(0)
    assert written.saves == 3
    assert written.attempt.shown(2) == "news"
    written.log.end_cell(CellState.SUCCESS)
    written.log.start_cell(3)
    written.log.end_cell(CellState.SUCCESS)
    assert written.saves == 3


def test_bytes_written_grow_linearly_with_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrote(count: int) -> int:
        written = Written(tmp_path / str(count), monkeypatch, *["print(1)"] * count)
        before = written.size
        for number in range(2, count + 2):
            written.log.start_cell(number).stream("stdout", "1\n")
            written.log.end_cell(CellState.SUCCESS)
            written.tick(0.001)
        written.log.end(endings.succeeded(), AT)
        return written.size - before + written.attempt.folder.events.stat().st_size

    few, many = wrote(100), wrote(400)
    assert 3.9 < many / few < 4.1


def test_slow_saves_are_rarer(make: Make) -> None:
    written = make("1")
    written.clock.saving = 3.0
    cell = written.log.start_cell(2)
    written.tick(2)
    assert written.saves == 2
    cell.stream("stdout", "news")
    written.tick(29.9)
    assert written.saves == 2
    written.tick(0.1)
    assert written.saves == 3


def test_outputs_are_told_at_once(make: Make) -> None:
    written = make("1")
    cell = written.log.start_cell(2)
    for number in range(3):
        cell.stream("stdout", f"{number}\n")
        written.tick(0.1)
    told = [event["output"]["text"] for event in written.attempt.events if event["event"] == "output"]
    assert told == ["0\n", "1\n", "2\n"]


def test_what_keeps_changing_is_told_less_and_less(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbflow.notebooks.log.LARGEST", 50_000)
    written = make("1")
    cell = written.log.start_cell(2)
    for number in range(3_000):  # five minutes, ten pictures of 10 KB a second
        cell.clear(wait=True)
        cell.show({"output_type": "display_data", "data": {"image/png": f"{number:05}" * 2_000}, "metadata": {}})
        written.tick(0.1)
    size = written.attempt.folder.events.stat().st_size
    assert 400_000 < size < 2 * 50_000 + 300 * 1024 + 20_000
    written.log.end_cell(CellState.SUCCESS)
    assert written.attempt.events[-2]["output"]["data"]["image/png"].startswith("02999")


def test_what_comes_after_a_cells_end_is_kept_too(make: Make) -> None:
    written = make("1", "2")
    first = written.log.start_cell(2)
    written.log.end_cell(CellState.SUCCESS)
    second = written.log.start_cell(3)
    second.show({"output_type": "display_data", "data": {"text/plain": "two"}, "metadata": {}}, "id")
    first.stream("stdout", "late")
    written.log.update_display("id", {"text/plain": "new"}, {})
    written.log.end_cell(CellState.SUCCESS)
    written.log.end(endings.succeeded(), AT)
    assert written.attempt.shown(2) == "late"
    assert written.attempt.shown(3) == "new"
    assert {event["cell"] for event in written.attempt.events if event["event"] == "output"} == {2, 3}


def test_cells_have_times_and_counts(make: Make) -> None:
    written = make("1")
    written.log.start_cell(2)
    written.log.count(2, 7)
    written.clock.now += 1.5
    written.log.end_cell(CellState.FAILED, Cause.ERROR)
    written.log.end(endings.lost(None, "gone"), AT)
    about = {"cell": 2, "state": "failed", "cause": "error", "seconds": 1.5, "execution_count": 7}
    assert about.items() <= written.attempt.wait_for("cell_end").items()
    assert written.attempt.cell(2).metadata.nbflow.seconds == 1.5
    assert written.attempt.cell(2).execution_count == 7


def test_an_end_in_the_middle_of_a_cell(make: Make) -> None:
    written = make("1", "2")
    written.log.start_cell(2).stream("stdout", "half")
    written.log.end(endings.lost(2, "nbflow itself failed"), AT)
    assert written.attempt.states == {2: "failed", 3: "not_run"}
    assert written.attempt.shown(2) == "half"
    assert written.attempt.names() == ["started", "cell_start", "output", "cell_end", "ended"]
    assert written.attempt.events[-1]["failing_cell"] == 2


def test_cells_that_need_no_kernel(make: Make) -> None:
    written = make("1", "2")
    written.log.leave_out(2, CellState.SKIPPED)
    written.log.leave_out(3, CellState.SUCCESS)
    written.log.end(endings.succeeded(), AT)
    assert written.attempt.states == {2: "skipped", 3: "success"}
    assert written.attempt.names() == ["started", "ended"]


def test_messages_are_events(make: Make) -> None:
    written = make("1")
    for message in (Output("rows", {"a": 1}), Refused("no JSON"), Skip("nothing new")):
        written.log.message(2, message)
    told = [{name: event[name] for name in event if name not in {"n", "time"}} for event in written.attempt.events[1:]]
    assert told == [
        {"event": "message", "cell": 2, "type": "output", "name": "rows", "value": {"a": 1}},
        {"event": "message", "cell": 2, "type": "skip", "reason": "nothing new"},
    ]


def test_a_save_that_fails_says_so(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: Iterable[bytes], *, lasting: bool) -> None:
        raise OSError(28, "No space left on device")

    written = make("1")
    monkeypatch.setattr("nbflow.notebooks.log.write_whole", full)
    written.log.start_cell(2)
    with pytest.raises(OSError, match="No space"):
        written.tick(5)
    assert written.attempt.states == {2: "not_run"}
