"""What each route asks of whoever comes, read from the routes themselves; and what forged messages reach."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from app_server import Running, served
from app_world import FAILS, World, ran
from bokeh.protocol import Protocol
from making import eventually
from nbflow_app import serve
from nbflow_app.drawings import drawings
from nbflow_app.frame import Frame
from nbflow_app.gate import NEEDS
from nbflow_app.handlers import Site
from nbflow_app.hub import Hub
from nbflow_app.rooms import Rooms
from nbflow_app.routes import routes
from tornado.ioloop import IOLoop
from tornado.web import RequestHandler
from tornado.websocket import WebSocketClientConnection

from nbflow.api import Role
from nbflow.run import Run
from nbflow.testing.executor import Script

Done = TypeVar("Done")
PARTS = {"pipeline": "nightly", "task": "clean", "number": "1", "kind": "ipynb", "cell": "c1", "place": "0"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("project"))
    world.pipeline()
    return world


@pytest.fixture(scope="module")
def run(world: World) -> Run:
    run = world.run(clean=FAILS)
    world.write_log(run, "clean", ran("a = 1"))
    return run


@pytest.fixture(scope="module")
def servers(world: World, run: Run) -> Iterator[dict[Role, Running]]:
    """The same world, once for each role."""
    assert run
    with ExitStack() as running:
        roles = (Role.VIEWER, Role.OPERATOR, Role.EDITOR)
        yield {role: running.enter_context(served(world, role=role)) for role in roles}


def all_routes() -> list[tuple[str, type[RequestHandler]]]:
    world = World(Path("/nowhere"))
    site = Site(api=lambda caller: world.api(caller.role), clock=world.clock, frame=Frame())
    rooms = Rooms(Hub(world.api()), lambda watch, zone: pytest.fail("nobody watches"))
    made = routes(site, rooms, world.attempts._renderer, frozenset(), None)  # type: ignore[arg-type]
    return [(pattern, handler) for pattern, handler, _ in made]


def least(handler: type[RequestHandler]) -> Role | None:
    role: Role | None = handler.role  # type: ignore[attr-defined]
    return role


def takes_orders(handler: type[RequestHandler]) -> bool:
    return handler.post is not RequestHandler.post


def example(pattern: str, run: str) -> str:
    """An address that a pattern matches."""
    given = {**PARTS, "run": run, "name": "app.js"}
    found = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", lambda group: given[group[1]], pattern)
    address = found.replace("\\", "")
    assert re.fullmatch(pattern, address), address
    return address


ROUTES = all_routes()
ORDERS = [(pattern, least(handler)) for pattern, handler in ROUTES if takes_orders(handler)]
READS = [(pattern, least(handler)) for pattern, handler in ROUTES if not takes_orders(handler)]


def test_whoever_may_only_read_finds_no_route_that_takes_an_order() -> None:
    assert len(ORDERS) > 8
    assert {role for _, role in ORDERS} <= {Role.OPERATOR, Role.EDITOR, Role.ADMIN}
    assert {role for pattern, role in ORDERS if "/edit" in pattern} == {Role.EDITOR}
    assert [pattern for pattern, role in READS if role is None] == [r"/assets/(?P<name>[a-z.]+)"]


@pytest.mark.parametrize(("pattern", "role"), ORDERS)
def test_orders_of_those_with_less_than_the_least_role_are_refused(
    servers: dict[Role, Running], world: World, run: Run, pattern: str, role: Role
) -> None:
    before, path = world.store.latest_change(), example(pattern, run.id)
    for lesser in (each for each in servers if each < role):
        with servers[lesser].client() as client:
            client.get("/pipelines")
            client.headers["X-Requested-With"] = "nbflow"
            token = client.cookies["nbflow-xsrf"]
            fields = {"task": "clean", "state": "success", "note": "forged", "_xsrf": token}
            assert client.get(path).status_code in {403, 405}
            answers = [client.post(path, data=fields), client.put(path, data=fields), client.delete(path)]
            assert answers[0].status_code == 403
            assert all(each.status_code in {403, 405} for each in answers)
            assert f"needs an {role.word}" in answers[0].text
    assert world.store.latest_change() == before
    assert world.states(run.id)["clean"] == "failed"


@pytest.mark.parametrize(("pattern", "role"), READS)
def test_reads_are_open_from_the_least_role_on(
    servers: dict[Role, Running], run: Run, pattern: str, role: Role | None
) -> None:
    path = example(pattern, run.id)
    for each, running in servers.items():
        with running.client() as client:
            answer = client.get(path)
            refused = role is not None and each < role
            assert (answer.status_code == 403) == refused, f"{each}: {answer.status_code} {path}"
            assert client.post(path).status_code in {403, 405}
    if role is not None:
        with servers[Role.EDITOR].stranger() as stranger:
            assert stranger.get(path, headers={"Accept": "*/*"}).status_code == 403


# --- forged messages ------------------------------------------------------------------------------------------------


def on_a_loop(work: Callable[[], Awaitable[Done]]) -> Done:
    async def whole() -> Done:
        return await work()

    done: Done = IOLoop(make_current=False).run_sync(whole, timeout=60)
    return done


def test_what_is_sent_to_the_news_is_passed_over(servers: dict[Role, Running], world: World) -> None:
    running = servers[Role.VIEWER]
    run = world.begin(extract=Script(after=timedelta(minutes=1)))
    before = world.store.latest_change()

    async def send() -> list[str]:
        news = f"/live?watch=run:{run.id}"
        forger, other = await running.socket(news), await running.socket(news)
        for forged in ('{"order": "cancel"}', '{"parts": {"head": "<b>forged</b>"}, "refresh": true}', b"\xff\x00"):
            await forger.write_message(forged, binary=isinstance(forged, bytes))
        assert world.store.latest_change() == before
        world.clock.advance(timedelta(minutes=2))
        world.step()
        told: list[str] = []
        while message := await other.read_message():  # how far it has come is told as well
            told.append(str(message))
            if "success" in json.loads(message)["parts"].get("task-extract", ""):
                break
        forger.close()
        other.close()
        return told

    told = on_a_loop(send)
    assert "forged" not in "".join(told)
    assert "success" in told[-1]
    world.engine.drive(run.id)


DRAWINGS = sorted(drawings(lambda zone: pytest.fail("nobody looks"), None, Frame()))  # type: ignore[arg-type]


def least_of_drawing(path: str) -> Role:
    return next((role for pattern, role in NEEDS if re.fullmatch(pattern, path)), Role.VIEWER)


class Session:
    """A drawing's websocket, spoken to as Bokeh's own script does, or as a forger would."""

    def __init__(self, socket: WebSocketClientConnection) -> None:
        self._socket, self._protocol = socket, Protocol()

    @classmethod
    @asynccontextmanager
    async def open(cls, running: Running, path: str) -> AsyncIterator[Session]:
        with running.client() as client:
            script = client.get(f"{path}/autoload.js?bokeh-autoload-element=x&bokeh-app-path={path}")
        token = re.search(r'"token":\s*"([^"]+)"', script.text)
        assert token is not None, script.text[:300]
        socket = await running.socket(f"{path}/ws", subprotocols=["bokeh", token[1]])
        session = cls(socket)
        try:
            assert (await session.hear())[0]["msgtype"] == "ACK"
            yield session
        finally:
            socket.close()

    async def say(self, kind: str, content: dict[str, Any] | None = None) -> None:
        header = {**self._protocol.create("PULL-DOC-REQ").header, "msgtype": kind}
        for part in (header, {}, content or {}):
            await self._socket.write_message(json.dumps(part))

    async def hear(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and content of the next message."""
        header, _, content = [json.loads(str(await self._socket.read_message())) for _ in range(3)]
        for _ in range(2 * header.get("num_buffers", 0)):
            await self._socket.read_message()
        return header, content

    async def asked(self, kind: str, content: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """What kind of answer that got, and its content."""
        await self.say(kind, content)
        while True:
            header, told = await self.hear()
            if header["msgtype"] != "PATCH-DOC":
                return header["msgtype"], told


@pytest.mark.parametrize("path", DRAWINGS)
def test_what_is_forged_on_a_drawings_websocket_stays_in_that_session(
    servers: dict[Role, Running], world: World, run: Run, path: str
) -> None:
    running, before = servers[least_of_drawing(path)], world.store.latest_change()
    address = path.format(run=run.id, pipeline="nightly")
    tap = {"type": "event", "name": "tap", "values": {"type": "map", "entries": [["x", 0], ["y", 0]]}}
    tapped = {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": tap}

    async def forge() -> tuple[str, str]:
        async with Session.open(running, address) as mine, Session.open(running, address) as other:
            for event in ({"kind": "TitleChanged", "title": "forged"}, tapped):
                await mine.asked("PATCH-DOC", {"events": [event]})
            (_, seen), (_, untouched) = await mine.asked("PULL-DOC-REQ"), await other.asked("PULL-DOC-REQ")
            return seen["doc"]["title"], untouched["doc"]["title"]

    seen, untouched = on_a_loop(forge)
    assert seen == "forged", "the message was understood"
    assert untouched != "forged"
    assert world.store.latest_change() == before
    assert world.states(run.id)["clean"] == "failed"


@pytest.mark.parametrize("path", DRAWINGS)
def test_a_drawing_is_for_those_of_the_least_role_and_takes_no_session_of_ones_own_making(
    servers: dict[Role, Running], run: Run, path: str
) -> None:
    least, address = least_of_drawing(path), path.format(run=run.id, pipeline="nightly")
    running = servers[least]
    refused = [running.stranger(), *(servers[role].client() for role in servers if role < least)]
    for client in refused:
        with client:
            for below in ("", "/autoload.js", "/ws"):
                assert client.get(f"{address}{below}", headers={"Accept": "*/*"}).status_code == 403

    async def forge() -> object:
        socket = await running.socket(f"{address}/ws", subprotocols=["bokeh", "eyJzZXNzaW9uX2lkIjogIngifQ"])
        try:
            return await socket.read_message()
        finally:
            socket.close()

    assert on_a_loop(forge) is None


def test_the_session_of_a_drawing_ends_with_its_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "UNUSED", 200)
    world = World(tmp_path)
    world.pipeline()
    run = world.run()
    path = f"/drawings/runs/{run.id}"
    with served(world) as running:
        app, rooms = running.app.server._tornado, running.app.rooms

        def sessions() -> int:
            return sum(len(app.get_sessions(path)) for path in app.app_paths)

        async def look() -> tuple[int, int]:
            async with Session.open(running, path):
                return sessions(), len(rooms._rooms)

        assert on_a_loop(look) == (1, 1)
        eventually(lambda: not sessions() and not rooms._rooms)
