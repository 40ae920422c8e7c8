"""A year of daily pipelines on a fake clock: schedulers that are killed at any write, notebooks that fail, a ledger.

What must become of every tick is known beforehand, from the schedule and the scripts alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import count, takewhile
from random import Random
from typing import Any
from zlib import crc32

from engines import FakeOwners

from nbflow import schedule, timetable
from nbflow.backfill import run_key
from nbflow.engine import Engine
from nbflow.model import Pipeline, PipelineName, Retries, Schedule, Task, TaskKey, TaskName
from nbflow.ports import StoredRun
from nbflow.run import Attempt, ErrorInfo, StartAttempt
from nbflow.schedule import Tick
from nbflow.scheduler import LOOK, Scheduler
from nbflow.states import AttemptState, Cause, RunKind, TaskState
from nbflow.testing.clock import FakeClock
from nbflow.testing.dict_store import DictStore
from nbflow.testing.executor import FakeExecutor, Script
from nbflow.testing.workspace import FakeWorkspace

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY, HOUR, MINUTE, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
GRAIN = MINUTE
"""What ends within such a time is seen in one turn, so that a year has fewer of them."""
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Nuuk",
    "Asia/Kathmandu",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Africa/Cairo",
    "Pacific/Chatham",
)
MISSED: Sequence[Any] = ("latest", "all", "none", 3)
OVERLAPS: Sequence[Any] = ("queue", "skip", "cancel_running")


def pipelines(number: int, tasks: int, days: int) -> list[Pipeline]:
    end = (BEGIN + days * DAY).date()
    return [_pipeline(each, tasks, end) for each in range(number)]


def _pipeline(number: int, tasks: int, end: date) -> Pipeline:
    """Daily up to a last day, near the hours at which clocks change; of ten zones and every policy."""
    chance = Random(number)
    timing = Schedule(
        cron=f"{chance.choice([0, 15, 30, 45])} {chance.choice([0, 1, 2, 3, 23])} * * *",
        timezone=ZONES[number % len(ZONES)],
        end=end,
        missed=MISSED[number % len(MISSED)],
        overlap=OVERLAPS[number % len(OVERLAPS)],
    )
    made: dict[TaskName, Task] = {}
    for name in (TaskName(f"t{at}") for at in range(tasks)):
        known = list(made)[-5:]
        made[name] = Task(
            name=name,
            notebook=f"{name}.ipynb",
            depends_on=tuple(chance.sample(known, min(len(known), chance.choice([0, 1, 1, 2])))),
            retries=chance.choice([Retries(), Retries(max_retries=2, delay=MINUTE)]),
            pool="warehouse" if chance.random() < 0.1 else None,
        )
    return Pipeline(
        name=PipelineName(f"p{number:03}"), schedule=timing, max_active_runs=chance.choice([1, 1, 2]), tasks=made
    )


def ticks(pipeline: Pipeline, after: datetime, upto: datetime | None = None) -> Iterator[Tick]:
    assert pipeline.schedule is not None
    return takewhile(lambda tick: upto is None or tick.instant <= upto, schedule.ticks(pipeline.schedule, after))


# --- what notebooks do, and what must come of it --------------------------------------------------------------------

BAD_ROW = ErrorInfo(name="ValueError", message="bad row", bases=("Exception",))
NO_SUCH_NAME = ErrorInfo(name="NameError", message="no such name", bases=("Exception",))
FAILURES: Sequence[tuple[float, Mapping[str, Any]]] = (
    (0.030, {"cause": Cause.ERROR, "error": BAD_ROW}),
    (0.034, {"cause": Cause.ERROR, "error": NO_SUCH_NAME}),
    (0.042, {"cause": Cause.KERNEL_DIED}),
    (0.046, {"cause": Cause.TIMEOUT}),
    (0.056, {"cause": Cause.LOST, "state": AttemptState.LOST}),
    (0.070, {"cause": Cause.STORAGE, "can_start": False}),
)


def script(pipeline: str, logical_date: datetime, task: str, number: int) -> Script:
    """What an attempt does depends on nothing but what it is for."""
    drawn = crc32(f"{pipeline}/{logical_date:%m%d}/{task}/{number}".encode())
    share, rest = (drawn % 10_000) / 10_000, drawn // 10_000
    lasts = 31 * HOUR if rest % 3000 == 0 else (1 + rest % 2) * 15 * MINUTE
    for limit, about in FAILURES:
        if share < limit:
            return Script(**{"state": AttemptState.FAILED, "after": lasts, **about})
    return Script(after=lasts)


def foreseen(pipeline: Pipeline, logical_date: datetime) -> Mapping[TaskName, tuple[TaskState, list[AttemptState]]]:
    """How every task run ends and how its attempts do, by semantics §3 and §4 in their plainest form."""
    found: dict[TaskName, tuple[TaskState, list[AttemptState]]] = {}
    for task in pipeline.tasks.values():
        if any(found[up][0] is not TaskState.SUCCESS for up in task.depends_on):
            found[task.name] = (TaskState.UPSTREAM_FAILED, [])
        else:
            found[task.name] = _tried(pipeline.name, logical_date, task)
    return found


def _tried(pipeline: str, logical_date: datetime, task: Task) -> tuple[TaskState, list[AttemptState]]:
    ended: list[AttemptState] = []
    failures = strikes = 0
    for number in count(1):
        does = script(pipeline, logical_date, task.name, number)
        ended.append(does.state)
        if does.state is AttemptState.SUCCESS:
            return TaskState.SUCCESS, ended
        own = does.cause in {Cause.LOST, Cause.STORAGE}
        failures, strikes = failures + (not own), strikes + 1 if own else 0
        if does.error is NO_SUCH_NAME or failures > task.retries.max_retries or strikes == 3:
            break
    return TaskState.FAILED, ended


# --- the world ------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone."""


