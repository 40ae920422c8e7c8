"""Routes of runs: their history, their state, and what is done with them."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import Field

from nbflow import shapes
from nbflow.api import Api
from nbflow.documents import RepairDocument, RunsDocument, StatusDocument, TouchedDocument, WhyDocument, WhyRunDocument
from nbflow.model import TaskKey
from nbflow.rest.caller import TheApi
from nbflow.rest.routing import route
from nbflow.rest.values import Address, Body, DayOrInstant, Limit, Noted, PipelineName, Ref, Values
from nbflow.run import ResetRequested
from nbflow.states import RunKind, RunState, TaskState

router = APIRouter(tags=["runs"])


@route(router, "GET /runs", Api.runs, errors=[404])
def list_runs(
    api: TheApi,
    response: Response,
    pipeline: Annotated[PipelineName | None, Query(description="Only runs of this pipeline.")] = None,
    state: Annotated[RunState | None, Query(description="Only runs in this state.")] = None,
    kind: Annotated[RunKind | None, Query(description="Only runs of this kind.")] = None,
    text: Annotated[
        str, Query(max_length=200, description="A part of the id, the pipeline, the run key or who started it.")
    ] = "",
    limit: Limit = 20,
    before: Annotated[
        str | None, Query(min_length=1, max_length=200, description="The id of a run: only those listed after it.")
    ] = None,
) -> RunsDocument:
    """List runs, newest first.

    The header `Link` has the address of the next page, where there may be one.
    """
    found = api.runs(pipeline, state, limit, kind=kind, text=text, before=before)
    if len(found) == limit:
        chosen = {"pipeline": pipeline, "state": state, "kind": kind, "text": text, "limit": limit}
        given = {name: value for name, value in chosen.items() if value}
        response.headers["Link"] = f'<?{urlencode({**given, "before": found[-1].id})}>; rel="next"'
    return shapes.runs_document(found)


class Trigger(Body):
    """What a new run is for."""

    params: Values = Field(default_factory=dict)
    logical_date: DayOrInstant | None = Field(
        default=None, description="The date that the run is for, or an instant with its UTC offset; now without it."
    )


@route(router, "POST /pipelines/{pipeline}/runs", Api.trigger, status=201, errors=[400, 404])
def trigger_run(
    api: TheApi,
    request: Request,
    response: Response,
    pipeline: PipelineName,
    body: Trigger | None = None,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            pattern=r"^[!-~]+$",
            description="A second request with the same key starts nothing, and is answered with the first one's run.",
        ),
    ] = None,
) -> StatusDocument:
    """Start a run, which the scheduler takes.

    Without a scheduler it waits in the queue.
    """
    wanted = body or Trigger()
    run = api.trigger(pipeline, given=wanted.params, when=wanted.logical_date, key=idempotency_key)
    response.headers["Location"] = request.url_for("show_run", run=run.id).path
    return _status(api, run.id)


@route(router, "GET /runs/{run}", Api.status, errors=[404])
def show_run(api: TheApi, run: Ref) -> StatusDocument:
    """Show one run: its tasks and their attempts."""
    return _status(api, run)


# --- repair ---------------------------------------------------------------------------------------------------------


class Rerun(Noted):
    """What shall run again: without tasks everything that failed or was cancelled, always with all that is below."""

    tasks: list[str] = Field(default_factory=list, max_length=1000, description="Addresses of tasks.")
    only: bool = Field(default=False, description="Leave descendants that ended well as they are.")
    params: dict[str, str] = Field(default_factory=dict, description="Run parameters to change, as they are typed.")
    frozen: bool = Field(default=False, description="Run the notebooks of before, not those that are on disk now.")
    kill: bool = Field(default=False, description="Stop what still runs instead of refusing.")

    def asked(self, api: Api, run: str) -> ResetRequested:
        return api.repair_request(
            run,
            tasks=self.tasks,
            only=self.only,
            texts=self.params,
            frozen=self.frozen,
            kill=self.kill,
            note=self.note,
        )


@route(router, "POST /runs/{run}/rerun/preview", Api.preview_rerun, errors=[400, 404, 409])
def preview_rerun(api: TheApi, run: Ref, body: Rerun | None = None) -> RepairDocument:
    """Say what a re-run would do."""
    of = api.status(run).run.id
    return shapes.repair_document(of, api.preview_rerun(of, (body or Rerun()).asked(api, of)))


@route(router, "POST /runs/{run}/rerun", Api.rerun, errors=[400, 404, 409])
def rerun_run(api: TheApi, run: Ref, body: Rerun | None = None) -> StatusDocument:
    """Repair a run: run failed tasks and all below them again."""
    of = api.status(run).run.id
    return _status(api, api.rerun(of, (body or Rerun()).asked(api, of)).id)


@route(router, "POST /runs/{run}/cancel/preview", Api.preview_cancel, errors=[404, 409])
def preview_cancel_run(api: TheApi, run: Ref) -> TouchedDocument:
    """Say which tasks a cancel would stop."""
    of = api.status(run).run.id
    return shapes.touched_document(of, api.preview_cancel(of))


@route(router, "POST /runs/{run}/cancel", Api.cancel, errors=[400, 404, 409])
def cancel_run(api: TheApi, run: Ref, body: Noted | None = None) -> StatusDocument:
    """Stop a run; its notebooks are interrupted, and killed after 10 s."""
    return _status(api, api.cancel(run, note=(body or Noted()).note).id)


class Mark(Noted):
    """The state that an operator sets."""

    state: Literal["success", "failed", "skipped"]
    outputs: dict[str, Any] = Field(default_factory=dict, description="Values for the tasks downstream.")
    kill: bool = Field(default=False, description="Stop what still runs instead of refusing.")


@route(router, "POST /runs/{run}/tasks/{task}/mark/preview", Api.preview_mark, errors=[400, 404, 409])
def preview_mark_task(api: TheApi, run: Ref, task: Address, body: Mark) -> TouchedDocument:
    """Say which tasks below would go on once the state is set."""
    of = api.status(run).run.id
    return shapes.touched_document(of, api.preview_mark(of, task, TaskState(body.state), kill=body.kill))


@route(router, "POST /runs/{run}/tasks/{task}/mark", Api.mark, errors=[400, 404, 409])
def mark_task(api: TheApi, run: Ref, task: Address, body: Mark) -> StatusDocument:
    """Set a task's state by hand; what this frees runs."""
    state = TaskState(body.state)
    return _status(api, api.mark(run, task, state, outputs=body.outputs, note=body.note, kill=body.kill).id)


