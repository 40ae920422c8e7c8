"""Start a run by hand: a field for each parameter of the pipeline, and the date that it is for."""

from __future__ import annotations

from datetime import date

from nbflow.api import usable
from nbflow.errors import InvalidInput
from nbflow.model import Pipeline
from nbflow.run import Run
from nbflow_app.forms.fields import param_fields, texts_of
from nbflow_app.visit import Page, Redirect, Visit


def show(visit: Visit) -> Page:
    """`like=RUN` fills in what that run had."""
    pipeline, like = _pipeline(visit), _like(visit)
    scheduler = visit.api.scheduler()
    return Page(
        template="forms/trigger.html",
        title=f"Trigger {pipeline.name}",
        section="pipelines",
        crumbs=[(pipeline.name, f"/pipelines/{pipeline.name}")],
        data={
            "name": pipeline.name,
            "fields": param_fields(pipeline.params, like.params if like else {}),
            "date": like.run_date.isoformat() if like else "",
            "schedule_zone": pipeline.schedule.timezone if pipeline.schedule else "UTC",
            "is_served": scheduler is not None and scheduler.is_alive,
        },
    )


def act(visit: Visit) -> Redirect:
    pipeline = _pipeline(visit)
    run = visit.api.trigger(
        pipeline.name, texts=texts_of(visit, pipeline.params, {}), when=date_of(visit.field("date"))
    )
    return Redirect(to=f"/pipelines/{run.pipeline}/runs/{run.id}", note="Triggered")


def _pipeline(visit: Visit) -> Pipeline:
    return usable(visit.api.definition(visit.part("pipeline")))


def _like(visit: Visit) -> Run | None:
    return visit.api.status(visit.field("like")).run if visit.field("like") else None


def date_of(text: str) -> date | None:
    """Raises InvalidInput."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidInput(f"'{text}' is no date", hint="Write it as 2026-04-01.") from None
