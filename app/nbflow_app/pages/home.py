"""`/`: what is red now, what is late, what runs and until when, and whether nbflow itself is well."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from nbflow.api import RunView
from nbflow.states import RunState, TaskState
from nbflow.text import counted
from nbflow_app.pages.pipelines import rows_of
from nbflow_app.pages.runrows import origin
from nbflow_app.pages.taskrows import log_address, since
from nbflow_app.visit import Page, Visit

MOST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A task that keeps a pipeline red; `log` is the address of its failing cell."""

    pipeline: str
    run: str
    task: str
    log: str
    said: str
    ended: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """A run that has not ended."""

    pipeline: str
    run: str
    state: RunState
    origin: str
    done: str
    since: str
    ready: str
    is_late: bool


def show(visit: Visit) -> Page:
    rows = rows_of(visit)
    red = [visit.api.status(row.run) for row in rows if row.state is RunState.FAILED]
    unfinished = [run for state in (RunState.RUNNING, RunState.QUEUED) for run in visit.api.runs(None, state, MOST)]
    return Page(
        template="home.html",
        title="Now",
        section="home",
        watch="runs",
        data={
            "rows": rows,
            "may_act": visit.may_act,
            "scheduler": visit.api.scheduler(),
            "failures": [failure for view in red for failure in _failures(visit, view)],
            "going": [_going(visit, visit.api.status(run.id)) for run in unfinished],
            "broken": [row for row in rows if row.problems],
        },
    )


def _failures(visit: Visit, view: RunView) -> list[Failure]:
    return [
        Failure(
            pipeline=view.run.pipeline,
            run=view.run.id,
            task=key.address,
            log=log_address(view.attempts.get(key, ())) or f"/tasks/{key.address}",
            said=task.reason,
            ended=visit.time(task.ended_at),
        )
        for key, task in view.tasks.items()
        if task.state is TaskState.FAILED and not view.stored.pipeline.tasks[key.task].allow_failure
    ]


def _going(visit: Visit, view: RunView) -> Going:
    run, estimate = view.run, visit.api.finish(view.stored)
    done = sum(task.state.is_terminal for task in view.tasks.values())
    return Going(
        pipeline=run.pipeline,
        run=run.id,
        state=run.state,
        origin=origin(run),
        done=f"{done} of {counted(len(view.tasks), 'task')}",
        since=since(run.started_at, visit.now) if run.started_at else "",
        ready=visit.time(estimate.ready) if estimate else "",
        is_late=bool(estimate and estimate.usual and estimate.ready > estimate.usual and visit.now > estimate.usual),
    )
