"""`/pipelines/P/runs/R/tasks/T/N`: the executed notebook of an attempt, with the failing cell in view."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from markupsafe import Markup

from nbflow import repair
from nbflow.api import LogView, RunView
from nbflow.errors import NotFound
from nbflow.live import LiveRun
from nbflow.model import PipelineName, TaskKey, TaskName
from nbflow.ports import Happened
from nbflow.run import Attempt
from nbflow.states import AttemptState, TaskState
from nbflow.text import size_text, took
from nbflow_app.pages.run import crumbs, run_of
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


class Watched(Protocol):
    """The cells of an attempt that runs, as far as it was read."""

    @property
    def upto(self) -> int:
        """How far that is."""
        ...

    def read(self) -> Mapping[str, str]:
        """The cells that changed since the last call, as HTML by element id."""
        ...

    def since(self, upto: int) -> Mapping[str, str]:
        """The cells that look different from when it was read up to there."""
        ...

    def fragments(self) -> Sequence[Cell]: ...


class Renderer(Protocol):
    """Executed notebooks as HTML that is safe in a page of ours."""

    def fragments(self, log: LogView, address: str) -> Sequence[Cell]: ...

    def watch(self, log: LogView, address: str, read: Callable[[int], Happened]) -> Watched: ...

    def folded(self, fragments: Sequence[Any], failing: int | None) -> str: ...

    def banner(self, attempt: Attempt) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The same task in another run."""

    run: str
    run_date: str
    state: TaskState
    started: Markup
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
        pipeline, here = view.run.pipeline, attempt_address(view.run.pipeline, attempt)
        watched = self.watch(visit, pipeline, attempt)
        fragments = watched.fragments() if watched else self._saved(visit, pipeline, attempt)
        rows: list[AttemptRow] = attempt_rows(visit, view.attempts[task_run.key])
        return Page(
            template="attempt.html",
            title=f"{task_run.key.address}, attempt {attempt.number}",
            section="runs",
            crumbs=crumbs(view),
            watch=f"attempt:{attempt.id}",
            upto=watched.upto if watched else 0,
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
                "notebook": Markup(self._renderer.folded(fragments or (), attempt.failing_cell)),
                "has_log": fragments is not None,
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

    def watch(self, visit: Visit, pipeline: PipelineName, attempt: Attempt) -> Watched | None:
        """The cells of an attempt that runs, as they are now; None where it has not begun or has ended."""
        log = None if attempt.state.is_terminal else _log(visit, pipeline, attempt)
        if log is None:
            return None
        address = attempt_address(pipeline, attempt)
        watched = self._renderer.watch(log, address, lambda after: visit.api.happened(attempt, pipeline, after))
        watched.read()
        return watched

    def cells(self, visit: Visit, pipeline: PipelineName, attempt: Attempt) -> Mapping[str, str]:
        """Every cell as it was saved, by element id; none where there is no notebook."""
        return {each.key: each.html for each in self._saved(visit, pipeline, attempt) or ()}

    def _saved(self, visit: Visit, pipeline: PipelineName, attempt: Attempt) -> Sequence[Cell] | None:
        log = _log(visit, pipeline, attempt)
        return self._renderer.fragments(log, attempt_address(pipeline, attempt)) if log else None


def _log(visit: Visit, pipeline: PipelineName, attempt: Attempt) -> LogView | None:
    try:
        return visit.api.log_of(attempt, pipeline)
    except NotFound:
        return None


def attempt_of(view: RunView, key: TaskKey, number: int) -> Attempt:
    """Raises NotFound."""
    for attempt in view.attempts.get(key, ()):
        if attempt.number == number:
            return attempt
    raise NotFound(f"task '{key.address}' of run {view.run.id} has no attempt {number}")


def attempt_address(pipeline: PipelineName, attempt: Attempt) -> str:
    return f"/pipelines/{pipeline}/runs/{attempt.run}/tasks/{attempt.key.address}/{attempt.number}"


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
                    started=visit.time(task.started_at),
                    took=took(task.started_at, task.ended_at),
                )
            )
    return found
