"""Every route × every role × one's own object and another's: the whole of who may do what, generated from the app."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rest_world import World

from nbflow.api import Api, Role
from nbflow.api.authoring import Authoring
from nbflow.api.drafting import Drafting
from nbflow.api.trying import Trying
from nbflow.rest import PREFIX, VERSIONED, create_app, health
from nbflow.rest.routing import ROLE

PASSWORD = "correct horse"

ROLES = {
    "is_alive": "none",
    "is_ready": "none",
    "show_metrics": "viewer",
    "show_caller": "viewer",
    "check_installation": "viewer",
    "list_changes": "viewer",
    "list_pipelines": "viewer",
    "show_pipeline": "viewer",
    "show_next_ticks": "viewer",
    "list_problems": "viewer",
    "list_skips": "viewer",
    "list_standings": "viewer",
    "show_scheduler": "viewer",
    "list_runs": "viewer",
    "show_run": "viewer",
    "explain_run": "viewer",
    "explain_task": "viewer",
    "show_log": "viewer",
    "show_page": "viewer",
    "download_notebook": "viewer",
    "download_events": "viewer",
    "list_backfills": "viewer",
    "show_backfill": "viewer",
    "list_tokens": "viewer",
    "create_token": "viewer",
    "revoke_token": "viewer",
    "set_password": "viewer",
    "trigger_run": "operator",
    "preview_rerun": "operator",
    "preview_cancel_run": "operator",
    "preview_mark_task": "operator",
    "rerun_run": "operator",
    "cancel_run": "operator",
    "mark_task": "operator",
    "cancel_task": "operator",
    "retry_task_now": "operator",
    "pause_pipeline": "operator",
    "resume_pipeline": "operator",
    "preview_backfill": "operator",
    "create_backfill": "operator",
    "pause_backfill": "operator",
    "resume_backfill": "operator",
    "cancel_backfill": "operator",
    "list_messages": "viewer",
    "try_channel": "admin",
    "list_users": "admin",
    "add_user": "admin",
    "set_role": "admin",
    "remove_user": "admin",
}
"""Written down a second time on purpose: a role that changes in the code changes here too, and is seen in review."""

DATES = {"start": "2026-03-01", "end": "2026-03-02"}
BODIES: dict[str, Any] = {
    "create_token": {"role": "viewer", "expires": "1d"},
    "set_password": {"password": PASSWORD, "old": PASSWORD},
    "mark_task": {"state": "success"},
    "preview_mark_task": {"state": "success"},
    "preview_backfill": DATES,
    "create_backfill": DATES,
    "add_user": {"name": "eve", "role": "viewer"},
    "set_role": {"role": "viewer"},
}
OWN = {"list_tokens", "create_token", "revoke_token", "set_password"}
"""Where a caller below admin reaches only what is one's own."""


