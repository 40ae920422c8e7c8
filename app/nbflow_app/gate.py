"""What every request passes first: a host that is ours, a caller who is known, and our policy on every answer.

The gate stands before the router, so that no route, ours or Panel's, can be forgotten. It knows no page.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
    parse_cookie,
)
from tornado.iostream import IOStream

from nbflow.access import TRY_AGAIN, is_our_host
from nbflow.api import Caller, Role
from nbflow.errors import NbflowError

PUBLIC = ("/sign-in", "/assets/", "/static/", "/panel/", "/favicon.ico", "/healthz", "/readyz", "/metrics", "/api/")
"""Where nobody needs to be known. The REST API looks at its callers itself."""

NEEDS: tuple[tuple[str, Role], ...] = ((r"/drawings/pipelines/[^/]+/edit(/.*)?", Role.EDITOR),)
"""Panel's own routes know of no roles; where a viewer is not enough, the gate asks for more."""

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",  # Bokeh styles its elements in place
    "img-src": "'self' data: blob:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "frame-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

AWAY = f"The database does not answer. {TRY_AGAIN}"

LOOK_AGAIN = 20.0
"""Seconds between two looks at who has a websocket open."""

Who = Callable[[Mapping[str, str]], Caller | None]
"""Cookies → who that is. May block; it is called in a thread."""


def policy(**changes: str) -> str:
    """The Content-Security-Policy of the app; `script_src="…"` changes a rule."""
    rules = {**POLICY, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return "; ".join(f"{name} {value}" for name, value in rules.items())


class Gate(HTTPServerConnectionDelegate):
    """Stands between the HTTP server and its application. `hosts` are allowed beside loopback."""

    def __init__(self, app: HTTPServerConnectionDelegate, *, who: Who, hosts: frozenset[str], prefix: str = "") -> None:
        self.app, self.who, self.hosts, self.prefix = app, who, hosts, prefix
        self._sockets: list[_Socket] = []

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        return _Passing(self, server_conn, request_conn)

    def on_close(self, server_conn: object) -> None:
        self.app.on_close(server_conn)

    def keep(self, socket: _Socket) -> None:
        """Look after a websocket that was let through."""
        self._sockets.append(socket)

    async def look_after(self) -> None:
        """Until cancelled: close the websockets of those who would not be let through any more."""
        while True:
            await asyncio.sleep(LOOK_AGAIN)
            self._sockets = [each for each in self._sockets if not each.stream.closed()]
            for each in self._sockets:
                try:
                    caller = await self.known(each.cookies)
                except NbflowError:
                    continue  # nobody can say yet; the next look is soon
                if caller is None or caller.role < self.needed(each.path):
                    each.stream.close()

    async def known(self, cookies: Mapping[str, str]) -> Caller | None:
        return await asyncio.get_running_loop().run_in_executor(None, self.who, cookies)

    def is_public(self, path: str) -> bool:
        inside = path.removeprefix(self.prefix)
        return any(inside == known or (known.endswith("/") and inside.startswith(known)) for known in PUBLIC)

    def needed(self, path: str) -> Role:
        """The role without which nobody comes so far."""
        inside = path.removeprefix(self.prefix)
        return next((role for pattern, role in NEEDS if re.fullmatch(pattern, inside)), Role.VIEWER)


@dataclass(frozen=True)
class _Socket:
    """A websocket: who opened it, by what, and the stream under it."""

    path: str
    cookies: Mapping[str, str]
    stream: IOStream


@dataclass
class _Refusal:
    code: int
    reason: str
    text: str
    location: str = ""


class _Passing(HTTPMessageDelegate):
    """One request at the gate: let through to the application, or answered here."""

    def __init__(self, gate: Gate, server_conn: object, request_conn: HTTPConnection) -> None:
        self._gate, self._server_conn = gate, server_conn
        self._conn = Connection(request_conn)
        self._inside: HTTPMessageDelegate | None = None
        self._wants_body = True
        self._refusal: _Refusal | None = None

    async def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        assert isinstance(start_line, RequestStartLine)
        self._wants_body = start_line.method != "HEAD"
        self._refusal = await self._judge(start_line, headers)
        if self._refusal is not None:
            return
        if headers.get("Upgrade") and self._conn.caller is not None:
            path, cookies = start_line.path.partition("?")[0], parse_cookie(headers.get("Cookie", ""))
            self._gate.keep(_Socket(path, cookies, self._conn.stream))
        self._inside = self._gate.app.start_request(self._server_conn, self._conn)
        going: Awaitable[None] | None = self._inside.headers_received(start_line, headers)
        if going is not None:
            await going

    async def _judge(self, start_line: RequestStartLine, headers: HTTPHeaders) -> _Refusal | None:
        if not is_our_host(headers.get("Host", ""), self._gate.hosts):
            return _Refusal(421, "Misdirected Request", "This host is not served here. See server.url in nbflow.toml.")
        path = start_line.path.partition("?")[0]
        try:
            self._conn.caller = await self._gate.known(parse_cookie(headers.get("Cookie", "")))
        except NbflowError:
            return None if self._gate.is_public(path) else _Refusal(503, "Service Unavailable", AWAY)
        if self._conn.caller is not None:
            return self._needs_more(self._conn.caller, path)
        if self._gate.is_public(path):
            return None
        wants_page = start_line.method in {"GET", "HEAD"} and "text/html" in headers.get("Accept", "")
        if not wants_page:
            return _Refusal(403, "Forbidden", "Sign in first.")
        return _Refusal(303, "See Other", "", f"{self._gate.prefix}/sign-in?next={quote(start_line.path, safe='')}")

    def _needs_more(self, caller: Caller, path: str) -> _Refusal | None:
        needed = self._gate.needed(path)
        if caller.role >= needed:
            return None
        return _Refusal(403, "Forbidden", f"{caller.name} is {caller.role.word}; this needs {needed.word}.")

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._inside.data_received(chunk) if self._inside else None

    def finish(self) -> None:
        if self._inside is not None:
            self._inside.finish()
        elif self._refusal is not None:
            self._answer(self._refusal)

    def on_connection_close(self) -> None:
        if self._inside is not None:
            self._inside.on_connection_close()

    def _answer(self, refusal: _Refusal) -> None:
        body = refusal.text.encode()
        headers = HTTPHeaders({"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))})
        if refusal.location:
            headers["Location"] = refusal.location
        start_line = ResponseStartLine("HTTP/1.1", refusal.code, refusal.reason)
        self._conn.write_headers(start_line, headers, body if self._wants_body else b"")
        self._conn.finish()


class Connection(HTTPConnection):
    """A connection that puts our policy on every answer, and knows its caller."""

    def __init__(self, inner: HTTPConnection) -> None:
        self._inner = inner
        self.caller: Caller | None = None

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> Any:
        for name, value in HEADERS.items():
            if name not in headers:
                headers[name] = value
        if "Content-Security-Policy" not in headers:
            headers["Content-Security-Policy"] = policy()
        return self._inner.write_headers(start_line, headers, chunk)

    def write(self, chunk: bytes) -> Any:
        return self._inner.write(chunk)

    def finish(self) -> None:
        self._inner.finish()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
