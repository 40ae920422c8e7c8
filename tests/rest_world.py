"""The REST app over a store in dicts and a workspace without a disk, asked through ASGI without a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from building import task
from engines import FakeOwners
from nbformat.v4 import new_code_cell, new_notebook, new_output
from shared_store import SharedStore

from nbflow.api import Api, Caller, Check, Entrance, Role
from nbflow.errors import NotFound
from nbflow.model import AttemptId, Pipeline, PipelineName, RunId, Schedule, TaskKey
from nbflow.ports import Delivery, Letter, Progress
from nbflow.rest import Listening, create_app
from nbflow.rest.caller import Behind
from nbflow.run import Answer, Change, ErrorInfo, TaskRun
from nbflow.states import AttemptState, Cause, RunState, TaskState
from nbflow.testing.clock import FakeClock
from nbflow.testing.samples import a_run, add, an_attempt, save
from nbflow.testing.store_contract.looking import everything
from nbflow.testing.workspace import FakeWorkspace
from nbflow.timetable import Standing

HOST = "127.0.0.1:8888"
NIGHTLY = Pipeline(
    name=PipelineName("nightly"),
    owner="ada",
    schedule=Schedule(cron="0 2 * * *"),
    tasks={name: task(name, ups) for name, ups in {"extract": "", "clean": "extract"}.items()},  # type: ignore[misc]
)


class FakeLogs:
    """Attempt folders that are all alike, once they are there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def folder(self, attempt: AttemptId, pipeline: PipelineName) -> Path:
        return self._folder / attempt

    def write(self, attempt: str) -> None:
        folder = self._folder / attempt
        folder.mkdir(parents=True)
        (folder / "notebook.ipynb").write_text(json.dumps(NOTEBOOK))
        (folder / "events.jsonl").write_text('{"n": 1, "event": "started"}\n')

    def notebook(self, attempt: AttemptId, pipeline: PipelineName) -> Any:
        if not (self._folder / attempt / "notebook.ipynb").exists():
            raise NotFound("there is no executed notebook", hint="The attempt has not begun.")
        return NOTEBOOK

    def progress(self, attempt: AttemptId, pipeline: PipelineName) -> Progress | None:
        return None


NOTEBOOK = new_notebook(
    cells=[
        new_code_cell(
            "print(12)",
            metadata={"nbflow": {"cell": 1, "state": "success", "seconds": 0.5}},
            outputs=[
                new_output("stream", text="12\n"),
                new_output("display_data", data={"text/html": "<script>alert(1)</script><b>bold</b>"}),
            ],
        )
    ],
    metadata={"language_info": {"name": "python"}},
)


@dataclass
class FakeNotifier:
    """Remembers the channels; `errors` are what its addresses say."""

    errors: tuple[str, ...] = ()
    sent: list[str] = field(default_factory=list)

    def send(self, channel: str, letter: Letter, done: Sequence[str] = ()) -> Delivery:
        self.sent.append(channel)
        return Delivery(done=("address",), errors=self.errors)


@dataclass
class Answering(SharedStore):
    """A store whose requests are answered at once, as by an engine that lives."""

    said: str = ""
    asked_for: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def ask(self, run: Any, request: Any, *, now: Any) -> int:
        number = super().ask(run, request, now=now)
        self.asked_for.append(request)
        self._answer(run, [Answer(id=number, error=self.said)])
        return number


