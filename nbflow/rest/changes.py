"""The change log as it grows: a page of it, a page as soon as there is one (long poll), or a stream of events (SSE)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from nbflow import shapes
from nbflow.api import Api
from nbflow.documents import ChangesDocument
from nbflow.errors import InvalidInput, NbflowError, Unavailable
from nbflow.rest.caller import TheApi, caller_of
from nbflow.rest.routing import route
from nbflow.run import Change

router = APIRouter(tags=["changes"])

STREAM = "text/event-stream"


@dataclass
class Listening:
    """How those who wait are served: how often the log is looked at, how long is waited, how many may."""

    look_again: timedelta = timedelta(milliseconds=250)
    longest: timedelta = timedelta(seconds=60)
    beat: timedelta = timedelta(seconds=15)
    """A stream says this often that it lives, and looks whether its caller still may listen."""
    most: int = 100
    now: int = field(default=0, init=False)

    def come(self) -> None:
        """Be one more. Raises Unavailable."""
        if self.now >= self.most:
            raise Unavailable(f"{self.most} requests wait for changes already", hint="Ask without `wait`.")
        self.now += 1

    def go(self) -> None:
        self.now -= 1


class Stream(StreamingResponse):
    """A stream of events that counts as a listener until it has ended, also where it never began."""

    def __init__(self, events: AsyncIterator[str], listening: Listening) -> None:
        super().__init__(events, media_type=STREAM)
        self._listening = listening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._listening.go()


@route(
    router,
    "GET /changes",
    Api.changes,
    errors=[404],
    response_model=ChangesDocument,
    responses={200: {"content": {STREAM: {"schema": {"type": "string"}}}}},
)
async def list_changes(
    request: Request,
    api: TheApi,
    after: Annotated[int | None, Query(ge=0, le=2**53, description="The last line that is known already.")] = None,
    run: Annotated[str | None, Query(min_length=1, max_length=200, description="Only of this run.")] = None,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for a line where there is none.")] = 0,
) -> Response:
    """List what changed, oldest first, at most 1,000 lines; or follow it.

    With `Accept: text/event-stream` the answer is a stream of server-sent events that goes on: the event `change` has
    one line as JSON, and its id is the line's number, from which a browser goes on by itself (`Last-Event-ID`).
    """
    listening: Listening = request.app.state.listening
    after = _last_event(request) if after is None else after
    if STREAM in request.headers.get("Accept", ""):
        first = await run_in_threadpool(api.changes, after, run)
        listening.come()
        return Stream(_events(request, api, listening, after, run, first), listening)
    found = await run_in_threadpool(api.changes, after, run)
    if not found and wait:
        listening.come()
        try:
            found = await _within(min(wait, listening.longest.total_seconds()), listening, api, after, run)
        finally:
            listening.go()
    return JSONResponse(shapes.changes_document(found, after))


def _last_event(request: Request) -> int:
    text = request.headers.get("Last-Event-ID", "0")
    if not text.isdecimal() or len(text) > 15:
        raise InvalidInput("Last-Event-ID must be the number of a line", where="header.Last-Event-ID")
    return int(text)


async def _within(seconds: float, listening: Listening, api: Api, after: int, run: str | None) -> Sequence[Change]:
    """The lines behind `after` as soon as there are any; none when the time is over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while (left := deadline - loop.time()) > 0:
        await asyncio.sleep(min(left, listening.look_again.total_seconds()))
        if found := await run_in_threadpool(api.changes, after, run):
            return found
    return ()


async def _events(
    request: Request, api: Api, listening: Listening, after: int, run: str | None, found: Sequence[Change]
) -> AsyncIterator[str]:
    """Ends when the caller may no longer listen, or the log cannot be read; a browser then comes again by itself."""
    loop, beat = asyncio.get_running_loop(), listening.beat.total_seconds()
    known_at = loop.time()
    try:
        yield "retry: 2000\n\n"
        while True:
            for change in found:
                after = change.seq
                yield _event(shapes.change(change), after)
            found = await _within(beat, listening, api, after, run)
            if not found:
                yield ": still here\n\n"
            if loop.time() >= known_at + beat:
                await run_in_threadpool(caller_of, request)
                known_at = loop.time()
    except NbflowError:
        return


def _event(document: Any, number: int) -> str:
    return f"id: {number}\nevent: change\ndata: {json.dumps(document)}\n\n"
