"""What follows a run on its way, and the plain way to do it: a line for each transition. Only shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Protocol

from nbflow.cli.words import because_text, values_text
from nbflow.model import Pipeline, TaskKey
from nbflow.ports import Progress
from nbflow.run import Attempt, Run, TaskRun
from nbflow.states import TaskState
from nbflow.text import clock_time, took


class Snapshot(Protocol):
    """A run at one moment: a LiveRun, or a run that was read from the store."""

    @property
    def run(self) -> Run: ...

    @property
    def pipeline(self) -> Pipeline: ...

    @property
    def tasks(self) -> Mapping[TaskKey, TaskRun]: ...


Cells = Callable[[Run, Attempt], Progress | None]
"""How far a running attempt has come: `api.progress`."""


class Watcher(AbstractContextManager["Watcher"], Protocol):
    """Sees a run again and again until it has ended."""

    notice: str
    """Something to tell beside the run, such as that it is being cancelled."""

    def __call__(self, snapshot: Snapshot) -> None: ...


class Lines:
    """One line for each transition that somebody would look for in a log."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._seen: dict[TaskKey, TaskRun] | None = None
        self.notice = ""
        self._noticed = ""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __call__(self, snapshot: Snapshot) -> None:
        if self.notice != self._noticed:
            if self.notice:
                self._say(self.notice)
            self._noticed = self.notice
        if self._seen is None:
            if snapshot.run.state.is_terminal:
                return
            # Of a run that is repaired, what ended before is known already.
            self._seen = {key: each for key, each in snapshot.tasks.items() if each.state.is_terminal}
            self._say(f"run {snapshot.run.id} of {snapshot.run.pipeline} for {snapshot.run.run_date}")
        for key, task_run in snapshot.tasks.items():
            if task_run is not self._seen.get(key):
                self._tell(self._seen.get(key), task_run)
                self._seen[key] = task_run

    def _tell(self, before: TaskRun | None, after: TaskRun) -> None:
        if before and (before.state, before.attempts) == (after.state, after.attempts):
            return
        if after.state not in {TaskState.WAITING, TaskState.QUEUED}:
            self._say(f"{clock_time(datetime.now(UTC))} {after.key.address}: {transition_text(after)}")


def transition_text(task_run: TaskRun) -> str:
    """`running, attempt 2` · `success in 4.2 s: rows=12` · `failed: ValueError: bad country`."""
    state = task_run.state
    said = values_text(task_run.outputs) if state is TaskState.SUCCESS else because_text(task_run.reason)
    because = f": {said}" if said else ""
    match state:
        case TaskState.RUNNING:
            return f"running, attempt {task_run.attempts}" if task_run.attempts > 1 else "running"
        case TaskState.RETRY_WAIT:
            due = f"next try at {clock_time(task_run.not_before)}, " if task_run.not_before else ""
            return f"{due}attempt {task_run.attempts} failed{because}"
        case TaskState.SUCCESS | TaskState.FAILED:
            by_hand = f", set by {task_run.set_by}" if task_run.set_by else ""
            duration = took(task_run.started_at, task_run.ended_at)
            return f"{state}{by_hand or (f' in {duration}' if duration else '')}{because}"
        case _:
            return f"{state}{because}"
