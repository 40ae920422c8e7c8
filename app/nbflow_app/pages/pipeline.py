"""`/pipelines/P`: its tasks as a graph, its runs, and its manifest with every problem."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from nbflow import graph
from nbflow.api import PipelineView, RunView, next_ticks
from nbflow.errors import Problem
from nbflow.model import Pipeline, TaskKey, TaskName
from nbflow.run import Run
from nbflow.schedule.words import schedule_text
from nbflow.states import TaskState
from nbflow.text import with_offset
from nbflow.timetable import undecided
from nbflow_app.format import percent, short_time
from nbflow_app.layout import drawn_height
from nbflow_app.pages.bars import MOST, bars, success_rate
from nbflow_app.pages.pipelines import schedule_zone
from nbflow_app.pages.runrows import run_rows
from nbflow_app.pages.taskrows import elapsed
from nbflow_app.visit import Page, Visit

TABS = ("graph", "runs", "manifest")
STEP = 50
COMING = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    name: str
    notebook: str
    ups: tuple[str, ...]
    state: TaskState | None = None
    set_by: str | None = None
    took: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the manifest with what is wrong there."""

    number: int
    text: str
    problems: tuple[Problem, ...]


def show(visit: Visit) -> Page:
    """Raises NotFound for a pipeline that has neither a manifest nor runs."""
    name = visit.part("pipeline")
    view = visit.api.pipeline(name, runs=MOST)
    definition, pipeline = view.definition, view.definition.pipeline
    tab = visit.field("tab") if visit.field("tab") in TABS else ("graph" if pipeline else "manifest")
    about: dict[str, Any] = {"graph": _graph, "runs": _runs, "manifest": _manifest}[tab](visit, view)
    return Page(
        template="pipeline.html",
        title=name,
        section="pipelines",
        crumbs=[("Pipelines", "/pipelines")],
        watch=f"pipeline:{name}",
        has_canvas=tab == "graph" and bool(pipeline),
        data={
            "name": name,
            "pipeline": pipeline,
            "tab": tab,
            "tabs": TABS,
            "schedule": schedule_text(pipeline.schedule) if pipeline else "",
            "coming": _coming(visit, view, pipeline),
            "bars": bars(view.last_runs),
            "rate": percent(success_rate(view.last_runs)),
            "errors": [problem for problem in definition.problems if problem.severity == "error"],
            "may_act": visit.may_act,
            "may_edit": visit.may_edit and bool(definition.text),
            "standing": view.standing,
            **about,
        },
    )


def _coming(visit: Visit, view: PipelineView, pipeline: Pipeline | None) -> list[tuple[Markup, str]]:
    """The next ticks: as the viewer's clock and as the schedule's shows them."""
    if pipeline is None or pipeline.schedule is None or (view.standing and view.standing.paused_at):
        return []
    ticks = next_ticks(view.definition, undecided(view.standing, visit.now), COMING)
    return [(visit.time(tick.instant, schedule_zone(pipeline)), with_offset(tick.local)) for tick in ticks]


def _graph(visit: Visit, view: PipelineView) -> dict[str, Any]:
    pipeline = view.definition.pipeline
    chosen = visit.field("run") or (view.last_runs[0].id if view.last_runs else "")
    seen = visit.api.status(chosen) if chosen else None
    shown = seen.stored.pipeline if seen else pipeline
    return {
        "run": seen.run if seen else None,
        "choices": [(run.id, f"{run.run_date} · {run.state} · {_began(visit, run)}") for run in view.last_runs],
        "tasks": list(_tasks(visit, shown, seen)) if shown else [],
        "graph_height": drawn_height(shown) if shown else 0,
    }


def _began(visit: Visit, run: Run) -> str:
    """What tells it from others for the same date."""
    return short_time(run.started_at or run.created_at, visit.zone, visit.now)


def _tasks(visit: Visit, pipeline: Pipeline, seen: RunView | None) -> Iterable[TaskRow]:
    for name in graph.order(pipeline.tasks):
        task, key = pipeline.tasks[name], TaskKey(TaskName(name))
        task_run = seen.tasks.get(key) if seen else None
        yield TaskRow(
            name=name,
            notebook=task.notebook,
            ups=task.depends_on,
            state=task_run.state if task_run else None,
            set_by=task_run.set_by if task_run else None,
            took=elapsed(task_run, seen.attempts.get(key, ()), visit.now) if seen and task_run else "",
        )


def _runs(visit: Visit, view: PipelineView) -> dict[str, Any]:
    before = visit.field("before") or None
    runs = visit.api.runs(view.definition.name, None, STEP + 1, before=before)
    return {
        "rows": run_rows(visit, runs[:STEP]),
        "next": runs[STEP - 1].id if len(runs) > STEP else "",
        "is_later": bool(before),
    }


def _manifest(visit: Visit, view: PipelineView) -> dict[str, Any]:
    del visit
    definition = view.definition
    at: dict[int, list[Problem]] = {}
    for problem in definition.problems:
        at.setdefault(problem.line, []).append(problem)
    lines = [
        Line(number, text, tuple(at.get(number, ())))
        for number, text in enumerate(definition.text.splitlines(), start=1)
    ]
    return {"file": definition.file, "lines": lines, "problems": definition.problems}
