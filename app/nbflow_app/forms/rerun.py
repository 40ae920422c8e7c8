"""Re-run tasks of a run: the preview says which will run again, then they do (semantics §6, repair)."""

from __future__ import annotations

from nbflow.api import RepairView, RunView
from nbflow.errors import NbflowError
from nbflow.run import ResetRequested
from nbflow.text import counted
from nbflow_app.forms.fields import param_fields, texts_of
from nbflow_app.pages.run import address, crumbs, run_of, what_again
from nbflow_app.visit import Page, Redirect, Visit


def show(visit: Visit) -> Page:
    view = run_of(visit)
    preview, error = _preview(visit, view)
    named = ", ".join(visit.many("task"))
    again = f"from {named}" if named else what_again(view)
    return Page(
        template="forms/rerun.html",
        title=f"Re-run {again}".rstrip(),
        section="runs",
        crumbs=crumbs(view),
        data={
            "run": view.run,
            "tasks": visit.many("task"),
            "only": visit.flag("only"),
            "frozen": visit.flag("frozen"),
            "kill": visit.flag("kill"),
            "note": visit.field("note"),
            "params": param_fields(view.stored.pipeline.params, view.run.params),
            "preview": preview,
            "error": error,
        },
    )


def act(visit: Visit) -> Redirect:
    view = run_of(visit)
    request = _request(visit, view)
    again = visit.api.preview_rerun(view.run.id, request).again
    visit.api.rerun(view.run.id, request)
    return Redirect(to=address(view), note=f"{counted(len(again), 'task')} will run again")


def _request(visit: Visit, view: RunView) -> ResetRequested:
    return visit.api.repair_request(
        view.run.id,
        tasks=visit.many("task"),
        only=visit.flag("only"),
        texts=texts_of(visit, view.stored.pipeline.params, view.run.params),
        frozen=visit.flag("frozen"),
        kill=visit.flag("kill"),
        note=visit.field("note"),
    )


def _preview(visit: Visit, view: RunView) -> tuple[RepairView | None, NbflowError | None]:
    try:
        return visit.api.preview_rerun(view.run.id, _request(visit, view)), None
    except NbflowError as error:
        return None, error
