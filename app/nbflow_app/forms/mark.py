"""Set the state of a task by hand, with a note."""

from __future__ import annotations

from typing import Any

from nbflow.errors import InvalidInput, NotFound
from nbflow.model import TaskKey
from nbflow.scalars import read_value
from nbflow.states import TaskState
from nbflow_app.pages.run import address, crumbs, run_of
from nbflow_app.visit import Page, Redirect, Visit

STATES = (TaskState.SUCCESS, TaskState.FAILED, TaskState.SKIPPED)


def show(visit: Visit) -> Page:
    view, task = run_of(visit), visit.field("task")
    task_run = view.tasks.get(TaskKey.parse(task))
    if task_run is None:
        raise NotFound(f"run {view.run.id} has no task '{task}'")
    return Page(
        template="forms/mark.html",
        title=f"Mark {task}",
        section="runs",
        crumbs=crumbs(view),
        data={"run": view.run, "task": task_run, "states": STATES, "is_running": task_run.live is not None},
    )


def act(visit: Visit) -> Redirect:
    view, task = run_of(visit), visit.field("task")
    state = visit.field("state")
    if state not in set(STATES):
        raise InvalidInput(f"a task cannot be marked '{state}'", hint="Choose success, failed or skipped.")
    visit.api.mark(
        view.run.id,
        task,
        TaskState(state),
        outputs=_outputs(visit.field("outputs")),
        note=visit.field("note"),
        kill=visit.flag("kill"),
    )
    return Redirect(to=address(view), note=f"{task} is marked {state}")


def _outputs(text: str) -> dict[str, Any]:
    """`name=value`, one a line. Raises InvalidInput."""
    found: dict[str, Any] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name, is_pair, value = line.partition("=")
        if not line.strip():
            continue
        if not is_pair or not name.strip().isidentifier():
            raise InvalidInput(f"line {number} of the values is not NAME=VALUE", hint="Write one a line: rows=1234.")
        try:
            found[name.strip()] = read_value(value.strip())
        except ValueError:
            raise InvalidInput(f"line {number} of the values is broken JSON", hint='Text in quotes: day="x".') from None
    return found
