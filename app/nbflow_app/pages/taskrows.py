"""The task runs of a run as rows: state, time, tries, and one sentence that says why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from nbflow.api import RunView, Whys
from nbflow.model import TaskKey, TaskName
from nbflow.run import Attempt, Run, TaskRun
from nbflow.states import TaskState, in_words
from nbflow.text import counted, seconds_text, took
from nbflow_app.visit import Visit

WORST_FIRST = (
    TaskState.FAILED,
    TaskState.RETRY_WAIT,
    TaskState.RUNNING,
    TaskState.QUEUED,
    TaskState.UPSTREAM_FAILED,
    TaskState.CANCELLED,
    TaskState.WAITING,
    TaskState.SKIPPED,
    TaskState.SUCCESS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    address: str
    state: TaskState
    set_by: str | None
    took: Markup
    usual: str
    tries: str
    said: str
    """Why it stands where it stands; empty where the state says it all."""
    progress: str
    log: str
    """The address of its latest notebook below the run, at the failing cell; empty before the first attempt."""


def task_rows(visit: Visit, view: RunView, whys: Whys, keys: Iterable[TaskKey] | None = None) -> list[TaskRow]:
    """All of a run, or those named, in the run's order."""
    wanted = set(view.tasks if keys is None else keys)
    usual = visit.api.usual_seconds(view.run.pipeline)
    return [
        _row(visit, view, task_run, view.attempts.get(key, ()), whys.tasks, usual)
        for key, task_run in view.tasks.items()
        if key in wanted
    ]


def _row(
    visit: Visit,
    view: RunView,
    of: TaskRun,
    attempts: Sequence[Attempt],
    whys: Mapping[TaskKey, str],
    usual: Mapping[TaskName, float],
) -> TaskRow:
    known = usual.get(of.key.task)
    return TaskRow(
        address=of.key.address,
        state=of.state,
        set_by=of.set_by,
        took=elapsed(of, attempts, visit.now),
        usual=seconds_text(known) if known is not None else "",
        tries=str(of.attempts or ""),
        said=whys.get(of.key, "") if not of.state.is_terminal else _because(of),
        progress=_progress(visit, view, of),
        log=log_address(attempts),
    )


def elapsed(of: TaskRun, attempts: Sequence[Attempt], now: datetime) -> Markup:
    """Of what runs, a number that the page counts on; of what has ended, what its last attempt took."""
    if of.state is TaskState.RUNNING and of.live and of.live.started_at:
        return since(of.live.started_at, now)
    last = attempts[-1] if attempts else None
    return Markup(took(last.started_at, last.ended_at) if last else "")


def done_text(states: Collection[TaskState]) -> str:
    """`4 of 6 tasks done (1 failed)`: how many have ended, and which of them not well."""
    counts = Counter(state for state in states if state.is_terminal)
    unwell = ", ".join(f"{counts[state]} {in_words(state)}" for state in WORST_FIRST[:-1] if counts[state])
    return f"{counts.total()} of {counted(len(states), 'task')} done" + (f" ({unwell})" if unwell else "")


def started(visit: Visit, of: Run | Attempt) -> Markup:
    """Of what has not started, when it was created."""
    if of.started_at:
        return visit.time(of.started_at)
    return Markup('<span class="nb-dim">created {}</span>').format(visit.time(of.created_at))


def since(start: datetime, now: datetime) -> Markup:
    return Markup('<span data-since="{}">{}</span>').format(start.isoformat(timespec="seconds"), took(start, None, now))


def log_address(attempts: Sequence[Attempt]) -> str:
    if not attempts:
        return ""
    last = attempts[-1]
    cell = f"#c{last.failing_cell}" if last.failing_cell else ""
    return f"/tasks/{last.key.address}/{last.number}{cell}"


def _because(of: TaskRun) -> str:
    hand = f"set by {of.set_by}" + (f": {of.note}" if of.note else "") if of.set_by else ""
    return " · ".join(filter(None, (hand, of.reason)))


def _progress(visit: Visit, view: RunView, of: TaskRun) -> str:
    """`cell 3 of 7`, of what runs."""
    if of.state is not TaskState.RUNNING or of.live is None:
        return ""
    progress = visit.api.progress(view.run, of.live)
    return f"cell {progress.cell} of {progress.cells}" if progress and progress.cell else ""
