"""Start a task that waits for its retry at once."""

from __future__ import annotations

from nbflow_app.pages.run import address, crumbs, run_of
from nbflow_app.visit import Page, Redirect, Visit


def show(visit: Visit) -> Page:
    view, task = run_of(visit), visit.field("task")
    return Page(
        template="forms/retry.html",
        title=f"Retry {task} now",
        section="runs",
        crumbs=crumbs(view),
        data={"run": view.run, "task": task, "why": visit.api.why(view.run.id, task, visit.zone)},
    )


def act(visit: Visit) -> Redirect:
    view, task = run_of(visit), visit.field("task")
    visit.api.retry_now(view.run.id, task, note=visit.field("note"))
    return Redirect(to=address(view), note=f"{task} starts now")
