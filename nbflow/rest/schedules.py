"""Routes of what starts runs by itself: pauses, skipped ticks, backfills."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from nbflow import shapes
from nbflow.api import Api
from nbflow.documents import (
    BackfillDocument,
    BackfillPreviewDocument,
    BackfillsDocument,
    SchedulerDocument,
    SkipsDocument,
    StandingsDocument,
)
from nbflow.rest.caller import TheApi
from nbflow.rest.routing import route
from nbflow.rest.values import Body, Day, Limit, Noted, PipelineName

router = APIRouter(tags=["schedules"])

BackfillId = Annotated[int, Path(ge=1, le=2**31, description="A backfill's number.")]


# --- pausing --------------------------------------------------------------------------------------------------------


@route(router, "POST /pipelines/{pipeline}/pause", Api.pause, status=204, errors=[400, 404, 409])
def pause_pipeline(api: TheApi, pipeline: PipelineName, body: Noted | None = None) -> None:
    """Stop new scheduled runs; running ones finish, manual ones are allowed."""
    api.pause(pipeline, note=(body or Noted()).note)


@route(router, "POST /pipelines/{pipeline}/resume", Api.resume, errors=[400, 404, 409])
def resume_pipeline(api: TheApi, pipeline: PipelineName, body: Noted | None = None) -> SkipsDocument:
    """Let scheduled runs start again; the answer has the ticks that passed meanwhile, which start no run."""
    skip = api.resume(pipeline, note=(body or Noted()).note)
    return shapes.skips_document([skip] if skip else [])


@route(router, "GET /skips", Api.skips)
def list_skips(
    api: TheApi,
    pipeline: Annotated[PipelineName | None, Query(description="Only of this pipeline.")] = None,
    limit: Limit = 50,
) -> SkipsDocument:
    """List the ticks that started no run, newest first, with the reason."""
    return shapes.skips_document(api.skips(pipeline, limit=limit))


@route(router, "GET /standings", Api.standings)
def list_standings(api: TheApi) -> StandingsDocument:
    """List the pipelines as a scheduler saw them last: paused ones, and those whose manifest is gone."""
    return shapes.standings_document(api.standings().values())


@route(router, "GET /scheduler", Api.scheduler)
def show_scheduler(api: TheApi) -> SchedulerDocument:
    """Say which scheduler leads, and whether it lives."""
    return shapes.scheduler_document(api.scheduler())


# --- backfills ------------------------------------------------------------------------------------------------------


class Range(Body):
    """The local dates whose ticks get runs, both included."""

    start: Day
    end: Day
    reverse: bool = Field(default=False, description="Newest first.")
    reprocess: Literal["none", "failed", "all"] = Field(
        default="none", description="Which ticks that have a finished run are run again."
    )


class NewBackfill(Range, Noted):
    """A backfill to begin."""

    max_active: int = Field(default=1, ge=1, le=1000, description="How many of its runs at once.")


@route(router, "POST /pipelines/{pipeline}/backfills/preview", Api.preview_backfill, errors=[400, 404, 409])
def preview_backfill(api: TheApi, pipeline: PipelineName, body: Range) -> BackfillPreviewDocument:
    """Say what a backfill would create, reset or pass over."""
    preview = api.preview_backfill(
        pipeline, start=body.start, end=body.end, is_reverse=body.reverse, reprocess=body.reprocess
    )
    return shapes.backfill_preview_document(preview)


@route(router, "POST /pipelines/{pipeline}/backfills", Api.backfill, status=201, errors=[400, 404, 409])
def create_backfill(api: TheApi, pipeline: PipelineName, body: NewBackfill) -> BackfillDocument:
    """Begin a backfill; the scheduler makes its runs one after the other."""
    made = api.backfill(
        pipeline,
        start=body.start,
        end=body.end,
        is_reverse=body.reverse,
        max_active=body.max_active,
        reprocess=body.reprocess,
        note=body.note,
    )
    return _backfill(api, made.id)


@route(router, "GET /backfills", Api.backfills)
def list_backfills(
    api: TheApi, active: Annotated[bool, Query(description="Only those that have not ended.")] = False
) -> BackfillsDocument:
    """List the backfills, newest first."""
    return shapes.backfills_document(api.backfills(only_active=active))


@route(router, "GET /backfills/{number}", Api.backfill_status, errors=[404])
def show_backfill(api: TheApi, number: BackfillId) -> BackfillDocument:
    """Show how far a backfill has come."""
    return _backfill(api, number)


@route(router, "POST /backfills/{number}/pause", Api.pause_backfill, errors=[400, 404, 409])
def pause_backfill(api: TheApi, number: BackfillId, body: Noted | None = None) -> BackfillDocument:
    """Begin no further tick; runs under way go on."""
    return _backfill(api, api.pause_backfill(number, note=(body or Noted()).note).id)


@route(router, "POST /backfills/{number}/resume", Api.resume_backfill, errors=[400, 404, 409])
def resume_backfill(api: TheApi, number: BackfillId, body: Noted | None = None) -> BackfillDocument:
    """Go on with the ticks that wait."""
    return _backfill(api, api.resume_backfill(number, note=(body or Noted()).note).id)


@route(router, "POST /backfills/{number}/cancel", Api.cancel_backfill, errors=[400, 404, 409])
def cancel_backfill(api: TheApi, number: BackfillId, body: Noted | None = None) -> BackfillDocument:
    """Begin no further tick, and cancel the runs of it that have not ended."""
    return _backfill(api, api.cancel_backfill(number, note=(body or Noted()).note).id)


def _backfill(api: Api, number: int) -> BackfillDocument:
    return shapes.backfill(api.backfill_status(number))
