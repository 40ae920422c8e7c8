"""The loop of a scheduler's process: turn by turn until it is told to end, and the three ways of ending."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from threading import Event, Thread

from nbflow.courier import Courier
from nbflow.engine import TICK, Engine
from nbflow.errors import Unavailable, advised
from nbflow.housekeeping import Housekeeper
from nbflow.live import LiveRun
from nbflow.model import GRACE
from nbflow.ports import Clock, Executor, Say
from nbflow.run import CancelRequested, TaskRun
from nbflow.scheduler import Scheduler


class Ending(IntEnum):
    """How soon to end; a later one wins over an earlier one."""

    NOT_YET = 0
    DRAIN = 1
    """Start nothing more, and end when the running notebooks have."""
    CANCEL = 2
    """Cancel the running notebooks, and end when they have."""
    LEAVE = 3
    """End now; running notebooks go on, for the next scheduler to adopt."""


class Service:
    """A scheduler with its engine and executor, for as long as the process shall work.

    `say` is told, once each, what a person on the console should know. `is_orphan` says that whoever supervised this
    process is gone. `courier` and `housekeeper` work in threads of their own.
    """

    def __init__(
        self,
        *,
        scheduler: Scheduler,
        engine: Engine,
        executor: Executor,
        clock: Clock,
        courier: Courier | None = None,
        housekeeper: Housekeeper | None = None,
        say: Say,
        is_orphan: Callable[[], bool] = lambda: False,
    ) -> None:
        self._scheduler, self._engine, self._executor, self._clock = scheduler, engine, executor, clock
        self._courier, self._housekeeper, self._say, self._is_orphan = courier, housekeeper, say, is_orphan
        self._wanted = self._heeded = Ending.NOT_YET
        self._said: dict[str, str] = {}

    def end(self, how: Ending) -> None:
        """Ask for an end; may be called from a signal handler."""
        self._wanted = max(self._wanted, how)

    def interrupt(self) -> None:
        """Ctrl-C: drain, then cancel, then leave. May be called from a signal handler."""
        self.end(Ending(min(self._wanted + 1, Ending.LEAVE)))

    def leave(self) -> None:
        """SIGTERM: end now, and leave what runs to the next scheduler. May be called from a signal handler."""
        self.end(Ending.LEAVE)

    def run(self) -> None:
        """Work until an end was asked for and reached."""
        with self._aside():
            while not self._is_over():
                is_more = self._step()
                self._executor.wait(0 if is_more else TICK)
        self._let_go()

    @contextlib.contextmanager
    def _aside(self) -> Iterator[None]:
        """Messages are sent, and the house is kept, in threads of their own: nothing waits for them."""
        stop = Event()
        for each in (self._courier, self._housekeeper):
            if each is not None:
                Thread(target=each.work, args=(self._clock, stop), daemon=True).start()
        try:
            yield
        finally:
            stop.set()

    def _step(self) -> bool:
        """True if there is more to do at once."""
        now = self._clock.now()
        is_more = not self._engine.is_draining and self._scheduler.step(now)
        self._engine.step(now)
        self._report()
        return is_more

    def _is_over(self) -> bool:
        if self._is_orphan():
            self.end(Ending.LEAVE)
        if self._wanted > self._heeded:
            self._heeded = self._wanted
            self._heed(self._heeded)
        if self._heeded is Ending.LEAVE:
            return True
        return self._heeded is not Ending.NOT_YET and not self._running()

    def _heed(self, how: Ending) -> None:
        self._engine.is_draining = True
        with contextlib.suppress(Unavailable):  # then another one leads when this one is seen to be gone
            self._scheduler.resign()
        names = [f"{run.run.pipeline}.{task.key.address}" for run, task in self._running()]
        if how is Ending.DRAIN and names:
            self._say(f"waiting for {_count(names)} to end: {', '.join(names)}; Ctrl-C again cancels")
        elif how is Ending.CANCEL and names:
            self._say(f"cancelling {', '.join(names)}; Ctrl-C again leaves them running, for the next scheduler")
            for run, task in self._running():
                request = CancelRequested(by="nbflow up", key=task.key, note="nbflow up was stopped", grace=GRACE)
                self._engine.tell(run.run.id, request)
        elif how is Ending.LEAVE and names:
            self._say(f"leaving {_count(names)} running, for the next scheduler: {', '.join(names)}")

    def _running(self) -> Sequence[tuple[LiveRun, TaskRun]]:
        return [(live, task) for live in self._engine.runs.values() for task in live.tasks.values() if task.live]

    def _let_go(self) -> None:
        try:
            self._engine.leave()
            self._scheduler.resign()
        except Unavailable as error:  # what it holds is taken over when it is seen to be gone
            self._say(str(error), is_trouble=True)
        self._executor.close()

    # --- what a person should know -----------------------------------------------------------------------------

    def _report(self) -> None:
        trouble = self._scheduler.trouble or self._engine.trouble
        said = advised(str(trouble), "It is tried again.") if trouble else ""
        self._once("trouble", said, over="the database answers again")
        role = "" if self._scheduler.leader else "another scheduler leads; standing by"
        self._once("role", role if not trouble else self._said.get("role", ""), over="leading", is_trouble=False)
        problems = "\n".join(str(each) for each in self._scheduler.catalog.problems if each.severity == "error")
        self._once("problems", problems, over="all manifests can be used again")

    def _once(self, topic: str, text: str, *, over: str, is_trouble: bool = True) -> None:
        if text != self._said.get(topic, ""):
            self._say(text or over, is_trouble=is_trouble and bool(text))
            self._said[topic] = text


def _count(names: Sequence[str]) -> str:
    return f"{len(names)} notebook{'s' if len(names) > 1 else ''}"
