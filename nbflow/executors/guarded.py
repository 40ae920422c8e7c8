"""One attempt seen from outside: start its guard, replace a guard that died, tell what became of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from nbflow.errors import Unavailable
from nbflow.executors.launch import ForkedGuard, Guard, Launch, Warm, by_exec, by_fork, environment
from nbflow.executors.processes import TABLE, end_all, members, this_world
from nbflow.executors.proctable import TOKEN_VARIABLE, Marks, Process
from nbflow.executors.worker import DONE, Exit
from nbflow.model import AttemptId
from nbflow.notebooks.folder import AttemptFolder
from nbflow.run import AttemptEnded, AttemptStarted, StopAttempt
from nbflow.states import AttemptState, Cause

LAST_MOMENT = 0.05
"""Seconds between the end of a guard's pipe and its exit code, at most, as a rule."""

START_ALONE = 0.2
"""Seconds after the order from which a start is told by itself. Of an attempt that ends sooner, start and end are told
at once: whoever writes them down does so once."""

HAND_OVER = 60.0
"""Seconds until a guard that a server was asked for must have begun; a server that hangs is passed over then."""

TRIES = 3
"""How often a guard is started for one purpose: to run the attempt, or to end what a dead guard left."""


@dataclass(slots=True, kw_only=True)
class Guarded:
    """An attempt until its end is reported. Its files are the truth; this holds only what a parent process knows."""

    id: AttemptId
    token: str
    folder: AttemptFolder
    project: Path
    lifeline: int | None = None
    warm: Warm | None = None
    starts_left: int = TRIES
    """Zero for an attempt of another engine: it is never begun unasked."""
    closes_left: int = TRIES
    event: int | None = field(default=None, init=False)
    """Readable when there may be news; None where only the attempt's lock tells."""
    _guard: Guard | None = field(default=None, init=False)
    _asked_at: float = field(default=0.0, init=False)
    _is_seen: bool = field(default=False, init=False)

    def start(self) -> None:
        """Start a guard that runs the attempt, if it was never begun. Raises OSError."""
        self.starts_left -= 1
        self._spawn()

    def look(self) -> Iterator[AttemptStarted | AttemptEnded]:
        """What was not told yet. The last fact is the end; it may have to be asked for again to get there."""
        is_alive = self.is_alive()  # first: what a living one writes after this is seen by the next look
        ended = None if is_alive else self._ending()
        if (ended is not None or self.start_is_told_in <= 0) and (began := self._news_of_start()) is not None:
            if ended is None:
                self._keep_order()
            yield began
        if ended is not None:
            yield ended

    def _keep_order(self) -> None:
        """It goes on for longer: with the order, a guard can complete the log of what a loss of power has ended."""
        with contextlib.suppress(OSError):
            self.folder.keep_order()

    @property
    def start_is_told_in(self) -> float:
        """Seconds until a start is told even if there is nothing else to tell; not positive: from now on, or it was."""
        return 0.0 if self._is_seen else self._asked_at + START_ALONE - time.monotonic()

    def is_alive(self) -> bool:
        """Whether a guard or a runner has something left to do: by our child, its status pipe or, of strangers, the
        attempt's lock."""
        if self._is_overdue:
            self._pass_over_server()
        if self.event is not None:
            self._listen(self.event)
        if self.event is not None or (self._guard is not None and self._guard.poll() is None):
            return True
        if self._guard_is_done:  # it may hold the lock a moment longer
            return False
        try:
            return self.folder.is_locked
        except OSError:  # cannot be known now
            return True

    def _listen(self, event: int) -> None:
        """Hear the guard: up to its end or, where it is no child that has to be waited for, its last word."""
        with contextlib.suppress(BlockingIOError):
            while said := os.read(event, 64):
                if DONE in said and isinstance(self._guard, ForkedGuard):
                    self._guard.end(Exit.DONE)
                    break
            self.event = None
            os.close(event)
            self._await_exit()

    @property
    def _is_overdue(self) -> bool:
        """It was handed to a server, which has done nothing with it for too long."""
        if not isinstance(self._guard, ForkedGuard) or self.event is None or self._is_seen:
            return False
        return time.monotonic() > self._asked_at + HAND_OVER and not self.folder.has_begun

    def _pass_over_server(self) -> None:
        """Forget the guard that was asked for: should it come after all, it finds the attempt held or begun."""
        assert isinstance(self._guard, ForkedGuard)
        self._guard.connection.close()
        self.let_go()
        self._guard = self.warm = None

    def _await_exit(self) -> None:
        """It is about to be gone, or is as good as gone: a moment is better than another look later."""
        if self._guard is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._guard.wait(LAST_MOMENT)

    def stop(self, order: StopAttempt) -> None:
        """Leave the order, which whoever begins the attempt later finds, and wake the guard that has begun it.

        That need not be ours, which may have come second. If the order cannot be written, the attempt ends at once, as
        lost.
        """
        with contextlib.suppress(OSError):
            self.folder.ask_to_stop(order)
        who = self.folder.begun() or {}
        if who.get("world") == this_world():
            TABLE.send(Process(who["pid"], who["since"]), signal.SIGTERM)

    def let_go(self) -> None:
        """Forget the processes; they go on."""
        if self.event is not None:
            os.close(self.event)
            self.event = None
        if isinstance(self._guard, subprocess.Popen) and self._guard.poll() is None:
            self._guard.returncode = 0  # or Popen complains that nobody waits for it

    # --- the end -----------------------------------------------------------------------------------------------

    def _ending(self) -> AttemptEnded | None:
        """How it ended; None while something of it is left, which another process is then set to end."""
        outcome = self._outcome()
        if outcome is not None and (self._guard_is_done or not members(self._marks)):
            return outcome
        is_there = self.folder.path.is_dir()
        if is_there and self._try_again(is_ended=outcome is not None):
            return None
        if not end_all(self._marks, within=1.0):
            return None
        why = "and its log could not be completed" if is_there else "and its folder is not there"
        return outcome or self._lost(f"it left no result, {why}")

    def _try_again(self, *, is_ended: bool) -> bool:
        """Set another guard to it; False when that was done often enough."""
        is_new = not is_ended and self.folder.begun() is None
        with contextlib.suppress(OSError):  # no process to be had now: this counts as a try
            if is_new and self.starts_left:
                self.start()
                return True
            if self.closes_left:
                self.closes_left -= 1
                self._spawn(is_closing=True)
                return True
            return False
        return True

    @property
    def _guard_is_done(self) -> bool:
        return self._guard is not None and self._guard.returncode == Exit.DONE

    @property
    def _marks(self) -> Marks:
        return Marks(self.token, self.folder.marker)

    def _news_of_start(self) -> AttemptStarted | None:
        who = None if self._is_seen else self.folder.begun()
        if not who:  # not yet, or not by a guard that was going to run it
            return None
        self._is_seen = True
        return AttemptStarted(attempt=self.id, token=self.token, at=datetime.fromisoformat(who["at"]))

    def _outcome(self) -> AttemptEnded | None:
        try:
            return self.folder.outcome()
        except (ValueError, TypeError, OSError) as error:
            return self._lost(f"its result cannot be read: {error}")

    def _lost(self, reason: str) -> AttemptEnded:
        state, cause = AttemptState.LOST, Cause.LOST
        return AttemptEnded(
            attempt=self.id, token=self.token, at=datetime.now(UTC), state=state, cause=cause, reason=reason
        )

    # --- processes ---------------------------------------------------------------------------------------------

    def _spawn(self, *, is_closing: bool = False) -> None:
        reading, writing = os.pipe()
        try:
            launch = Launch(
                folder=self.folder.path,
                project=self.project,
                log=self.folder.log,
                environment={
                    **environment(self.project, self.warm),
                    **({} if is_closing else {TOKEN_VARIABLE: self.token}),
                },
                status=writing,
                lifeline=None if is_closing else self.lifeline,
                is_closing=is_closing,
            )
            self._guard = self._started(launch)
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        os.set_blocking(reading, False)
        self.event, self._asked_at = reading, time.monotonic()

    def _started(self, launch: Launch) -> Guard:
        if self.warm is not None and not launch.is_closing:
            with contextlib.suppress(OSError, Unavailable):  # no server to be had: the ordinary way then
                return by_fork(launch, self.warm)
        return by_exec(launch)
