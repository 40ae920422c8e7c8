"""Run what is being edited: the draft or the saved manifest, all of it, one task, or from a task on."""

from __future__ import annotations

from collections.abc import Sequence

from nbflow import graph
from nbflow.api import DraftView, usable
from nbflow.errors import InvalidInput
from nbflow.model import Pipeline, TaskName
from nbflow.states import RunState
from nbflow_app.forms.fields import param_fields, texts_of
from nbflow_app.forms.trigger import date_of
from nbflow_app.visit import Page, Redirect, Visit

ALL, ONLY, ON = "all", "only", "on"


def show(visit: Visit) -> Page:
    """`task=T` offers to run that task alone, or from it on; where no run ended well yet, first all of them."""
    name, task = visit.part("pipeline"), visit.field("task")
    view = visit.api.draft(name)
    pipeline, scheduler = view.definition.pipeline, visit.api.scheduler()
    known = pipeline.tasks if pipeline else {}
    return Page(
        template="forms/trying.html",
        title=f"Run {name}",
        section="pipelines",
        crumbs=[(f"Edit {name}", f"/pipelines/{name}/edit")],
        data={
            "name": name,
            "is_changed": view.draft.is_changed,
            "can_run": pipeline is not None,
            "task": task if task in known else "",
            "what": visit.field("what", ONLY if task in known and _lender(visit, name) else ALL),
            "below": len(graph.below(known, TaskName(task))) - 1 if task in known else 0,
            "fields": param_fields(pipeline.params, {}) if pipeline else [],
            "date": "",
            "schedule_zone": pipeline.schedule.timezone if pipeline and pipeline.schedule else "UTC",
            "is_served": scheduler is not None and scheduler.is_alive,
        },
    )


def act(visit: Visit) -> Redirect:
    name, is_draft = visit.part("pipeline"), visit.field("version") == "draft"
    pipeline = _pipeline(visit, visit.api.draft(name), is_draft)
    tasks = _tasks(visit, pipeline)
    run = (visit.api.trigger_draft if is_draft else visit.api.trigger)(
        name,
        texts=texts_of(visit, pipeline.params, {}),
        when=date_of(visit.field("date")),
        tasks=tasks,
        lend_from=_lender(visit, pipeline.name) if tasks else None,
    )
    return Redirect(to=f"/pipelines/{name}/edit?run={run.id}", note=f"Run {run.id} has begun")


def _pipeline(visit: Visit, view: DraftView, is_draft: bool) -> Pipeline:
    return usable(view.definition if is_draft else visit.api.definition(view.disk.name))


def _tasks(visit: Visit, pipeline: Pipeline) -> Sequence[TaskName]:
    """None for all of them. Raises InvalidInput."""
    what, task = visit.field("what", ALL), TaskName(visit.field("task"))
    if what == ALL:
        return ()
    if what not in {ONLY, ON}:
        raise InvalidInput(f"what cannot be '{what}'", where="what")
    if task not in pipeline.tasks:
        raise InvalidInput(f"there is no task '{task}' in what shall run", hint="Save it first, or run the draft.")
    return (task,) if what == ONLY else graph.below(pipeline.tasks, task)


def _lender(visit: Visit, pipeline: str) -> str | None:
    """The last good run: what it reported stands in for the tasks that are left out."""
    good = visit.api.runs(pipeline, RunState.SUCCESS, limit=1)
    return good[0].id if good else None
