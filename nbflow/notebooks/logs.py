"""Read attempt folders: the executed notebook, and how far a running one has come. Never writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from nbflow.errors import NotFound
from nbflow.model import AttemptId, PipelineName
from nbflow.notebooks.events import read_events
from nbflow.notebooks.folder import AttemptFolder
from nbflow.ports import FailedCell, Happened, Progress
from nbflow.run import Attempt
from nbflow.text import fault

TAIL = 64 * 1024
"""Bytes of `events.jsonl` that are searched from its end for the latest cell; the whole file is the last resort."""


class FolderLogs:
    """The attempts below one folder of outputs (semantics §8)."""

    def __init__(self, outputs: Path) -> None:
        self._outputs = outputs

    def folder(self, attempt: AttemptId, pipeline: PipelineName) -> Path:
        return self._outputs / pipeline / attempt

    def notebook(self, attempt: AttemptId, pipeline: PipelineName) -> Any:
        from nbflow.notebooks.document import read_log

        path = AttemptFolder(self.folder(attempt, pipeline)).notebook
        try:
            return read_log(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise NotFound(f"there is no executed notebook at {path}", hint="The attempt has not begun.") from None
        except Exception as error:  # cut off by a power failure, somebody else's, or edited since
            reason = fault(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            raise NotFound(f"the executed notebook at {path} cannot be read: {reason}") from error

    def failing_cell(self, attempt: Attempt, pipeline: PipelineName, *, lines: int) -> FailedCell | None:
        from nbflow.notebooks import show

        try:
            notebook = self.notebook(attempt.id, pipeline)
        except NotFound:
            return None
        cell = show.failing_cell(show.cells_of(notebook), attempt)
        if cell is None:
            return None
        printed = [line.plain for output in cell.outputs for line in show.output_lines(output)]
        return FailedCell(
            number=cell.number,
            source=cell.source,
            output=tuple(printed[-lines:]),
            left_out=max(0, len(printed) - lines),
        )

    def progress(self, attempt: AttemptId, pipeline: PipelineName) -> Progress | None:
        events = AttemptFolder(self.folder(attempt, pipeline)).events
        try:
            cells = _first(events)["cells"]
        except (OSError, ValueError, KeyError, TypeError):  # not there yet, another user's, or torn
            return None
        latest = next((event for event in _backwards(events) if event.get("event") == "cell_start"), None)
        if latest is None:
            return Progress(cell=None, cells=cells)
        return Progress(cell=latest["cell"], cells=cells, at=datetime.fromisoformat(latest["time"]))

    def happened(self, attempt: AttemptId, pipeline: PipelineName, *, after: int = 0) -> Happened:
        events, upto = read_events(AttemptFolder(self.folder(attempt, pipeline)).events, after)
        return Happened(events=events, upto=upto)


def _first(events: Path) -> dict[str, Any]:
    with events.open("rb") as file:
        first: dict[str, Any] = json.loads(file.readline())
    return first


def _backwards(events: Path) -> Iterator[dict[str, Any]]:
    """Events from the last one on; a line that is still being written is passed over."""
    size = events.stat().st_size
    for start in (max(0, size - TAIL), 0):
        with events.open("rb") as file:
            file.seek(start)
            lines = file.read().splitlines()[1 if start else 0 :]
        for line in reversed(lines):
            try:
                yield json.loads(line)
            except ValueError:
                continue
        if start == 0:
            return
