"""One reader of the change log for a whole server; everybody who watches something is told by it.

Lives on the event loop; only the reading itself happens in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from nbflow.errors import Unavailable, advised
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
        self._trouble = ""

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
            except Exception as error:
                self._report(error)
            else:
                self._report(None)
            await self._wait()

    def _report(self, error: Exception | None) -> None:
        """Once, however often it is seen."""
        trouble = repr(error) if error else ""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if error is None:
            log.info("the change log can be read again")
        elif isinstance(error, Unavailable):
            log.warning("%s", advised(str(error), "It is tried again."))
        else:
            log.error("the change log could not be read", exc_info=error)

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