@pytest.fixture
def world(app: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("nbflow.api.people.hash_password", lambda password: f"hash of {password}")
    monkeypatch.setattr("nbflow.api.people.is_password", lambda password, hashed: hashed == f"hash of {password}")
    made = World(tmp_path, app=app)
    made.people()
    return made


@dataclass(frozen=True)
class Operation:
    """One method of one path, as the OpenAPI document has it."""

    name: str
    method: str
    path: str
    role: str


def operations() -> Iterator[Operation]:
    for path, methods in APP.openapi()["paths"].items():
        for method, about in methods.items():
            yield Operation(about["operationId"], method.upper(), path, about[ROLE])


def _nobody(_: object) -> Any:
    return None


APP = create_app(_nobody, bearer=_nobody)
OPERATIONS = list(operations())


def test_every_route_declares_the_role_that_is_written_here() -> None:
    routes = [route for module in (*VERSIONED, health) for route in module.router.routes]
    assert {route.operation_id: (route.openapi_extra or {}).get(ROLE) for route in routes} == ROLES
    assert len(routes) == len(ROLES)


def test_the_document_has_every_route_and_nothing_stands_beside_them() -> None:
    assert {each.name: each.role for each in OPERATIONS} == ROLES
    assert [route.path for route in APP.routes if hasattr(route, "path")] == [f"{PREFIX}/openapi.json"]


ELSEWHERE = {
    "backup": "writes a file of the machine that the caller names; whoever may use that runs nbflow db",
    "restore": "likewise",
    "close_abandoned": "a front door that lives long has nothing to close; the scheduler does",
    "create_run": "executes in the process that calls it; `trigger` asks the scheduler",
    "drive": "likewise",
    "finish": "for the app, which has read the run already; `estimate` reads it",
    "happened": "for the app, which reads on; `events` sends the file",
    "latest_change": "for the app, which follows from now on",
    "log_of": "for the app, which has read the attempt already; `log` finds it",
    "past": "what `estimate` is made of",
    "preview_prune": "for the process that removes: the scheduler, or nbflow prune",
    "prune": "likewise",
    "progress": "for the app; the events of an attempt say it",
    "run_counts": "for the app; /metrics counts",
    "usual_seconds": "what `estimate` is made of",
    "whys": "all at once, for the app",
} | {
    name: "for the editor of the app; a program writes the manifest itself"
    for name, verb in {**vars(Drafting), **vars(Authoring), **vars(Trying)}.items()
    if hasattr(verb, "role")
}
"""Methods of the api without a route, and why."""


def test_every_method_of_the_api_has_a_route() -> None:
    methods = {name for name in dir(Api) if hasattr(getattr(Api, name), "role")}
    sources = "".join(inspect.getsource(module) for module in (*VERSIONED, health))
    called = set(re.findall(r"\b[Aa]pi\.(\w+)", sources))
    assert methods - called == set(ELSEWHERE)


class Objects:
    """What routes are about, made by `owner`."""

    def __init__(self, world: World, owner: str) -> None:
        self.owner = owner
        world.seen()
        caller = world.api(world.callers[owner])
        admin = world.api(world.callers["admin"])
        self.token = caller.create_token(Role.VIEWER, expires=None).token.id
        admin.set_password(owner, PASSWORD)
        self.run = world.failed_run(by=owner)
        self.backfill = admin.backfill("nightly", start=date(2026, 3, 10), end=date(2026, 3, 11)).id

    def path(self, route: Operation) -> str:
        names = {"run": self.run, "task": "extract", "pipeline": "nightly", "channel": "oncall", "name": self.owner}
        path = route.path.format(number=self.number(route), **names)
        return f"{path}?user={self.owner}" if route.name == "list_tokens" else path

    def number(self, route: Operation) -> int:
        return self.token if "tokens" in route.path else self.backfill

    def body(self, route: Operation) -> Any:
        body = BODIES.get(route.name)
        return {**body, "user": self.owner} if route.name == "create_token" else body


OTHER = {"viewer": "operator", "operator": "editor", "editor": "viewer", "admin": "viewer"}


@pytest.mark.parametrize("whose", ["own", "foreign"])
@pytest.mark.parametrize("role", [None, "viewer", "operator", "editor", "admin"])
@pytest.mark.parametrize("route", OPERATIONS, ids=[each.name for each in OPERATIONS])
def test_who_may_do_what(world: World, route: Operation, role: str | None, whose: str) -> None:
    needed = ROLES[route.name]
    owner = (role or "viewer") if whose == "own" else OTHER[role or "viewer"]
    objects = Objects(world, owner)
    before = world.everything()
    answer = world.ask(route.method, objects.path(route), role, json=objects.body(route))
    if needed == "none":
        assert answer.status_code == 200
    elif role is None:
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    elif world.callers[role].role < Role.parse(needed) or (
        whose == "foreign" and route.name in OWN and role != "admin"
    ):
        assert answer.status_code == 403
    else:
        assert answer.status_code < 400 or answer.status_code == 409, answer.text
        return
    if answer.status_code >= 400:
        assert set(answer.json()) == {"error", "where", "hint"}
        assert world.everything() == before
