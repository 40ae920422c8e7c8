"""One reader of the change log for a whole server; everybody who watches something is told by it.

Lives on the event loop; only the reading itself happens in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from nbflow.errors import Unavailable
from nbflow.run import Change

log = logging.getLogger("nbflow.app")

PACE, QUIET = 0.1, 1.0
"""Seconds between two looks while somebody watches, and while nobody does."""

Told = Callable[[Sequence[Change]], None]


class Log(Protocol):
    """The part of the api that is read."""

    def changes(self, after: int = 0) -> Sequence[Change]: ...

    def latest_change(self) -> int: ...


class Hub:
    """Follows the change log from now on."""

    def __init__(self, source: Log) -> None:
        self._source = source
        self._woken = asyncio.Event()
        self._watchers: set[Told] = set()
        self._seen: int | None = None

    def watch(self, told: Told) -> Callable[[], None]:
        """Call `told` on the loop with every change from now on; returns what ends it."""
        self._watchers.add(told)
        self._woken.set()
        return lambda: self._watchers.discard(told)

    async def run(self) -> None:
        """Until cancelled. A store that is away is asked again; what happened meanwhile is told then."""
        while True:
            try:
                while news := await asyncio.to_thread(self._read):
                    self._tell(news)
            except Unavailable as error:
                log.warning("%s", error)
            except Exception:
                log.exception("the change log could not be read")
            await self._wait()

    async def _wait(self) -> None:
        self._woken.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), PACE if self._watchers else QUIET)

    def _read(self) -> Sequence[Change]:
        if self._seen is None:
            self._seen = self._source.latest_change()
        news = self._source.changes(self._seen)
        if news:
            self._seen = news[-1].seq
        return news

    def _tell(self, news: Sequence[Change]) -> None:
        for told in tuple(self._watchers):
            try:
                told(news)
            except Exception:
                log.exception("a watcher failed")
