"""The wish that a notebook end before its end: who had it first, why, and how long the kernel is given.

Carries nothing out; the client does.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import FrameType

from nbflow.notebooks import endings
from nbflow.notebooks.endings import Ending
from nbflow.notebooks.folder import AttemptFolder

GONE = "the process that ran the notebook was told to end"


class Stop:
    """The first wish decides the ending; later ones can only shorten the time that is left.

    Wishes may come at any moment, from signal handlers too; `attach` lets a running loop wait for them.
    """

    def __init__(self) -> None:
        self._ending: Callable[[int | None], Ending] | None = None
        self._kill_at = float("inf")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()

    @property
    def is_wanted(self) -> bool:
        return self._ending is not None

    def ending(self, cell: int | None) -> Ending:
        """The ending that was wished for, when `cell` was running."""
        assert self._ending is not None
        return self._ending(cell)

    @property
    def seconds_left(self) -> float:
        """Until the kernel is to be killed; infinite where nobody wants it."""
        return max(0.0, self._kill_at - time.monotonic())

    def want(self, ending: Callable[[int | None], Ending], grace: timedelta) -> None:
        self._ending = self._ending or ending
        self._kill_at = min(self._kill_at, time.monotonic() + grace.total_seconds())
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake)

    def attach(self) -> None:
        """Wake waiters in the loop that runs now."""
        self._loop = asyncio.get_running_loop()

    def detach(self) -> None:
        self._loop = None

    async def wanted(self) -> None:
        """Return at the first wish."""
        while (news := self._news) and not self.is_wanted:
            await news.wait()

    async def killing_time(self) -> None:
        """Return when no time is left."""
        while (news := self._news) and (left := self.seconds_left) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), None if left == float("inf") else left)

    def _wake(self) -> None:
        """Each wish has an event of its own, so that no waiter can miss one that comes while it is about to wait."""
        self._news.set()
        self._news = asyncio.Event()

    @contextlib.contextmanager
    def heeding(self, folder: AttemptFolder) -> Iterator[None]:
        """Take SIGTERM as an operator's order, if one lies in the folder; else as the end of this process."""

        def on_signal(number: int, frame: FrameType | None) -> None:
            self.read_order(folder, GONE)

        before = signal.signal(signal.SIGTERM, on_signal)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def read_order(self, folder: AttemptFolder, otherwise: str) -> None:
        """Want what the stop order says; without one, be lost, for the reason given by `otherwise`."""
        try:
            order = folder.stop_order()
        except (OSError, ValueError):
            order = None
        if order is None:
            self.want(lambda cell: endings.lost(cell, otherwise), timedelta(0))
        else:
            by = order.by
            self.want(lambda cell: endings.cancelled(cell, by), order.grace)
