"""Drive a run from the terminal: show it while it goes, and turn Ctrl-C into a cancel."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from nbflow.cli.picture import Picture
from nbflow.cli.progress import Lines, Snapshot, Watcher
from nbflow.cli.session import FAILED, INTERRUPTED, OK, Session
from nbflow.states import RunState

if TYPE_CHECKING:
    from nbflow.api import RunView
    from nbflow.estimates import Past
    from nbflow.model import PipelineName, RunId
    from nbflow.run import Run
    from nbflow.wiring import Live

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

NOTICES = (
    "cancelling: notebooks are interrupted and get 10 s; Ctrl-C again kills them",
    "killing what still runs; Ctrl-C again leaves at once",
)

LOOK_AGAIN = 0.25
"""Seconds between two looks at a run that another process drives."""


class Driving(AbstractContextManager["Driving"]):
    """What `api.drive` and its kin get as `watch`, and the signal handlers for as long as they work.

    While nothing is driven here yet, a signal ends the command as usual; afterwards it cancels the run. Signals that
    the caller ignores (`nohup`, a background job) stay ignored.
    """

    def __init__(self, live: Live, watcher: Watcher) -> None:
        self._live, self._watcher = live, watcher
        self._before: dict[signal.Signals, Any] = {}
        self.began = datetime.now(UTC)
        self.is_driving = False
        self.interrupts = 0

    def __enter__(self) -> Driving:
        for each in SIGNALS:
            if signal.getsignal(each) is not signal.SIG_IGN:
                self._before[each] = signal.signal(each, self._interrupted)
        self._watcher.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watcher.__exit__(kind, value, trace)
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def __call__(self, snapshot: Snapshot) -> None:
        self.is_driving = True
        if (trouble := self._live.trouble) or not self.interrupts:
            self._watcher.notice = trouble
        self._watcher(snapshot)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if not self.is_driving:
            raise KeyboardInterrupt
        self.interrupts += 1
        self._watcher.notice = NOTICES[min(self.interrupts, len(NOTICES)) - 1]
        self._live.interrupt()


def drive(
    session: Session, live: Live, pipeline: PipelineName, work: Callable[[Driving], Run]
) -> tuple[RunView, Driving]:
    """Let `work` carry a run on here, or follow it where another process does; returns it as it ended."""
    watcher = _watcher(session, live, live.api.past(pipeline))
    with Driving(live, watcher) as driving:
        run = work(driving)
        return follow(live, run.id, watcher, until=lambda view: view.run.state.is_terminal), driving


def follow(live: Live, run: RunId, watcher: Watcher, *, until: Callable[[RunView], bool]) -> RunView:
    """Look at a run again and again until it stands as wanted."""
    while True:
        view = live.api.status(run)
        watcher(view.stored)
        if until(view):
            return view
        time.sleep(LOOK_AGAIN)


def exit_code(view: RunView, driving: Driving) -> int:
    if view.run.state is RunState.SUCCESS:
        return OK
    return INTERRUPTED if driving.interrupts else FAILED


def _watcher(session: Session, live: Live, past: Past) -> Watcher:
    if session.err.is_terminal and not session.err.is_dumb_terminal:
        return Picture(session.err, live.api.progress, past)
    return Lines(session.say)
