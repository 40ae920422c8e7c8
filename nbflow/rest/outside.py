"""What every request passes and every answer gets, before any route."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nbflow.access import is_our_host
from nbflow.rest.answers import answer

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class OurHostOnly:
    """Refuses requests that name another host than ours, and puts our headers on every answer."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        host = Headers(scope=scope).get("Host", "")
        if is_our_host(host, self._hosts):
            await self._app(scope, receive, with_headers)
        else:
            refused = answer(421, "this host is not served here", hint="Set server.url in nbflow.toml to the address.")
            await refused(scope, receive, with_headers)
