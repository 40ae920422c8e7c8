"""Cancel a run, or one task of it."""

from __future__ import annotations

from nbflow_app.pages.run import address, crumbs, run_of
from nbflow_app.visit import Page, Redirect, Visit


def show(visit: Visit) -> Page:
    view, task = run_of(visit), visit.field("task")
    unfinished = [key.address for key, each in view.tasks.items() if not each.state.is_terminal]
    return Page(
        template="forms/cancel.html",
        title=f"Cancel {task}" if task else "Cancel run",
        section="runs",
        crumbs=crumbs(view),
        data={"run": view.run, "task": task, "stopped": [task] if task else unfinished},
    )


def act(visit: Visit) -> Redirect:
    view, task = run_of(visit), visit.field("task")
    visit.api.cancel(view.run.id, task or None, note=visit.field("note"))
    return Redirect(to=address(view), note=f"{task or 'The run'} is being cancelled")
