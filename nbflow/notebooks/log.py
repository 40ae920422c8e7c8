"""The log of one attempt while it is written: the executed notebook and its events, saved as they grow.

Says what it is told; decides nothing. Every method can raise OSError when the files cannot be written.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from nbflow.files import keep_content, write_whole
from nbflow.notebooks.capture import LARGEST, CellCapture
from nbflow.notebooks.document import CellState, Document
from nbflow.notebooks.endings import Ending
from nbflow.notebooks.events import EventLog
from nbflow.notebooks.folder import AttemptFolder
from nbflow.notebooks.mask import Mask
from nbflow.notebooks.messages import Message, Output, Skip
from nbflow.notebooks.outputs import Json
from nbflow.notebooks.spill import Spill
from nbflow.run import StartAttempt
from nbflow.states import Cause

SAVE_EVERY = 2.0
"""Seconds between two saves of the notebook, or ten times what the last one took."""

TELL_EVERY = 0.1
"""Seconds between two looks for outputs that the events do not have yet."""

SLOWLY = 1024
"""Bytes a second for the events of a cell that keeps replacing what it shows, once they outgrew its cap."""


class NotebookLog:
    """Cells by their number in the source; None is the injected one."""

    def __init__(
        self,
        folder: AttemptFolder,
        order: StartAttempt,
        document: Document,
        mask: Mask,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.document = document
        self.mask = mask
        self.running: int | None = None
        self.is_running = False
        self._folder, self._order, self._clock = folder, order, clock
        self._events = EventLog(folder.events)
        self._captures: dict[int | None, CellCapture] = {}
        self._counts: dict[int | None, int | None] = {}
        self._told: dict[int | None, int] = {}
        self._tell_at: dict[int | None, float] = {}
        self._cell_began = 0.0
        self._save_at = 0.0
        self._is_dirty = False

    def begin(self) -> None:
        about = {"attempt": self._order.attempt, "task": self._order.key.address, "run": self._order.run}
        self.document.begin(datetime.now(UTC), self._order.notebook.path, about)
        started: Json = {"event": "started", "cells": self.document.count, "kernel": self._order.kernel}
        if self.document.injected is not None:
            started["injected"] = self.document.injected
        self._events.write([started])
        self.save()

    def start_cell(self, number: int | None) -> CellCapture:
        """The capture for what the cell will show."""
        self.running, self.is_running, self._cell_began = number, True, self._clock()
        self.document.mark(number, CellState.RUNNING, start_time=datetime.now(UTC).isoformat())
        self._events.write([{"event": "cell_start", "cell": number}])
        self._is_dirty = True
        self._told[number], self._tell_at[number] = 0, 0.0
        self._captures[number] = CellCapture(number, self.mask, Spill(self._folder.outputs, number))
        return self._captures[number]

    def count(self, number: int | None, execution_count: int | None) -> None:
        """The number that the kernel gave to the execution."""
        self._counts[number] = execution_count

    def end_cell(self, state: CellState, cause: Cause | None = None) -> None:
        """The running cell has ended."""
        self._events.write(self._close_cell(state, cause))

    def leave_out(self, number: int | None, state: CellState) -> None:
        """A cell that there was no need to execute."""
        self.document.mark(number, state)
        self._is_dirty = True

    def update_display(self, display_id: str, data: Json, metadata: Json) -> None:
        for capture in self._captures.values():
            capture.update(display_id, data, metadata)

    def message(self, number: int | None, message: Message) -> None:
        match message:
            case Output(name, value):
                about: Json = {"type": "output", "name": name, "value": value}
            case Skip(reason):
                about = {"type": "skip", "reason": reason}
            case _:
                return
        self._events.write([{"event": "message", "cell": number, **about}])

    def tick(self) -> None:
        """Write what is due. To be called often."""
        now = self._clock()
        for number, capture in self._captures.items():
            if capture.has_news and now >= self._tell_at[number]:
                self._tell(number, capture, now)
        if now >= self._save_at and self._has_changed:
            self.save()

    def save(self) -> None:
        began = self._clock()
        for number, capture in self._captures.items():
            if capture.is_changed:
                self.document.show(number, capture.outputs.to_nbformat(), self._counts.get(number))
                capture.is_changed = False
        self._is_dirty = False
        write_whole(self._folder.notebook, self.document.dump(), lasting=False)
        now = self._clock()
        self._save_at = now + max(SAVE_EVERY, 10 * (now - began))

    def end(self, ending: Ending, at: datetime) -> None:
        """Make the notebook and its events final. The notebook comes first: who hears of the end may read it."""
        about: dict[str, Any] = {
            "state": str(ending.state),
            "cause": ending.cause and str(ending.cause),
            "reason": ending.reason,
            "failing_cell": ending.failing_cell,
        }
        last = self._close_cell(CellState.FAILED, ending.cause) if self.is_running else []
        self.document.end(at, ending.banner(at), about)
        self.save()
        keep_content(self._folder.notebook)  # and its name, with that of the outcome
        late = [event for capture in self._captures.values() for event in capture.news()]
        self._events.write([*last, *late, {"event": "ended", **about}])
        self._events.close()

    @property
    def _has_changed(self) -> bool:
        return self._is_dirty or any(capture.is_changed for capture in self._captures.values())

    def _tell(self, number: int | None, capture: CellCapture, now: float) -> None:
        size = self._events.write(capture.news())
        self._told[number] += size
        self._tell_at[number] = now + (size / SLOWLY if self._told[number] > 2 * LARGEST else 0)

    def _close_cell(self, state: CellState, cause: Cause | None) -> list[Json]:
        """Mark the running cell; the events that say so."""
        number, self.is_running = self.running, False
        capture = self._captures[number]
        capture.finish()
        seconds = round(self._clock() - self._cell_began, 6)
        count = self._counts.get(number)
        self.document.mark(number, state, cause, seconds=seconds, end_time=datetime.now(UTC).isoformat())
        self._is_dirty = capture.is_changed = True
        about = {"state": str(state), "cause": cause and str(cause), "seconds": seconds, "execution_count": count}
        return [*capture.news(), {"event": "cell_end", "cell": number, **about}]
