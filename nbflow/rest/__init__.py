"""The REST API, a plain ASGI app: nbflow.api over HTTP in the documents of the command line, and health and metrics.

It authenticates; what a caller may do is decided by nbflow.api. It starts no thread and no server of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib.metadata import version

from fastapi import APIRouter, FastAPI

from nbflow.api import Api, Caller
from nbflow.rest import alerts, answers, changes, health, installation, logs, people, pipelines, runs, schedules
from nbflow.rest.caller import Behind
from nbflow.rest.changes import Listening
from nbflow.rest.health import Probe, Probes
from nbflow.rest.outside import OurHostOnly

__all__ = ["PREFIX", "Listening", "create_app"]

PREFIX = "/api/v1"
VERSIONED = (pipelines, runs, logs, schedules, alerts, changes, people, installation)
"""The modules whose routes stand below it."""

_ABOUT = """Everything that the command line does, for programs.

Send `Authorization: Bearer …` with a token from `nbflow token create`. Times are ISO 8601 in UTC. What is wrong is said
as `{"error": …, "where": …, "hint": …}`."""


def create_app(
    open_api: Callable[[Caller], Api],
    *,
    bearer: Callable[[str], Caller | None],
    cookies: Callable[[Mapping[str, str]], Caller | None] = lambda _: None,
    cookie: str = "nbflow",
    hosts: Collection[str] = (),
    probes: Mapping[str, Probe] | None = None,
    listening: Listening | None = None,
) -> FastAPI:
    """The app. What it is given may block, and is called in threads.

    `open_api` gives a caller's api; `bearer` says whose token a secret is, `cookies` who is signed in, by the cookie of
    the name `cookie`. `hosts` are ours beside loopback. `probes` say why nbflow is not ready, or nothing.
    """
    app = FastAPI(
        title="nbflow",
        version=version("nbflow"),
        description=_ABOUT,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # these pages load from other hosts
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.behind = Behind(open_api=open_api, bearer=bearer, cookies=cookies, cookie=cookie)
    app.state.listening = listening or Listening()
    app.state.probes = Probes(probes or {})
    app.add_middleware(OurHostOnly, hosts=frozenset(hosts))
    answers.add_to(app)
    inside = APIRouter(prefix=PREFIX)
    for module in VERSIONED:
        inside.include_router(module.router)
    app.include_router(inside)
    app.include_router(health.router)
    return app