class World:
    """Everything behind the app, and a client to each role. `app` is one made before: making one takes long."""

    def __init__(self, folder: Path, app: Any = None, **about: Any) -> None:
        self.store, self.clock, self.workspace = Answering(), FakeClock(), FakeWorkspace(NIGHTLY)
        self.logs, self.owners, self.notifier = FakeLogs(folder), FakeOwners(), FakeNotifier()
        self.entrance = Entrance(self.store, self.clock)
        self.root = self.api(Caller(name="root", role=Role.ADMIN))
        self.callers = {role.word: Caller(name=role.word, role=role) for role in Role}
        self.secrets: dict[str, str] = {}
        self.app = app or create_app(
            self.api,
            bearer=self.entrance.bearer,
            cookies=self.cookies,
            hosts={"nbflow.example.org"},
            **{"listening": Listening(look_again=timedelta(milliseconds=1)), **about},
        )
        self.app.state.behind = Behind(open_api=self.api, bearer=self.entrance.bearer, cookies=self.cookies)

    def api(self, caller: Caller) -> Api:
        return Api(
            caller=caller,
            store=self.store,
            workspace=self.workspace,
            logs=self.logs,
            clock=self.clock,
            driver=None,
            owners=self.owners,
            pools={"warehouse": 2},
            notifier=self.notifier,
            channels={"oncall"},
            project="/project",
            checks=[lambda: Check(name="disk", is_fine=True, message="9 GiB free")],
        )

    def cookies(self, cookies: Mapping[str, str]) -> Caller | None:
        return self.entrance.session(cookies.get("nbflow", ""))

    def people(self) -> None:
        """A user for each role, and a token for each."""
        for role in reversed(Role):
            self.root.add_user(role.word, role)
            self.secrets[role.word] = self.root.create_token(role, expires=None, user=role.word).secret

    def lead(self) -> None:
        """A scheduler lives."""
        self.store.lead("scheduler@host.1.aaaaaa", now=self.clock.now(), ttl=timedelta(seconds=15))

    def ask(
        self, method: str, path: str, role: str | None = "admin", *, headers: Mapping[str, str] = {}, **about: Any
    ) -> httpx.Response:
        """One request; `role` is whose token it brings."""
        known = {"Authorization": f"Bearer {self.secrets[role]}"} if role else {}
        return asyncio.run(self._ask(method, path, {**known, **headers}, **about))

    async def _ask(
        self, method: str, path: str, headers: Mapping[str, str], prefix: str = "", **about: Any
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, root_path=prefix)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
            return await client.request(method, path, headers=headers, **about)

    def get(self, path: str, role: str | None = "admin", **about: Any) -> Any:
        """The document at a path of the API."""
        answer = self.ask("GET", f"/api/v1{path}", role, **about)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, role: str | None = "admin", *, status: int = 200, **about: Any) -> Any:
        answer = self.ask("POST", f"/api/v1{path}", role, json=body, **about)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def everything(self) -> Any:
        """All that the store keeps, but for when a token was used."""
        unused = [replace(token, last_used_at=None) for token in self.store.tokens()]
        return [part for part in everything(self.store) if part != self.store.tokens()], unused

    # --- runs in the store ---------------------------------------------------------------------------------------

    def failed_run(self, by: str = "root") -> str:
        """A run whose first task failed, with the log of its attempt."""
        frozen = self.workspace.freeze(self.workspace.load("nightly"))
        name = f"r{len(self.store.list_runs())}"
        lease = add(self.store, a_run(name, frozen, created_by=by, created_at=self.clock.now()), frozen)
        extract, clean = (TaskKey.parse(each) for each in ("extract", "clean"))
        attempt = an_attempt(
            name,
            "extract",
            state=AttemptState.FAILED,
            cause=Cause.ERROR,
            error=ErrorInfo(name="ValueError", message="bad country"),
            reason="ValueError: bad country",
            failing_cell=1,
            started_at=self.clock.now(),
            ended_at=self.clock.now() + timedelta(seconds=2),
        )
        first, second = frozen.notebooks.values()
        tasks = [
            TaskRun(key=extract, state=TaskState.FAILED, notebook=first, cause=Cause.ERROR, attempts=1),
            TaskRun(key=clean, state=TaskState.UPSTREAM_FAILED, notebook=second, by_rule=True),
        ]
        change = Change(at=self.clock.now(), run=RunId(name), pipeline=NIGHTLY.name, event="run", after="failed")
        save(
            self.store,
            lease,
            run={"state": RunState.FAILED, "ended_at": self.clock.now()},
            tasks=tasks,
            attempts=[attempt],
            changes=[change],
        )
        self.store.release(lease)
        self.logs.write(attempt.id)
        return name

    def seen(self) -> None:
        """A scheduler has seen the pipeline."""
        self.lead()
        leader = self.store.leader()
        assert leader is not None
        now = self.clock.now()
        standing = Standing(pipeline=NIGHTLY.name, first_seen=now, cursor=now, path="nightly", manifest="m")
        self.store.see(leader, standing, (NIGHTLY, "name: nightly"))
