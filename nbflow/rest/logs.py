"""Routes of what an attempt left: its cells, the executed notebook, a page, the events."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

from nbflow import shapes
from nbflow.api import Api, LogView
from nbflow.documents import LogDocument
from nbflow.errors import NotFound
from nbflow.notebooks.render.page import page
from nbflow.rest.caller import TheApi
from nbflow.rest.routing import route
from nbflow.rest.values import Address, Number, Ref
from nbflow.run import Run
from nbflow.text import fault

router = APIRouter(tags=["logs"], prefix="/runs/{run}/tasks/{task}")

UNTRUSTED = {"Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"}
"""What a notebook made may show itself, and do nothing."""


def _only(media_type: str, about: str) -> dict[int, Any]:
    return {200: {"description": about, "content": {media_type: {"schema": {"type": "string"}}}}}


@route(router, "GET /log", Api.log, errors=[404])
def show_log(api: TheApi, run: Ref, task: Address, attempt: Number = None) -> LogDocument:
    """Show the executed notebook cell by cell."""
    log = api.log(run, task, attempt)
    return shapes.log_document(log.attempt.run, log)


@route(
    router,
    "GET /notebook",
    Api.log,
    errors=[404],
    response_class=Response,
    responses=_only("application/x-ipynb+json", "A notebook of nbformat 4."),
)
def download_notebook(api: TheApi, run: Ref, task: Address, attempt: Number = None) -> Response:
    """Download the executed notebook."""
    log = api.log(run, task, attempt)
    return _file(log.path, "application/x-ipynb+json", f"{log.attempt.key.address}.{log.attempt.number}.ipynb")


@route(
    router,
    "GET /html",
    Api.log,
    errors=[404],
    response_class=Response,
    responses=_only("text/html", "A page that needs nothing else, and runs nothing."),
)
def show_page(api: TheApi, run: Ref, task: Address, attempt: Number = None) -> HTMLResponse:
    """Show the executed notebook as one page of HTML."""
    log = api.log(run, task, attempt)
    return HTMLResponse(_page(api.status(log.attempt.run).run, log), headers=UNTRUSTED)


@route(
    router,
    "GET /events",
    Api.events,
    errors=[404],
    response_class=Response,
    responses=_only("application/jsonl", "An event a line, as it was appended."),
)
def download_events(api: TheApi, run: Ref, task: Address, attempt: Number = None) -> Response:
    """Download what the attempt did until now, an event a line."""
    return _file(api.events(run, task, attempt), "application/jsonl", "events.jsonl")


def _file(path: Path, media_type: str, name: str) -> FileResponse:
    try:
        path.open("rb").close()
    except FileNotFoundError:
        raise NotFound("the attempt has not begun", hint="Ask again in a moment.") from None
    except OSError as error:  # another user's, or no file
        raise NotFound(f"{path} cannot be read: {fault(error)}") from error
    return FileResponse(path, media_type=media_type, filename=name)


def _page(run: Run, log: LogView) -> str:
    attempt = log.attempt
    seconds = shapes.seconds(attempt.started_at, attempt.ended_at)
    facts = {
        "state": attempt.state.value,
        "reason": attempt.reason,
        "run": run.id,
        "for": f"{run.run_date} ({run.logical_date.astimezone(UTC):%Y-%m-%d %H:%M} UTC)",
        "attempt": str(attempt.number),
        "started": f"{attempt.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if attempt.started_at else "",
        "took": "" if seconds is None else f"{seconds:g} s",
    }
    return page(
        log.notebook,
        title=f"{run.pipeline} / {attempt.key.address}",
        state=attempt.state,
        facts=facts,
        failing_cell=attempt.failing_cell,
    )
