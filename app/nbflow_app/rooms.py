"""Rooms: the pages that watch one thing, in one time zone. What changed is worked out once for all of them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol
from zoneinfo import ZoneInfo

from nbflow.run import Change
from nbflow_app.hub import PACE, Hub
from nbflow_app.pages.run import RunNow

log = logging.getLogger("nbflow.app")

Parts = Mapping[str, str]
"""Element id → its new HTML."""


@dataclass(frozen=True)
class News:
    """What a page is told: parts to put in the place of the old ones, or to look at itself again."""

    parts: Parts = field(default_factory=dict)
    refresh: bool = False
    run: RunNow | None = None
    """How the run stands, for its drawings."""

    @cached_property
    def text(self) -> str:
        """As it is sent to a page."""
        return json.dumps({"parts": self.parts, "refresh": self.refresh})


class Subject(Protocol):
    """What a room watches."""

    pulse: float
    """Seconds after which it is looked at again without a change; 0 where only changes count."""

    def concerns(self, change: Change) -> bool:
        """Whether a change of the log is about it."""
        ...

    def news(self, changes: Sequence[Change]) -> News:
        """What to tell after these changes; after none, at its pulse. May block."""
        ...


Send = Callable[[News], None]


class Room:
    """Everybody who watches one subject."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.members: set[Send] = set()
        self._changes: list[Change] = []
        self._woken = asyncio.Event()
        self._sent: dict[str, str] = {}
        self._work = asyncio.get_running_loop().create_task(self._go())

    def tell(self, changes: Sequence[Change]) -> None:
        if mine := [change for change in changes if self.subject.concerns(change)]:
            self._changes += mine
            self._woken.set()

    def close(self) -> None:
        self._work.cancel()

    async def _go(self) -> None:
        while True:
            await self._next()
            changes, self._changes = self._changes, []
            try:
                news = await asyncio.to_thread(self.subject.news, changes)
            except Exception:
                log.exception("what is new could not be worked out")
                news = News(refresh=True)
            self._send(news)
            await asyncio.sleep(PACE)

    async def _next(self) -> None:
        self._woken.clear()
        if self._changes:
            return
        try:
            await asyncio.wait_for(self._woken.wait(), self.subject.pulse or None)
        except TimeoutError:
            return

    def _send(self, news: News) -> None:
        """To all, and only the parts that differ from what was sent before."""
        parts = {id: html for id, html in news.parts.items() if self._sent.get(id) != html}
        self._sent.update(parts)
        if parts or news.refresh:
            told = replace(news, parts=parts)
            for send in tuple(self.members):
                send(told)


class Rooms:
    """All rooms of a server. `subject` makes what a name watches in a zone; it raises NotFound for none."""

    def __init__(self, hub: Hub, subject: Callable[[str, ZoneInfo], Subject]) -> None:
        self._subject = subject
        self._rooms: dict[tuple[str, str], Room] = {}
        hub.watch(self._tell)

    async def enter(self, watch: str, zone: ZoneInfo, send: Send) -> Callable[[], None]:
        """Be told from now on; returns what ends it. Raises NotFound."""
        if (watch, zone.key) in self._rooms:
            return self.join(watch, zone, send)
        return self.join(watch, zone, send, await asyncio.to_thread(self._subject, watch, zone))

    def join(self, watch: str, zone: ZoneInfo, send: Send, subject: Subject | None = None) -> Callable[[], None]:
        """The same at once. An empty room is closed."""
        place = (watch, zone.key)
        if place not in self._rooms:
            self._rooms[place] = Room(subject or self._subject(watch, zone))
        room = self._rooms[place]
        room.members.add(send)

        def leave() -> None:
            room.members.discard(send)
            if not room.members and self._rooms.get(place) is room:
                del self._rooms[place]
                room.close()

        return leave

    def _tell(self, changes: Sequence[Change]) -> None:
        for room in tuple(self._rooms.values()):
            room.tell(changes)
