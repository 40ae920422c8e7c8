"""`/pipelines/P/runs/R/tasks/T/N`: the executed notebook of an attempt, with the failing cell in view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from markupsafe import Markup

from nbflow import repair
from nbflow.api import LogView, RunView
from nbflow.errors import NotFound
from nbflow.live import LiveRun
from nbflow.model import TaskKey, TaskName
from nbflow.run import Attempt
from nbflow.states import AttemptState, TaskState
from nbflow.text import size_text, took
from nbflow_app.pages.run import address, crumbs, run_of
from nbflow_app.pages.task import AttemptRow, attempt_rows, task_of
from nbflow_app.pages.taskrows import since
from nbflow_app.visit import Page, Visit

RECENT = 10
"""Runs before this one whose outcome of the same task is shown."""


class Cell(Protocol):
    """A cell as HTML: an element whose id is `key`."""

    @property
    def key(self) -> str: ...

    @property
    def html(self) -> str: ...


class Renderer(Protocol):
    """Executed notebooks as HTML that is safe in a page of ours."""

    def fragments(self, log: LogView, address: str) -> Sequence[Any]: ...

    def folded(self, fragments: Sequence[Any], failing: int | None) -> str: ...

    def banner(self, attempt: Attempt) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The same task in another run."""

    run: str
    run_date: str
    state: TaskState
    took: str


class AttemptPage:
    """Shows attempts with a renderer."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    def show(self, visit: Visit) -> Page:
        """Raises NotFound for an attempt that never was; one that has not begun is a page that says so."""
        view = run_of(visit)
        task_run = task_of(view.tasks, visit.part("task"))
        attempt = attempt_of(view, task_run.key, int(visit.part("number")))
        here = attempt_address(view, attempt)
        log = self._log(visit, attempt)
        fragments = self._renderer.fragments(log, here) if log else ()
        rows: list[AttemptRow] = attempt_rows(visit, view.attempts[task_run.key])
        return Page(
            template="attempt.html",
            title=f"{task_run.key.address}, attempt {attempt.number}",
            section="runs",
            crumbs=crumbs(view),
            watch=f"attempt:{attempt.id}",
            data={
                "run": view.run,
                "here": here,
                "task_run": task_run,
                "attempt": attempt,
                "attempts": rows,
                "started": visit.time(attempt.started_at),
                "took": _elapsed(visit, attempt),
                "memory": size_text(attempt.peak_memory) if attempt.peak_memory else "",
                "banner": Markup(self._renderer.banner(attempt)),
                "notebook": Markup(self._renderer.folded(fragments, attempt.failing_cell)),
                "has_log": log is not None,
                "arrive": f"c{attempt.failing_cell}" if attempt.failing_cell else "",
                "params": task_run.params or {},
                "outputs": task_run.outputs,
                "blocked": _blocked(view, task_run.key),
                "earlier": _earlier(visit, view, task_run.key),
                "may_act": visit.may_act,
                "can_cancel": not task_run.state.is_terminal,
                "can_retry": task_run.state is TaskState.RETRY_WAIT,
            },
        )

    def parts(self, visit: Visit, run: str, task: str, number: int) -> Mapping[str, str] | None:
        """Every cell as it stands, by element id; None while there is no notebook."""
        view = visit.api.status(run)
        attempt = attempt_of(view, TaskKey.parse(task), number)
        log = self._log(visit, attempt)
        if log is None:
            return None
        fragments: Sequence[Cell] = self._renderer.fragments(log, attempt_address(view, attempt))
        return {each.key: each.html for each in fragments}

    def _log(self, visit: Visit, attempt: Attempt) -> LogView | None:
        try:
            return visit.api.log(attempt.run, attempt.key.address, attempt.number)
        except NotFound:
            return None


def attempt_of(view: RunView, key: TaskKey, number: int) -> Attempt:
    """Raises NotFound."""
    for attempt in view.attempts.get(key, ()):
        if attempt.number == number:
            return attempt
    raise NotFound(f"task '{key.address}' of run {view.run.id} has no attempt {number}")


def attempt_address(view: RunView, attempt: Attempt) -> str:
    return f"{address(view)}/tasks/{attempt.key.address}/{attempt.number}"


def _elapsed(visit: Visit, attempt: Attempt) -> Markup:
    if attempt.state is AttemptState.RUNNING and attempt.started_at:
        return since(attempt.started_at, visit.now)
    return Markup(took(attempt.started_at, attempt.ended_at))


def _blocked(view: RunView, key: TaskKey) -> list[str]:
    """What cannot run because of it, near or far."""
    if not view.tasks[key].state.is_terminal or view.tasks[key].state is TaskState.SUCCESS:
        return []
    below = repair.below(LiveRun(view.run, view.stored.pipeline, view.tasks), [key])
    return [each.address for each in below if view.tasks[each].state is TaskState.UPSTREAM_FAILED]


def _earlier(visit: Visit, view: RunView, key: TaskKey) -> list[Earlier]:
    """How the same task ended in the runs before, newest first."""
    runs = visit.api.runs(view.run.pipeline, None, RECENT, before=view.run.id)
    found = []
    for run in runs:
        tasks = visit.api.status(run.id).tasks
        task = tasks.get(TaskKey(TaskName(key.task), key.item))
        if task is not None:
            found.append(
                Earlier(
                    run=run.id,
                    run_date=run.run_date.isoformat(),
                    state=task.state,
                    took=took(task.started_at, task.ended_at),
                )
            )
    return found