WRITES = ("apply", "apply", "apply", "fire", "claim", "release", "renew", "lead")
"""What a process dies at, the more often the more there is to lose."""


class Mortal:
    """A store as a process sees it that is doomed: it is killed before or after a write that is to come."""

    def __init__(self, store: DictStore, chance: Random) -> None:
        self._store, self._chance = store, chance
        self._doom: tuple[str, int] | None = None

    def doom(self) -> None:
        """Die at the third `apply` from now on, say."""
        self._doom = (self._chance.choice(WRITES), self._chance.randrange(1, 9))

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._store, name)
        if self._doom is None or name != self._doom[0]:
            return verb
        return lambda *given, **named: self._write(verb, given, named)

    def _write(self, verb: Callable[..., Any], given: Any, named: Any) -> Any:
        assert self._doom is not None
        name, left = self._doom
        self._doom = (name, left - 1)
        if left > 1:
            return verb(*given, **named)
        if self._chance.random() < 0.7:
            verb(*given, **named)
        raise Killed


class World:
    """One machine with its database, and schedulers that come and go."""

    def __init__(self, pipelines: Sequence[Pipeline], *, slots: int, places: int, seed: int) -> None:
        self.pipelines, self.slots, self.chance = pipelines, slots, Random(seed)
        self.pools = {"warehouse": places}
        self.clock, self.store, self.owners = FakeClock(BEGIN), DictStore(), FakeOwners()
        self.workspace = FakeWorkspace(*pipelines)
        self.alive: dict[Any, Any] = {}
        """The attempts on the machine: they outlive the schedulers."""
        self.processes: list[Process] = []
        self.births = self.turns = 0
        self.ticks = sorted({tick.instant for each in pipelines for tick in ticks(each, BEGIN)})

    def start(self) -> None:
        self.births += 1
        self.processes.append(Process(self, f"scheduler@host.{self.births}"))

    def end(self, process: Process) -> None:
        self.owners.dead.add(process.name)
        self.processes.remove(process)

    def go_to(self, when: datetime) -> None:
        """Live until an instant: turn by turn while something happens, else from event to event."""
        while self.clock.now() < when:
            self._turn(when)

    def until_dead(self, victim: Process) -> None:
        """Live until a doomed process has met its end, at its write or after some hours without one."""
        latest = self.clock.now() + 4 * HOUR
        while victim in self.processes and self.clock.now() < latest:
            self._turn(latest)
        if victim in self.processes:
            self.end(victim)

    def _turn(self, latest: datetime) -> None:
        now, is_busy = self.clock.now(), self._step()
        later = now + LOOK if is_busy else max(now + GRAIN, min(self._events(now), default=latest))
        self.clock.advance(min(later, latest) - now)

    def _step(self) -> bool:
        """One turn of every process; whether anything came of it."""
        self.turns += 1
        seen = self.store.latest_change()
        for process in list(self.processes):
            try:
                process.step(self.clock.now())
            except Killed:
                self.end(process)
        return self.store.latest_change() != seen

    def _events(self, now: datetime) -> Iterator[datetime]:
        yield from self.ticks[(at := bisect_right(self.ticks, now)) : at + 1]
        for process in self.processes:
            yield from process.events()


