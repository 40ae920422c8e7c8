"""The guard's one wait: for its runner, its caller, or an order to stop. Ends nothing itself."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Set

from nbflow.notebooks.folder import AttemptFolder

MARGIN = 5.0
"""Seconds that a runner gets, after the grace of a stop order, to finish its log."""

LEFT_NOTHING = b"."
"""What a runner says last: the outcome is written, it has no children, and knows of no other process that is left."""

SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


class Signals:
    """Signals as something to select on. None of them ends the guard, and none is ignored in what it executes."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._arrived: set[int] = set()  # not read from the pipe, which a flood of dead children may fill
        for number in SIGNALS:  # even SIGINT gets a handler: had it been ignored, the kernel would ignore it as well
            signal.signal(number, lambda number, _: self._arrived.add(number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def fileno(self) -> int:
        return self._read

    def take(self) -> set[int]:
        """The numbers that arrived since the last call."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._read, 4096):
                pass
        arrived, self._arrived = self._arrived, set()
        return arrived

    def leave_to_runner(self) -> None:
        """Undo, in the runner: SIGTERM ends it until it has its own handler; SIGINT stays without effect."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(self._read)
        os.close(self._write)


class Watch:
    """The guard's one wait: for the runner's last word or end, the caller's end, or an order to stop."""

    def __init__(
        self, folder: AttemptFolder, runner: int, tie: socket.socket, signals: Signals, lifeline: int | None
    ) -> None:
        self._folder, self._runner, self._tie = folder, runner, tie
        self._signals, self._lifeline = signals, lifeline
        self._deadline = float("inf")
        self.left_nothing = False
        """The runner has said so, and is about to be gone: what it still does is to give back its memory."""

    def until_end(self) -> str:
        """Return when nothing more is to be waited for, with the reason that holds if there is no outcome."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._signals, selectors.EVENT_READ)
            if self._lifeline is not None:
                selector.register(self._lifeline, selectors.EVENT_READ)
            selector.register(self._tie, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select(self._seconds_left())}
                if self._tie in ready:  # it says one thing or ends, and is not asked again
                    selector.unregister(self._tie)
                    self.left_nothing = self._tie.recv(1) == LEFT_NOTHING
                if reason := self._heed(ready):
                    return reason

    def _seconds_left(self) -> float | None:
        return None if self._deadline == float("inf") else max(0.0, self._deadline - time.monotonic())

    def _heed(self, ready: Set[object]) -> str:
        """The reason to end now; empty to wait on."""
        numbers = self._signals.take()
        exit_code = _reap(self._runner)
        if self.left_nothing or exit_code is not None:
            return _describe(exit_code or 0)
        if self._lifeline in ready:
            return "the command that ran it is gone"
        if signal.SIGTERM in numbers:
            self._pass_on_stop()
        if self._seconds_left() == 0:
            return "its runner did not stop in time"
        return ""

    def _pass_on_stop(self) -> None:
        """Let the runner read its order. Without one it is somebody else who wants us gone, perhaps a shutdown."""
        try:
            order = self._folder.stop_order()
        except (ValueError, OSError):
            order = None
        grace = 0.0 if order is None else order.grace.total_seconds()
        os.kill(self._runner, signal.SIGTERM)  # our child, not yet reaped: the number is still its own
        self._deadline = min(self._deadline, time.monotonic() + grace + MARGIN)


def _reap(runner: int) -> int | None:
    """Collect every dead child, adopted orphans too; the runner's exit code (negative: a signal) if it was one."""
    ended = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == runner:
                ended = os.waitstatus_to_exitcode(status)
    return ended


def _describe(exit_code: int) -> str:
    if exit_code < 0:
        return f"its runner was killed by signal {-exit_code}"
    return f"its runner ended with exit code {exit_code} and left no result"
