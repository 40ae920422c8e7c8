"""An ASGI application behind a Tornado route: the REST API on the port of the app."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from tornado.web import RequestHandler

Message = MutableMapping[str, Any]
Asgi = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


class AsgiHandler(RequestHandler):
    """Passes a request on as it is. The application checks its own callers, also against forged requests."""

    SUPPORTED_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

    def initialize(self, app: Asgi, prefix: str = "") -> None:
        self._app, self._prefix = app, prefix
        self._gone = asyncio.Event()
        self._body_is_read = self._is_answered = False

    def check_xsrf_cookie(self) -> None:
        """Left to the application."""

    def on_connection_close(self) -> None:
        self._gone.set()

    async def _pass_on(self, *_: str) -> None:
        try:
            await self._app(self._scope(), self._receive, self._send)
        except Exception:  # Starlette answers what nobody foresaw, and raises it again for the server to see
            if not self._is_answered:
                raise

    get = head = post = put = patch = delete = options = _pass_on

    def _scope(self) -> Message:
        asked = self.request
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": asked.method,
            "scheme": asked.protocol,
            "path": unquote(asked.path),
            "raw_path": asked.path.encode(),
            "query_string": asked.query.encode(),
            "root_path": self._prefix,
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in asked.headers.get_all()],
            "client": (asked.remote_ip, 0),
            "server": (asked.host_name, 0),
            "state": {},
        }

    async def _receive(self) -> Message:
        if not self._body_is_read:
            self._body_is_read = True
            return {"type": "http.request", "body": self.request.body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.set_status(message["status"])
            self.clear_header("Content-Type")
            for name, value in message.get("headers", ()):
                self.add_header(name.decode("latin-1"), value.decode("latin-1"))
        elif not self._gone.is_set():
            if body := message.get("body"):  # not even an empty one goes with 204
                self.write(body)
            if message.get("more_body"):
                await self.flush()
            else:
                self._is_answered = True
