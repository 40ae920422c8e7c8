"""`/pipelines/P/runs/R`: one run, live: its tasks with what each waits for, its parameters, and what can be done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nbflow.api import RunView, Whys
from nbflow.errors import NotFound
from nbflow.estimates import Estimate
from nbflow.model import TaskKey
from nbflow.states import TaskState
from nbflow_app.frame import Frame
from nbflow_app.layout import drawn_height
from nbflow_app.pages.pipelines import schedule_zone
from nbflow_app.pages.runrows import origin, run_took
from nbflow_app.pages.taskrows import TaskRow, done_text, task_rows
from nbflow_app.visit import Page, Visit

PARTS = "run_parts.html"
ENDED_BADLY = {TaskState.FAILED: "failed", TaskState.CANCELLED: "was cancelled"}


@dataclass(frozen=True, slots=True, eq=False)
class RunNow:
    """A run as it stands, for its drawings; `rows` are the tasks that changed. One object for all who are told."""

    now: datetime
    view: RunView
    rows: list[TaskRow]
    estimate: Estimate | None


def show(visit: Visit) -> Page:
    view = run_of(visit)
    run, pipeline = view.run, view.stored.pipeline
    whys = visit.api.whys(view.stored, zone=visit.zone)
    rows = task_rows(visit, view, whys)
    return Page(
        template="run.html",
        title=f"{run.pipeline}, run {run.id}",
        section="runs",
        crumbs=[("Pipelines", "/pipelines"), (run.pipeline, f"/pipelines/{run.pipeline}")],
        watch=f"run:{run.id}",
        has_canvas=True,
        data={
            "run": run,
            "head": head(visit, view, whys, visit.api.finish(view.stored)),
            "rows": rows,
            "failed": [row for row in rows if row.state is TaskState.FAILED],
            "params": run.params,
            "logical": visit.time(run.logical_date, schedule_zone(pipeline)),
            "interval": [visit.time(each, schedule_zone(pipeline)) for each in run.interval],
            "created": visit.time(run.created_at),
            "may_act": visit.may_act,
            "graph_height": drawn_height(pipeline),
        },
    )


def head(visit: Visit, view: RunView, whys: Whys, ready: Estimate | None) -> dict[str, Any]:
    """What changes while it runs."""
    run = view.run
    return {
        "state": run.state,
        "origin": origin(run),
        "started": visit.time(run.started_at),
        "took": run_took(run, visit.now),
        "done": done_text([task.state for task in view.tasks.values()]),
        "ready": visit.time(ready.ready) if ready and not whys.held_up else "",
        "held_up": whys.held_up,
        "is_over": run.state.is_terminal,
        "again": what_again(view),
    }


def what_again(view: RunView) -> str:
    """`what failed or was cancelled`: what is run again where no task is named; empty where nothing would be."""
    states = {task.state for task in view.tasks.values()}
    said = " or ".join(words for state, words in ENDED_BADLY.items() if state in states)
    return f"what {said}" if said else ""


def run_of(visit: Visit) -> RunView:
    """The run of the address. Raises NotFound, also where it is of another pipeline."""
    view = visit.api.status(visit.part("run"))
    if view.run.pipeline != visit.part("pipeline"):
        raise NotFound(
            f"pipeline '{visit.part('pipeline')}' has no run '{view.run.id}'",
            hint=f"It is a run of '{view.run.pipeline}'.",
        )
    return view


def address(view: RunView) -> str:
    return f"/pipelines/{view.run.pipeline}/runs/{view.run.id}"


def crumbs(view: RunView) -> list[tuple[str, str]]:
    """What lies above the pages of a run's parts."""
    return [(view.run.pipeline, f"/pipelines/{view.run.pipeline}"), (f"Run {view.run.id}", address(view))]


def patches(
    visit: Visit, frame: Frame, view: RunView, keys: Iterable[TaskKey], estimate: Estimate | None
) -> tuple[Mapping[str, str], RunNow]:
    """What changed on the page of a run, as HTML by element id; and how the run stands."""
    touched = _touched(view, keys)
    whys = visit.api.whys(view.stored, touched, visit.zone)
    rows = task_rows(visit, view, whys, touched)
    changed = {f"task-{row.address}": frame.part(PARTS, "task_row", view.run, row) for row in rows}
    return {"head": frame.part(PARTS, "run_head", head(visit, view, whys, estimate)), **changed}, RunNow(
        visit.now, view, rows, estimate
    )


def _touched(view: RunView, keys: Iterable[TaskKey]) -> set[TaskKey]:
    """Those that changed, what waits for them, and what runs."""
    changed = {key for key in keys if key in view.tasks}
    names = {key.task for key in changed}
    tasks = view.stored.pipeline.tasks
    below = {key for key in view.tasks if names.intersection(tasks[key.task].depends_on)}
    return changed | below | {key for key, task in view.tasks.items() if task.state is TaskState.RUNNING}
