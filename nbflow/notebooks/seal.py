"""Make the log of an attempt true after its runner died: from the source, and the events up to the last whole line.

Works on what is there, in whatever state; needs no kernel and no papermill.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nbflow.errors import InvalidInput
from nbflow.files import write_whole
from nbflow.notebooks import endings
from nbflow.notebooks.document import CellState, Document, read_source
from nbflow.notebooks.endings import Ending
from nbflow.notebooks.events import Event, EventLog
from nbflow.notebooks.folder import AttemptFolder
from nbflow.notebooks.outputs import Replay
from nbflow.run import AttemptEnded, StartAttempt
from nbflow.states import Cause

REASON = "the process that ran the notebook is gone"


def seal_lost(folder: AttemptFolder, reason: str = REASON) -> AttemptEnded:
    """Write the outcome `lost` and the log that belongs to it; an outcome that is there already is left and returned.

    Where an operator had ordered the attempt to stop it is `cancelled`: what was ordered has happened.

    To be called when no process of the attempt lives. Raises FileNotFoundError for a folder without an order, OSError
    where nothing can be written.
    """
    order = folder.order()
    if order is None:
        raise FileNotFoundError(f"{folder.path} has no order")
    if (known := folder.outcome()) is not None:
        return known
    for unfinished in folder.path.glob(".*.tmp"):
        unfinished.unlink(missing_ok=True)
    at = datetime.now(UTC)
    events = EventLog(folder.events)
    record = _Record(events.known)
    ending = _ending(folder, record.running, reason)
    document = _rebuild(folder, order, record, ending, at)
    write_whole(folder.notebook, document.dump())
    events.write(record.last_words(document, ending))
    events.close()
    outcome = _outcome(order, ending, record, at)
    folder.end(outcome)
    return outcome


def _ending(folder: AttemptFolder, running: int | None, reason: str) -> Ending:
    try:
        stop = folder.stop_order()
    except (OSError, ValueError):
        stop = None
    return endings.lost(running, reason) if stop is None else endings.cancelled(running, stop.by)


class _Record:
    """What the events tell."""

    def __init__(self, events: tuple[Event, ...]) -> None:
        self.started: Event = next((event for event in events if event["event"] == "started"), {})
        self.starts: dict[int | None, Event] = {}
        self.ends: dict[int | None, Event] = {}
        self.reported: dict[str, Any] = {}
        self.replay = Replay()
        for event in events:
            self._take(event)

    @property
    def unfinished(self) -> list[int | None]:
        """The cell that was running, if one was."""
        return [number for number in self.starts if number not in self.ends]

    @property
    def running(self) -> int | None:
        return next(iter(self.unfinished), None)

    def last_words(self, document: Document, ending: Ending) -> list[Event]:
        """The events that the runner did not come to write."""
        state, cause = str(CellState.FAILED), str(ending.cause)
        about = {"state": str(ending.state), "cause": cause, "reason": ending.reason}
        return [
            *([] if self.started else [{"event": "started", "cells": document.count}]),
            *({"event": "cell_end", "cell": number, "state": state, "cause": cause} for number in self.unfinished),
            {"event": "ended", **about, "failing_cell": ending.failing_cell},
        ]

    def _take(self, event: Event) -> None:
        match event:
            case {"event": "cell_start", "cell": number}:
                self.starts[number] = event
            case {"event": "cell_end", "cell": number, "seconds": _}:
                self.ends[number] = event
            case {"event": "cell_end"}:
                pass  # of an earlier seal, which knew no seconds and did not come to its end
            case {"event": "message", "type": "output", "name": name, "value": value}:
                self.reported[name] = value
            case _:
                self.replay.apply(event)


def _rebuild(folder: AttemptFolder, order: StartAttempt, record: _Record, ending: Ending, at: datetime) -> Document:
    document = _source(folder, record.started.get("injected"))
    began = datetime.fromisoformat(record.started["time"]) if record.started else at
    document.begin(began, order.notebook.path, {"attempt": order.attempt, "task": order.key.address, "run": order.run})
    for number in record.starts.keys() & document.cells.keys():
        _rebuild_cell(document, number, record, ending)
    about = {"state": str(ending.state), "cause": str(ending.cause), "reason": ending.reason}
    document.end(at, ending.banner(at), {**about, "failing_cell": ending.failing_cell})
    return document


def _source(folder: AttemptFolder, injected: Mapping[str, Any] | None) -> Document:
    try:
        document = Document(read_source(folder.source))
    except InvalidInput:
        return Document.empty()
    return document.inject(injected) if injected else document


def _rebuild_cell(document: Document, number: int | None, record: _Record, ending: Ending) -> None:
    started, ended = record.starts[number], record.ends.get(number)
    outputs = record.replay.cells[number].to_nbformat()
    if ended is None:
        assert ending.cause is not None
        outputs.append(
            {
                "output_type": "error",
                "ename": ending.cause.capitalize(),
                "evalue": ending.reason,
                "traceback": [f"[nbflow] {ending.reason}"],
            }
        )
        document.mark(number, CellState.FAILED, ending.cause, start_time=started["time"])
    else:
        cause = Cause(ended["cause"]) if ended["cause"] else None
        times = {"seconds": ended["seconds"], "start_time": started["time"], "end_time": ended["time"]}
        document.mark(number, CellState(ended["state"]), cause, **times)
    document.show(number, outputs, ended.get("execution_count") if ended else None)


def _outcome(order: StartAttempt, ending: Ending, record: _Record, at: datetime) -> AttemptEnded:
    return AttemptEnded(
        attempt=order.attempt,
        token=order.token,
        at=at,
        state=ending.state,
        cause=ending.cause,
        reason=ending.reason,
        failing_cell=ending.failing_cell,
        outputs=record.reported,
    )
