"""An ASGI application on a Tornado port: what it is told, and that its answers arrive as it gave them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from nbflow_app.asgi import AsgiHandler
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application

LIMIT = 30.0
Asgi = Callable[..., Awaitable[None]]


@asynccontextmanager
async def serving(app: Asgi) -> AsyncIterator[int]:
    """The port of a server that has nothing but the application."""
    socket, port = bind_unused_port()
    server = HTTPServer(Application([(r"/api/.*", AsgiHandler, {"app": app, "prefix": "/team"})]))
    server.add_socket(socket)
    try:
        yield port
    finally:
        server.stop()
        await server.close_all_connections()


async def asked(app: Asgi, path: str, chunk: Callable[[bytes], None] | None = None, **about: Any) -> HTTPResponse:
    async with serving(app) as port:
        address = f"http://127.0.0.1:{port}{path}"
        asking = AsyncHTTPClient().fetch(address, raise_error=False, streaming_callback=chunk, **about)
        return await asyncio.wait_for(asking, LIMIT)


def answering(status: int, body: bytes = b"", *headers: tuple[bytes, bytes]) -> tuple[Asgi, dict[str, Any]]:
    """An app that gives this answer, and what it was asked."""
    told: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told.update(scope, body=(await receive())["body"])
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app, told


def test_the_application_is_told_everything() -> None:
    app, told = answering(200, b"{}", (b"content-type", b"application/json"), (b"x-a", b"1"), (b"x-a", b"2"))
    answer = asyncio.run(
        asked(app, "/api/v1/a%20b?c=d&c=e", method="POST", body=b'{"f": 1}', headers={"Authorization": "Bearer x"})
    )
    assert (answer.code, answer.body) == (200, b"{}")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers.get_list("X-A") == ["1", "2"]
    assert (told["method"], told["path"], told["query_string"]) == ("POST", "/api/v1/a b", b"c=d&c=e")
    assert (told["root_path"], told["body"]) == ("/team", b'{"f": 1}')
    assert (b"authorization", b"Bearer x") in told["headers"]


def test_an_answer_without_a_body_has_none() -> None:
    for status in (204, 304):
        answer = asyncio.run(asked(answering(status)[0], "/api/v1/tokens/1", method="DELETE"))
        assert (answer.code, answer.body) == (status, b"")


def test_the_answer_to_a_fault_is_the_application_s() -> None:
    answers, _ = answering(500, b'{"error": "this is not expected"}', (b"content-type", b"application/json"))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answers(scope, receive, send)
        raise RuntimeError

    answer = asyncio.run(asked(app, "/api/v1/runs"))
    assert (answer.code, answer.body) == (500, b'{"error": "this is not expected"}')
    assert answer.headers["Content-Type"] == "application/json"


def test_a_fault_before_the_answer_is_whole_is_no_success() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    assert asyncio.run(asked(app, "/api/v1/runs")).code == 500


def test_an_answer_arrives_bit_by_bit_as_it_is_given() -> None:
    arrived: list[bytes] = []
    goes_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await asyncio.wait_for(goes_on.wait(), LIMIT)
        await send({"type": "http.response.body", "body": b"second", "more_body": False})

    def chunk(data: bytes) -> None:
        arrived.append(data)
        goes_on.set()

    assert asyncio.run(asked(app, "/api/v1/changes", chunk)).code == 200
    assert arrived == [b"first", b"second"]


def test_the_application_is_told_when_nobody_listens_any_more() -> None:
    async def both() -> Any:
        ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            ended.set_result(await receive())

        async with serving(app) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /api/v1/changes HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await asyncio.wait_for(reader.readuntil(b"first"), LIMIT)
            writer.close()
            return await asyncio.wait_for(ended, LIMIT)

    assert asyncio.run(both())["type"] == "http.disconnect"