@route(router, "POST /runs/{run}/tasks/{task}/cancel", Api.cancel, errors=[400, 404, 409])
def cancel_task(api: TheApi, run: Ref, task: Address, body: Noted | None = None) -> StatusDocument:
    """Stop one task of a run."""
    return _status(api, api.cancel(run, task, note=(body or Noted()).note).id)


@route(router, "POST /runs/{run}/tasks/{task}/retry-now", Api.retry_now, errors=[400, 404, 409])
def retry_task_now(api: TheApi, run: Ref, task: Address, body: Noted | None = None) -> StatusDocument:
    """Start a task that waits for its retry at once."""
    return _status(api, api.retry_now(run, task, note=(body or Noted()).note).id)


@route(router, "GET /runs/{run}/why", Api.why_run, errors=[404])
def explain_run(api: TheApi, run: Ref) -> WhyRunDocument:
    """Say in one sentence why a run stands where it stands."""
    of = api.status(run).run
    return shapes.why_run_document(of, api.why_run(of.id))


@route(router, "GET /runs/{run}/tasks/{task}/why", Api.why, errors=[404])
def explain_task(api: TheApi, run: Ref, task: Address) -> WhyDocument:
    """Say in one sentence why a task stands where it stands."""
    view, key = api.status(run), TaskKey.parse(task)
    sentence = api.why(view.run.id, task)
    return shapes.why_document(view.run.id, key, view.tasks[key].state, sentence)


def _status(api: Api, run: str) -> StatusDocument:
    view = api.status(run)
    return shapes.status_document(view, api.estimate(view.run.id))
