"""The websocket of a page: what it watches is told to it. It takes nothing: whatever a page sends is passed over."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from zoneinfo import ZoneInfo

from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from nbflow.api import Role
from nbflow.errors import NbflowError
from nbflow_app.handlers import zone_cookie
from nbflow_app.rooms import News, Rooms, Seen


class LiveHandler(WebSocketHandler):
    """`/live?watch=NAME&seen=CHANGE&upto=PLACE`: what happened since a page was made, and from now on."""

    role = Role.VIEWER

    def initialize(self, rooms: Rooms, origins: frozenset[str]) -> None:
        self._rooms, self._origins = rooms, origins
        self._leave: Callable[[], None] | None = None

    def check_origin(self, origin: str) -> bool:
        return origin.partition("://")[2] in self._origins

    def prepare(self) -> None:
        caller = getattr(self.request.connection, "caller", None)
        if caller is None or caller.role < self.role:
            raise HTTPError(403)

    async def open(self, *_: str) -> None:
        zone: ZoneInfo = zone_cookie(self)
        try:
            self._leave = await self._rooms.enter(self.get_query_argument("watch", ""), zone, self._send, self._seen)
        except (NbflowError, ValueError):
            self.close(4404, "nothing to watch")
            return
        if self.ws_connection is None:  # gone meanwhile
            self._leave()

    @property
    def _seen(self) -> Seen | None:
        """What the page knew when it was made, where it says so."""
        given = self.get_query_argument("seen", "")
        return Seen(int(given[:18]), int(self.get_query_argument("upto", "0")[:18])) if given else None

    def on_message(self, message: str | bytes) -> None:
        """Nothing is ordered this way."""

    def on_close(self) -> None:
        if self._leave is not None:
            self._leave()

    def _send(self, news: News) -> None:
        with contextlib.suppress(WebSocketClosedError):
            self.write_message(news.text)
