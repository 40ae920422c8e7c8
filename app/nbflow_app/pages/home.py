"""`/`: what is red now, what is late, what runs and until when, and whether nbflow itself is well."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from nbflow import timetable
from nbflow.api import PipelineView, RunView
from nbflow.errors import NbflowError
from nbflow.estimates import Estimate
from nbflow.lateness import overdue_since
from nbflow.run import Run
from nbflow.states import RunState, TaskState
from nbflow.text import counted
from nbflow_app.pages.bars import MOST as BARS
from nbflow_app.pages.pipelines import rows_of, schedule_zone
from nbflow_app.pages.runrows import origin, run_took
from nbflow_app.pages.taskrows import done_text, log_address
from nbflow_app.visit import Page, Visit

_log = logging.getLogger("nbflow.app")

UNFINISHED = (RunState.RUNNING, RunState.QUEUED)
MOST = 50
"""Runs of each of these states that are shown; the others are counted."""
SLACK = timedelta(minutes=10)
"""How much longer than usual a run may take before it is called late: half of all runs take longer than usual."""

WELL = {"scheduler": "alive", "database": "answers", "outputs": "can be written", "disk": "has room"}
"""What is said of the parts that `nbflow.readiness` looks at, while nothing is wrong."""


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
class Late:
    """A run that should have begun or ended by now; `run` is empty where there is none."""

    pipeline: str
    run: str
    state: RunState | None
    said: str
    due: Markup


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of nbflow itself; `trouble` is why it is not well, else `said` may tell more."""

    name: str
    trouble: str = ""
    said: str = ""

    @property
    def state(self) -> TaskState:
        """The state whose colour and icon it has."""
        return TaskState.FAILED if self.trouble else TaskState.SUCCESS


def show(visit: Visit) -> Page:
    views = visit.api.pipelines(runs=BARS)
    rows = rows_of(visit, views)
    unfinished = [run for state in UNFINISHED for run in visit.api.runs(None, state, MOST)]
    open_runs, unread = _views(visit, [(run.pipeline, run.id) for run in unfinished])
    red, unread_too = _views(visit, [(row.name, row.run) for row in rows if row.state is RunState.FAILED])
    estimates = [(view, visit.api.finish(view.stored)) for view in open_runs]
    return Page(
        template="home.html",
        title="Now",
        section="home",
        watch="now",
        data={
            "rows": rows,
            "may_act": visit.may_act,
            "may_edit": visit.may_edit,
            "scheduler": visit.api.scheduler(),
            "health": list(_health(visit)),
            "broken": [row for row in rows if row.problems],
            "unread": [*unread, *unread_too],
            "failures": [failure for view in (*red, *open_runs) for failure in _failures(visit, view)],
            "late": [*_unbegun(visit, views), *_overdue(visit, estimates)],
            "going": [_going(visit, view, estimate) for view, estimate in estimates],
            "more": _more(visit, unfinished),
        },
    )


def _views(visit: Visit, runs: Iterable[tuple[str, str]]) -> tuple[list[RunView], list[tuple[str, str]]]:
    """Runs with their tasks, by pipeline and id; and those that cannot be read, which keep nobody from the others."""
    views, unread = list[RunView](), list[tuple[str, str]]()
    for pipeline, run in runs:
        try:
            views.append(visit.api.status(run))
        except NbflowError:
            raise
        except Exception:  # as a row that another version has written
            _log.exception("run %s of %s cannot be read", run, pipeline)
            unread.append((pipeline, run))
    return views, unread


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


# --- late -----------------------------------------------------------------------------------------------------------


def _unbegun(visit: Visit, views: Iterable[PipelineView]) -> Iterator[Late]:
    """Ticks that nobody has made a run of."""
    for view in views:
        pipeline, standing = view.definition.pipeline, view.standing
        due = timetable.unbegun(pipeline, standing, visit.now) if pipeline and standing else None
        if pipeline is not None and due is not None:
            shown = visit.time(due, schedule_zone(pipeline))
            yield Late(pipeline=pipeline.name, run="", state=None, said="has not begun; it was due at", due=shown)


def _overdue(visit: Visit, estimates: Iterable[tuple[RunView, Estimate | None]]) -> Iterator[Late]:
    """Runs past the hour that their manifest names, and those that are usually done by now."""
    for view, estimate in estimates:
        promised = overdue_since(view.stored.pipeline, view.run, visit.now)
        usual = estimate.usual if estimate and _is_slow(estimate, visit.now) else None
        due = promised or usual
        if due is not None:
            said = "should have ended by" if promised else "would usually have ended at"
            shown = visit.time(due, schedule_zone(view.stored.pipeline))
            yield Late(pipeline=view.run.pipeline, run=view.run.id, state=view.run.state, said=said, due=shown)


def _is_slow(estimate: Estimate, now: datetime) -> bool:
    return bool(estimate.usual and estimate.ready > estimate.usual and now > estimate.usual + SLACK)


# --- what runs ------------------------------------------------------------------------------------------------------


def _going(visit: Visit, view: RunView, estimate: Estimate | None) -> Going:
    run = view.run
    return Going(
        pipeline=run.pipeline,
        run=run.id,
        state=run.state,
        origin=origin(run),
        done=done_text([task.state for task in view.tasks.values()]),
        since=run_took(run, visit.now),
        ready=visit.time(estimate.ready) if estimate else "",
    )


def _more(visit: Visit, shown: Iterable[Run]) -> list[tuple[int, RunState]]:
    """How many runs that have not ended are not shown, by their state."""
    counts = Counter(visit.api.run_counts()) - Counter(run.state for run in shown)
    return [(counts[state], state) for state in UNFINISHED if counts[state]]


# --- nbflow itself --------------------------------------------------------------------------------------------------


def _health(visit: Visit) -> Iterator[Part]:
    troubles: Mapping[str, str] = visit.health()
    figures = visit.api.figures()
    busy, queued = figures.tasks[TaskState.RUNNING], figures.tasks[TaskState.QUEUED]
    working = f"{busy} of {counted(figures.slots, 'slot')} busy" + (f", {queued} queued" if queued else "")
    parts = [Part(name=name, trouble=troubles.get(name, ""), said=said) for name, said in WELL.items()]
    yield from (parts[0], Part(name="executor", said=working), *parts[1:])