class Process:
    """A scheduler with its engine and executor, as one process has them."""

    def __init__(self, world: World, name: str) -> None:
        self.name, self.store = name, Mortal(world.store, world.chance)
        self.executor = FakeExecutor(world.clock.now, _of_order, slots=world.slots, machine=world.alive)
        store: Any = self.store
        self.engine = Engine(
            name=name, store=store, executor=self.executor, clock=world.clock, owners=world.owners, pools=world.pools
        )
        self.scheduler = Scheduler(store=store, workspace=world.workspace, engine=self.engine, owners=world.owners)

    def step(self, now: datetime) -> None:
        self.scheduler.step(now)
        self.engine.step(now)
        assert self.scheduler.trouble is None
        assert self.engine.trouble is None

    def events(self) -> Iterator[datetime]:
        """When the next attempt ends, and when the next retries are due."""
        if end := self.executor.next_end():
            yield end
        yield from (at for live in self.engine.runs.values() if (at := live.wake_at()))

    def leave(self) -> None:
        """End in order, and leave what runs to the next one."""
        self.engine.leave()
        self.scheduler.resign()
        self.executor.close()


def _of_order(order: StartAttempt) -> Script:
    return script(order.pipeline, order.logical_date, order.key.address, order.number)


# --- what goes wrong ------------------------------------------------------------------------------------------------


