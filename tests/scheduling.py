"""Schedulers over one store, one machine and a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from building import task
from engines import FakeOwners

from nbflow.api import Api, Caller, Role
from nbflow.engine import Engine
from nbflow.errors import Unavailable
from nbflow.model import Pipeline, Schedule
from nbflow.notebooks.logs import FolderLogs
from nbflow.run import Run
from nbflow.scheduler import Scheduler
from nbflow.testing.clock import FakeClock
from nbflow.testing.dict_store import DictStore
from nbflow.testing.executor import FakeExecutor, Script
from nbflow.testing.workspace import FakeWorkspace

MONDAY = datetime(2026, 3, 30, 9, 0, tzinfo=UTC)
DAILY = Schedule(cron="0 2 * * *")
DAY, HOUR, MINUTE, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
SLOW = Script(after=timedelta(hours=30))
SLOWER = Script(after=timedelta(hours=100))


def scheduled(name: str = "nightly", timing: Schedule | None = DAILY, *names: str, **about: Any) -> Pipeline:
    """A pipeline of independent tasks, by default of one."""
    tasks = {each: task(each) for each in names or ("only",)}
    return Pipeline(name=name, schedule=timing, tasks=tasks, **about)


class Away:
    """A store that can be away: `is_away` makes every verb raise Unavailable, `fails` the verbs that it names."""

    def __init__(self, store: DictStore) -> None:
        self._store = store
        self.is_away = False
        self.fails: set[str] = set()
        self.before: dict[str, Callable[[], None]] = {}
        """What happens in the moment before a verb."""

    def __getattr__(self, name: str) -> Any:
        self.before.get(name, lambda: None)()
        if self.is_away or name in self.fails:
            raise Unavailable("the database does not answer")
        return getattr(self._store, name)


class Machine:
    """One machine with its processes; `Process` objects on it come and go."""

    def __init__(
        self, *pipelines: Pipeline, scripts: Any = None, slots: int = 4, pools: Mapping[str, int] | None = None
    ) -> None:
        self.pools = pools or {}
        self.clock, self.store, self.owners = FakeClock(MONDAY), DictStore(), FakeOwners()
        self.workspace = FakeWorkspace(*pipelines)
        self.scripts, self.slots = scripts, slots
        self.alive: dict[Any, Any] = {}
        self.count = 0
        self.on_restart: tuple[str, ...] = ()
        self.api = Api(
            caller=Caller(name="ada", role=Role.ADMIN),
            store=self.store,
            workspace=self.workspace,
            logs=FolderLogs("/nowhere"),  # type: ignore[arg-type]
            clock=self.clock,
            driver=None,
            owners=self.owners,
            slots=slots,
            pools=self.pools,
        )

    def start(self, name: str = "") -> Process:
        self.count += 1
        return Process(self, name or f"scheduler@host.{self.count}")

    def runs(self, pipeline: str | None = None) -> list[Run]:
        """Oldest first."""
        return list(self.store.list_runs(pipeline=pipeline, limit=10_000))[::-1]

    def keys(self, pipeline: str = "nightly") -> list[str]:
        """The ticks that have runs, without `sched:`."""
        return sorted(run.run_key.removeprefix("sched:") for run in self.runs(pipeline))

    def states(self) -> Mapping[str, str]:
        """Run key → state."""
        return {run.run_key.removeprefix("sched:"): str(run.state) for run in self.runs()}


class Process:
    """A scheduler with its engine, as one process has them."""

    def __init__(self, machine: Machine, name: str) -> None:
        self.machine, self.name = machine, name
        self.store = Away(machine.store)
        self.executor = FakeExecutor(machine.clock.now, machine.scripts, slots=machine.slots, machine=machine.alive)
        self.engine = Engine(
            name=name,
            store=self.store,
            executor=self.executor,
            clock=machine.clock,
            owners=machine.owners,
            pools=machine.pools,
        )
        self.scheduler = Scheduler(
            store=self.store,
            workspace=machine.workspace,
            engine=self.engine,
            owners=machine.owners,
            on_restart=machine.on_restart,
        )

    def step(self, after: timedelta = timedelta(0)) -> None:
        """Let time pass, then turns as long as there is more to do."""
        now = self.machine.clock.advance(after)
        is_more = True
        while is_more:
            is_more = self.scheduler.step(now)
            self.engine.step(now)

    def work(self, span: timedelta, every: timedelta = timedelta(seconds=5)) -> None:
        """Turns for a span of time."""
        for _ in range(int(span / every)):
            self.step(every)

    def until(self, holds: Callable[[], Any], every: timedelta = timedelta(seconds=1), turns: int = 500) -> None:
        while not holds():
            assert turns, f"not within the turns: {holds}"
            turns -= 1
            self.step(every)

    def kill(self) -> None:
        """As `kill -9`: nothing is let go of, and its locks are free."""
        self.machine.owners.dead.add(self.name)

    @property
    def is_dead(self) -> bool:
        return self.name in self.machine.owners.dead


def at(day: int, hour: int = 2, minute: int = 0) -> datetime:
    """A time of March 2026; days after the 31st are of April."""
    return datetime(2026, 3, 1, hour, minute, tzinfo=UTC) + (day - 1) * DAY


def go_to(process: Process, when: datetime) -> None:
    process.step(when - process.machine.clock.now())
