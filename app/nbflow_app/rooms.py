"""Rooms: the pages that watch one thing, in one time zone. What changed is worked out once for all of them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple, Protocol, TypeVar
from zoneinfo import ZoneInfo

from nbflow.run import Change
from nbflow_app.hub import Hub
from nbflow_app.pages.run import RunNow

log = logging.getLogger("nbflow.app")

T = TypeVar("T")

PACE = 0.25
"""The shortest time between two patches of a page, in seconds."""

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


class Seen(NamedTuple):
    """How much a page knew when it was made: the last change, and how far it had read what an attempt did."""

    change: int
    upto: int


class Subject(Protocol):
    """What a room watches. Asked one question at a time."""

    @property
    def pulse(self) -> float:
        """Seconds after which it is looked at again without a change; 0 where only changes count."""
        ...

    def concerns(self, change: Change) -> bool:
        """Whether a change of the log is about it."""
        ...

    def news(self, changes: Sequence[Change]) -> News:
        """What to tell after these changes; after none, at its pulse. May block."""
        ...

    def since(self, seen: Seen) -> News:
        """What to tell a page that comes in late. May block."""
        ...


Send = Callable[[News], None]


class Room:
    """Everybody who watches one subject."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.members: set[Send] = set()
        self._changes: list[Change] = []
        self._arrived: list[tuple[Send, Seen]] = []
        self._woken = asyncio.Event()
        self._sent: dict[str, str] = {}
        self._work = asyncio.get_running_loop().create_task(self._go())

    def join(self, send: Send, seen: Seen | None) -> None:
        self.members.add(send)
        if seen is not None:
            self._arrived.append((send, seen))
            self._woken.set()

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
            arrived, self._arrived = self._arrived, []
            has_told = bool(arrived)
            if changes or not arrived:
                has_told = self._send(await _asked(self.subject.news, changes))
            for send, seen in arrived:
                news = await _asked(self.subject.since, seen)
                if news.parts or news.refresh:
                    send(news)
            if has_told:
                await asyncio.sleep(PACE)

    async def _next(self) -> None:
        self._woken.clear()
        if self._changes or self._arrived:
            return
        try:
            await asyncio.wait_for(self._woken.wait(), self.subject.pulse or None)
        except TimeoutError:
            return

    def _send(self, news: News) -> bool:
        """To all, and only the parts that differ from what was sent before; whether there was anything."""
        parts = {id: html for id, html in news.parts.items() if self._sent.get(id) != html}
        self._sent.update(parts)
        if not parts and not news.refresh:
            return False
        told = replace(news, parts=parts)
        for send in tuple(self.members):
            send(told)
        return True


async def _asked(ask: Callable[[T], News], about: T) -> News:
    try:
        return await asyncio.to_thread(ask, about)
    except Exception:
        log.exception("what is new could not be worked out")
        return News(refresh=True)


def _nothing() -> None:
    """Nobody watches."""


class Rooms:
    """All rooms of a server. `subject` makes what a name watches in a zone; it raises NotFound for none."""

    def __init__(self, hub: Hub, subject: Callable[[str, ZoneInfo], Subject]) -> None:
        self._subject = subject
        self._rooms: dict[tuple[str, str], Room] = {}
        self._hub, self._unwatch = hub, _nothing

    async def enter(self, watch: str, zone: ZoneInfo, send: Send, seen: Seen | None) -> Callable[[], None]:
        """Be told what happened since a page was made, and from now on; returns what ends it. Raises NotFound."""
        if (watch, zone.key) not in self._rooms:
            subject = await asyncio.to_thread(self._subject, watch, zone)
            return self.join(watch, zone, send, subject, seen)
        return self.join(watch, zone, send, None, seen)

    def join(
        self, watch: str, zone: ZoneInfo, send: Send, subject: Subject | None = None, seen: Seen | None = None
    ) -> Callable[[], None]:
        """The same at once, for one who has just looked. An empty room is closed."""
        place = (watch, zone.key)
        if place not in self._rooms:
            found = Room(subject or self._subject(watch, zone))
            if not self._rooms:
                self._unwatch = self._hub.watch(self._tell)
            self._rooms[place] = found
        room = self._rooms[place]
        room.join(send, seen)

        def leave() -> None:
            room.members.discard(send)
            if not room.members and self._rooms.get(place) is room:
                del self._rooms[place]
                room.close()
            if not self._rooms:
                self._unwatch()

        return leave

    def _tell(self, changes: Sequence[Change]) -> None:
        for room in tuple(self._rooms.values()):
            room.tell(changes)
