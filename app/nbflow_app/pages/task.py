"""`/pipelines/P/runs/R/tasks/T`: one task of a run in short: where it stands, its attempts, what can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from nbflow.errors import NotFound
from nbflow.live import LiveRun
from nbflow.model import TaskKey
from nbflow.run import Attempt, TaskRun
from nbflow.states import AttemptState, TaskState
from nbflow.text import size_text, took
from nbflow_app.pages.run import crumbs, run_of
from nbflow_app.pages.taskrows import started
from nbflow_app.visit import Page, Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    number: int
    state: AttemptState
    started: Markup
    took: str
    said: str
    memory: str


def show(visit: Visit) -> Page:
    view = run_of(visit)
    task_run = task_of(view.tasks, visit.part("task"))
    key = task_run.key
    task = view.stored.pipeline.tasks[key.task]
    blocked = [each.address for each in LiveRun(view.run, view.stored.pipeline, view.tasks).downs[key]]
    return Page(
        template="task.html",
        title=key.address,
        section="runs",
        crumbs=crumbs(view),
        data={
            "run": view.run,
            "task_run": task_run,
            "task": task,
            "why": visit.api.why(view.run.id, key.address, visit.zone),
            "attempts": attempt_rows(visit, view.attempts.get(key, ())),
            "params": task_run.params or {},
            "outputs": task_run.outputs,
            "after": task.depends_on,
            "before": blocked,
            "may_act": visit.may_act,
            "can_cancel": not task_run.state.is_terminal,
            "can_retry": task_run.state is TaskState.RETRY_WAIT,
        },
    )


def task_of(tasks: Mapping[TaskKey, TaskRun], address: str) -> TaskRun:
    """Raises NotFound."""
    found = tasks.get(TaskKey.parse(address))
    if found is None:
        raise NotFound(f"the run has no task '{address}'")
    return found


def attempt_rows(visit: Visit, attempts: Sequence[Attempt]) -> list[AttemptRow]:
    """Newest first."""
    return [
        AttemptRow(
            number=each.number,
            state=each.state,
            started=started(visit, each),
            took=took(each.started_at, each.ended_at, visit.now),
            said=each.reason,
            memory=size_text(each.peak_memory) if each.peak_memory else "",
        )
        for each in reversed(attempts)
    ]
