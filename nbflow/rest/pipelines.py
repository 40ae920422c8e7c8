"""Routes of pipelines as they are written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query

from nbflow import shapes
from nbflow.api import Api, next_ticks
from nbflow.documents import PipelinesDocument, ProblemsDocument, ShowDocument, TicksDocument
from nbflow.rest.caller import TheApi
from nbflow.rest.routing import route
from nbflow.rest.values import Instant, PipelineName

router = APIRouter(tags=["pipelines"])


@route(router, "GET /pipelines", Api.pipelines)
def list_pipelines(api: TheApi) -> PipelinesDocument:
    """List the pipelines with schedule, next and last run."""
    return shapes.pipelines_document(api.pipelines())


@route(router, "GET /pipelines/{pipeline}", Api.pipeline, errors=[404])
def show_pipeline(api: TheApi, pipeline: PipelineName) -> ShowDocument:
    """Show one pipeline: schedule, parameters, tasks, last runs."""
    return shapes.show_document(api.pipeline(pipeline))


@route(router, "GET /pipelines/{pipeline}/next", Api.definition, errors=[404])
def show_next_ticks(
    api: TheApi,
    pipeline: PipelineName,
    after: Annotated[Instant | None, Query(description="From when on; now without it.")] = None,
    count: Annotated[int, Query(ge=1, le=1000, description="How many ticks.")] = 5,
) -> TicksDocument:
    """Show when the schedule starts the next runs."""
    definition = api.definition(pipeline)
    ticks = next_ticks(definition, after or datetime.now(UTC), count)
    timing = definition.pipeline.schedule if definition.pipeline else None
    return shapes.ticks_document(timing.timezone if timing else "UTC", ticks)


@route(router, "GET /problems", Api.validate, errors=[404])
def list_problems(
    api: TheApi,
    pipeline: Annotated[list[PipelineName] | None, Query(description="Only of these pipelines.")] = None,
) -> ProblemsDocument:
    """List the problems of the manifests and their notebooks."""
    definitions = api.validate(pipeline or ())
    return shapes.problems_document(problem for each in definitions for problem in each.problems)