def live_through(world: World, until: datetime, troubles: int, ledger: Ledger) -> None:
    """Let schedulers be killed, end and come back at random, most of them when ticks are near; a day at a time."""
    world.start()
    moments = sorted(_moment(world, until) for _ in range(troubles))
    for day in range((until - BEGIN) // DAY):
        tonight = BEGIN + (day + 1) * DAY
        while moments and moments[0] < tonight:
            world.go_to(moments.pop(0))
            _trouble(world)
        world.go_to(tonight)
        ledger.settle()


def _moment(world: World, until: datetime) -> datetime:
    anywhere = BEGIN + world.chance.random() * (until - BEGIN)
    if world.chance.random() < 0.3:
        return anywhere
    pipeline = world.chance.choice(world.pipelines)
    tick = next(ticks(pipeline, anywhere), None)
    near = tick.instant + world.chance.uniform(-30, 3600) * SECOND if tick else anywhere
    return min(max(BEGIN, near), until)


def _trouble(world: World) -> None:
    """A process dies at a write that is to come or ends in order, another one comes, or a pipeline is paused."""
    kind, paused = world.chance.random(), None
    if kind < 0.1:
        paused = _paused(world, world.chance.choice(world.pipelines))
    elif kind < 0.2:
        world.start()  # it stands by, until the leader is gone
    elif world.processes:
        _end(world, world.chance.choice(world.processes), in_order=kind < 0.3)
    world.go_to(world.clock.now() + world.chance.choice([SECOND, MINUTE, 20 * MINUTE, 8 * HOUR, 2 * DAY]))
    if paused is not None:
        _resume(world, paused)
    if not world.processes:
        world.start()


def _end(world: World, victim: Process, *, in_order: bool) -> None:
    if in_order:
        victim.leave()
        world.end(victim)
        return
    victim.store.doom()
    world.until_dead(victim)


def _paused(world: World, pipeline: Pipeline) -> Pipeline | None:
    """None before a scheduler has seen it."""
    if pipeline.name not in world.store.standings():
        return None
    world.store.pause(pipeline.name, by="ada", note="", now=world.clock.now())
    return pipeline


def _resume(world: World, pipeline: Pipeline) -> None:
    """As the api does."""
    now, cursor = world.clock.now(), world.store.standings()[pipeline.name].cursor
    skip = timetable.passed_over(pipeline, cursor, now, timetable.PAUSED)
    world.store.resume(pipeline.name, by="ada", note="", now=now, skip=skip)


def end_well(world: World, ledger: Ledger) -> None:
    """After the last tick nothing goes wrong any more, and everything comes to its end."""
    world.go_to(max(world.clock.now(), world.ticks[-1] + SECOND))
    while world.store.unfinished():
        world.go_to(world.clock.now() + HOUR)
    ledger.settle()


# --- the ledger -----------------------------------------------------------------------------------------------------


class Ledger:
    """Closes the account of every run that has ended, and lets the store forget it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pipelines = {each.name: each for each in world.pipelines}
        self._run_dates = {
            each.name: {tick.instant: tick.run_date for tick in ticks(each, BEGIN)} for each in world.pipelines
        }
        self.runs: dict[PipelineName, list[tuple[datetime, datetime, datetime]]] = {
            name: [] for name in self._pipelines
        }
        """Logical date, start and end of each."""
        self._in_pool: list[tuple[datetime, datetime]] = []
        self.task_runs = self.attempts = self.cancelled = 0

    def settle(self) -> None:
        store, now = self._world.store, self._world.clock.now()
        asked = set(store.asked_ownerless())
        for name in self._pipelines:
            ended = [each.run for each in store.finished(name) if each.run not in asked]
            for run in ended:
                self._close(store.load(run), store.attempts(run))
            assert set(store.remove_runs(ended)) == set(ended)
            store.forget(ended)
        store.remove_messages(now)
        for process in self._world.processes:
            process.executor.orders.clear()

    def _close(self, stored: StoredRun, attempts: Mapping[TaskKey, Sequence[Attempt]]) -> None:
        run, pipeline = stored.run, self._pipelines[stored.run.pipeline]
        assert run.kind is RunKind.SCHEDULED
        assert run.run_key == run_key(run.logical_date)
        assert run.run_date == self._run_dates[run.pipeline][run.logical_date]
        assert run.ended_at is not None
        self.runs[run.pipeline].append((run.logical_date, run.started_at or run.ended_at, run.ended_at))
        expected = foreseen(pipeline, run.logical_date)
        is_cancelled = any(task.state is TaskState.CANCELLED for task in stored.tasks.values())
        assert not is_cancelled or (pipeline.schedule and pipeline.schedule.overlap == "cancel_running")
        self.cancelled += is_cancelled
        for key, task in stored.tasks.items():
            tried = attempts.get(key, ())
            state, ends = expected[key.task]
            assert task.state is state or task.state is TaskState.CANCELLED
            assert task.live is None
            assert [attempt.number for attempt in tried] == list(range(1, len(tried) + 1))
            if task.state is TaskState.CANCELLED:
                assert [attempt.state for attempt in tried][:-1] == ends[: max(0, len(tried) - 1)]
            else:
                assert [attempt.state for attempt in tried] == ends
            self._close_attempts(pipeline.tasks[key.task], tried)
        self.task_runs += len(stored.tasks)

    def _close_attempts(self, task: Task, tried: Sequence[Attempt]) -> None:
        self.attempts += len(tried)
        for attempt in tried:
            assert attempt.ended_at is not None
            assert attempt.state.is_terminal
            self._world.alive.pop(attempt.id, None)
            if task.pool is not None:
                self._in_pool.append((attempt.created_at, attempt.ended_at))

    def summary(self) -> str:
        runs = sum(len(each) for each in self.runs.values())
        return f"{runs:,} runs ({self.cancelled} made way), {self.task_runs:,} task runs, {self.attempts:,} attempts"

    def check_that_nothing_is_left(self) -> None:
        world = self._world
        assert world.store.unfinished() == []
        assert world.store.owned() == []
        assert world.store.pool_holders() == {}
        assert world.store.list_runs() == []
        assert world.alive == {}
        assert [process.executor.free_slots() for process in world.processes] == [world.slots] * len(world.processes)

    def check_every_tick(self) -> int:
        """Each has exactly one run, or is skipped once with a reason; returns how many were skipped."""
        skipped = 0
        for name, pipeline in self._pipelines.items():
            passed = [
                tick.instant
                for skip in self._world.store.skips(name, limit=1_000_000)
                for tick in ticks(pipeline, skip.first - datetime.resolution, skip.last)
                if skip.reason
            ]
            ran = [logical_date for logical_date, _, _ in self.runs[name]]
            assert sorted([*passed, *ran]) == [tick.instant for tick in ticks(pipeline, BEGIN)]
            skipped += len(passed)
        return skipped

    def check_limits(self) -> None:
        """Never more at once than there may be."""
        for name, runs in self.runs.items():
            assert most_at_once([(start, end) for _, start, end in runs]) <= self._pipelines[name].max_active_runs
        assert 0 < most_at_once(self._in_pool) <= self._world.pools["warehouse"]


def most_at_once(spans: Sequence[tuple[datetime, datetime]]) -> int:
    """How many overlap at most; one may begin when another ends."""
    steps = sorted(
        [(end, -1) for start, end in spans if end > start] + [(start, 1) for start, end in spans if end > start]
    )
    now = most = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most
