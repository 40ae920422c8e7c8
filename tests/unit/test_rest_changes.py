"""The change log over HTTP: a page, a page as soon as there is one, and a stream that goes on until nobody listens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from rest_world import HOST, World

from nbflow.api import Role
from nbflow.rest import Listening

CHANGES = "/api/v1/changes"
QUICK = timedelta(milliseconds=1)
LIMIT = 30.0
"""Seconds after which a test gives up; what it waits for takes none."""


@pytest.fixture
def listening() -> Listening:
    return Listening(look_again=QUICK, beat=QUICK, most=2)


@pytest.fixture
def world(tmp_path: Path, listening: Listening) -> World:
    made = World(tmp_path, listening=listening)
    made.people()
    return made


class Stream:
    """One request that is answered bit by bit."""

    def __init__(self, world: World, query: str, headers: Mapping[str, str] = {}, role: str = "viewer") -> None:
        given = {
            "Host": HOST,
            "Accept": "text/event-stream",
            "Authorization": f"Bearer {world.secrets[role]}",
            **headers,
        }
        self._scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": CHANGES,
            "raw_path": CHANGES.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8888),
        }
        self._app, self._gone = world.app, asyncio.Event()
        self._asked = False
        self._said: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()

    async def __aenter__(self) -> Stream:
        self._task = asyncio.create_task(self._app(self._scope, self._receive, self._said.put))
        self.start = await asyncio.wait_for(self._said.get(), LIMIT)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.set()
        await asyncio.wait_for(self._task, LIMIT)

    async def _receive(self) -> Mapping[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def next(self) -> str:
        message = await asyncio.wait_for(self._said.get(), LIMIT)
        return str(message.get("body", b"").decode()) if message.get("more_body") else ""

    async def event(self) -> Any:
        """The next change."""
        while not (text := await self.next()).startswith("id: "):
            assert text.startswith((":", "retry")), text
        number, kind, data = text.strip().split("\n")
        document = json.loads(data.removeprefix("data: "))
        assert (number, kind) == (f"id: {document['seq']}", "event: change")
        return document


def test_a_page_goes_on_where_the_last_one_ended(world: World) -> None:
    run = world.failed_run()
    everything = world.get("/changes")
    assert everything["last"] == everything["changes"][-1]["seq"]
    assert everything["changes"][-1] == {
        "seq": everything["last"],
        "at": "2026-04-01T09:00:00Z",
        "event": "run",
        "pipeline": "nightly",
        "run": run,
        "task": None,
        "attempt": None,
        "backfill": None,
        "before": None,
        "after": "failed",
        "by": None,
        "note": None,
    }
    assert everything["changes"][0]["pipeline"] is None
    assert world.get("/changes?after=2")["changes"] == everything["changes"][2:]
    assert world.get(f"/changes?after={everything['last']}") == {"changes": [], "last": everything["last"]}
    assert [each["run"] for each in world.get(f"/changes?run={run}")["changes"]] == [run, run]
    assert world.ask("GET", f"{CHANGES}?run=r9").status_code == 404


def test_a_long_poll_ends_with_the_first_line(world: World) -> None:
    last = world.get("/changes")["last"]

    async def both() -> Any:
        headers = {"Authorization": f"Bearer {world.secrets['viewer']}"}
        asked = asyncio.create_task(world._ask("GET", f"{CHANGES}?after={last}&wait=60", headers))
        while world.app.state.listening.now == 0:
            await asyncio.sleep(0)
        world.root.set_role("viewer", Role.EDITOR)
        return await asyncio.wait_for(asked, LIMIT)

    found = asyncio.run(both()).json()
    assert [each["event"] for each in found["changes"]] == ["user_role"]
    assert world.app.state.listening.now == 0


def test_a_long_poll_without_a_line_ends_empty(world: World) -> None:
    last = world.get("/changes")["last"]
    assert world.get(f"/changes?after={last}&wait=0.01") == {"changes": [], "last": last}


def test_a_stream_begins_behind_what_is_known_and_goes_on(world: World) -> None:
    last = world.get("/changes")["last"]

    async def listen() -> list[Any]:
        async with Stream(world, f"after={last - 1}") as stream:
            assert stream.start["status"] == 200
            assert dict(stream.start["headers"])[b"content-type"].startswith(b"text/event-stream")
            events = [await stream.event()]
            world.root.set_role("viewer", Role.EDITOR)
            events.append(await stream.event())
        return events

    events = asyncio.run(listen())
    assert [each["event"] for each in events] == ["token_create", "user_role"]
    assert world.app.state.listening.now == 0


def test_a_browser_goes_on_by_itself(world: World) -> None:
    last = world.get("/changes")["last"]

    async def listen() -> Any:
        async with Stream(world, "", {"Last-Event-ID": str(last - 1)}) as stream:
            return await stream.event()

    assert asyncio.run(listen())["seq"] == last
    answer = world.ask("GET", CHANGES, headers={"Last-Event-ID": "x"})
    assert (answer.status_code, answer.json()["where"]) == (422, "header.Last-Event-ID")


def test_a_stream_ends_when_its_token_does(world: World) -> None:
    last = world.get("/changes")["last"]

    async def listen() -> str:
        async with Stream(world, f"after={last}") as stream:
            while not (await stream.next()).startswith(":"):
                pass
            number = next(token.id for token in world.store.tokens() if token.user == "viewer")
            world.store.revoke_token(number, now=world.clock.now(), log=None)
            while text := await stream.next():
                assert text.startswith(":")
            return text

    assert asyncio.run(listen()) == ""


def test_a_stream_ends_when_its_token_does_also_while_there_is_always_news(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    last, changes, roles = world.get("/changes")["last"], world.store.changes, cycle([Role.EDITOR, Role.VIEWER])

    def with_news(*about: Any, **more: Any) -> Any:
        world.root.set_role("editor", next(roles))
        return changes(*about, **more)

    monkeypatch.setattr(world.store, "changes", with_news)

    async def listen() -> None:
        async with Stream(world, f"after={last}") as stream:
            await stream.event()
            number = next(token.id for token in world.store.tokens() if token.user == "viewer")
            world.store.revoke_token(number, now=world.clock.now(), log=None)
            async with asyncio.timeout(LIMIT):
                while await stream.next():
                    pass

    asyncio.run(listen())


def test_only_so_many_may_listen(world: World) -> None:
    async def listen() -> list[int]:
        async with Stream(world, "") as one, Stream(world, "") as two, Stream(world, "") as three:
            return [each.start["status"] for each in (one, two, three)]

    assert asyncio.run(listen()) == [200, 200, 503]
    assert world.app.state.listening.now == 0
