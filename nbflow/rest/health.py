"""Whether this process is alive, whether nbflow is ready for work and if not why, and its figures for Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from threading import Thread

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from typing_extensions import TypedDict

from nbflow.api import Api
from nbflow.rest import metrics
from nbflow.rest.caller import TheApi
from nbflow.rest.routing import public, route

router = APIRouter(tags=["health"])

Probe = Callable[[], str]
"""Why something is not ready, empty where it is. May hang."""

PATIENCE = timedelta(seconds=5)
"""What does not answer within it is not ready; less than what asks usually waits."""


class AliveDocument(TypedDict):
    alive: bool


class ReadyDocument(TypedDict):
    """`reasons` say what is not ready, by name."""

    ready: bool
    reasons: dict[str, str]


class Probes:
    """Questions that may hang: each has at most one thread, and whoever asks waits a limited time."""

    def __init__(self, probes: Mapping[str, Probe], patience: timedelta = PATIENCE) -> None:
        self._probes, self._patience = probes, patience
        self._asked: dict[str, asyncio.Future[str]] = {}

    async def reasons(self) -> dict[str, str]:
        """Why nbflow is not ready; empty where it is."""
        answers = {name: self._ask(name, probe) for name, probe in self._probes.items()}
        if answers:
            await asyncio.wait(answers.values(), timeout=self._patience.total_seconds())
        said = {name: self._said(answer) for name, answer in answers.items()}
        return {name: reason for name, reason in said.items() if reason}

    def _ask(self, name: str, probe: Probe) -> asyncio.Future[str]:
        """The answer to come; one that still hangs is waited for, and not asked again."""
        before = self._asked.get(name)
        if before is None or before.done():
            self._asked[name] = _in_a_thread(probe)
        return self._asked[name]

    def _said(self, answer: asyncio.Future[str]) -> str:
        return answer.result() if answer.done() else f"no answer within {self._patience.total_seconds():g} s"


def _in_a_thread(probe: Probe) -> asyncio.Future[str]:
    """A daemon, because the process must end also while it hangs."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def ask() -> None:
        try:
            reason = probe()
        except Exception as error:  # whatever it is, this is not ready
            reason = f"cannot be looked at: {type(error).__name__}"
        if not loop.is_closed():
            loop.call_soon_threadsafe(answer.set_result, reason)

    Thread(target=ask, daemon=True, name="nbflow-probe").start()
    return answer


@public(router, "GET /healthz")
async def is_alive() -> AliveDocument:
    """Say that the process is alive."""
    return {"alive": True}


@public(router, "GET /readyz", response_model=ReadyDocument, responses={503: {"model": ReadyDocument}})
async def is_ready(request: Request) -> JSONResponse:
    """Say whether nbflow is ready for work, and if not why."""
    probes: Probes = request.app.state.probes
    reasons = await probes.reasons()
    ready: ReadyDocument = {"ready": not reasons, "reasons": reasons}
    return JSONResponse(ready, 503 if reasons else 200)


@route(
    router,
    "GET /metrics",
    Api.figures,
    response_class=Response,
    responses={200: {"description": "Prometheus's text.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def show_metrics(api: TheApi) -> Response:
    """Show the figures of runs, tasks, pools and the scheduler, for Prometheus."""
    return Response(metrics.text(api.figures()), media_type=metrics.MEDIA_TYPE)
