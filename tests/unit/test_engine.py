"""The engine over a store in dicts, a fake executor and a clock that stands still: save first, act second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from building import NOW, VALUE_ERROR, notebooks, pipeline, task

from nbflow import lifecycle
from nbflow.engine import Engine
from nbflow.errors import Conflict, Unavailable
from nbflow.model import DataInterval, Pipeline, Retries, RunId, TaskKey
from nbflow.ports import FrozenPipeline, Lease
from nbflow.run import CancelRequested, ResetRequested, StartAttempt, StopAttempt
from nbflow.states import AttemptState, Cause, RunKind, RunState
from nbflow.testing.clock import FakeClock
from nbflow.testing.dict_store import DictStore
from nbflow.testing.executor import FakeExecutor, Script

FAILS = Script(state=AttemptState.FAILED, cause=Cause.ERROR, error=VALUE_ERROR, failing_cell=3)
SLOW = Script(after=timedelta(hours=1))


class FakeOwners:
    """Everybody is alive but those in `dead`."""

    def __init__(self) -> None:
        self.dead: set[str] = set()

    def hold(self, engine: str) -> None:
        self.dead.discard(engine)

    def is_alive(self, lease: Lease, now: datetime) -> bool:
        return lease.engine not in self.dead


class World:
    """One store, one machine, and as many engines as a test needs."""

    def __init__(self, scripts: Any = None, slots: int = 2, pools: dict[str, int] | None = None) -> None:
        self.clock, self.store, self.owners = FakeClock(NOW), DictStore(), FakeOwners()
        self.scripts, self.slots, self.pools = scripts, slots, pools or {}
        self.machine: dict[Any, Any] = {}
        self.executor, self.engine = self.new_engine("first")

    def new_engine(self, name: str, store: Any = None) -> tuple[FakeExecutor, Engine]:
        executor = FakeExecutor(
            self.clock.now, self.scripts, slots=self.slots, pass_time=self.clock.advance, machine=self.machine
        )
        engine = Engine(
            name=name,
            store=store or self.store,
            executor=executor,
            clock=self.clock,
            owners=self.owners,
            pools=self.pools,
        )
        return executor, engine

    def add(self, of: Pipeline, run_id: str = "r1") -> RunId:
        now = self.clock.now()
        run, tasks = lifecycle.plan(
            of,
            notebooks(of),
            run_id=RunId(run_id),
            manifest=f"m-{of.name}",
            given={},
            kind=RunKind.MANUAL,
            run_key=f"manual:{run_id}",
            logical_date=now,
            run_date=now.date(),
            interval=DataInterval(now, now),
            now=now,
        )
        frozen = FrozenPipeline(pipeline=of, text=of.name, sha256=f"m-{of.name}", notebooks=notebooks(of))
        assert self.store.add_run(run, tasks, frozen, self.engine.lease(run.id, now))
        return run.id

    def states(self, run: str = "r1") -> dict[str, str]:
        return {key.address: str(each.state) for key, each in self.store.load(RunId(run)).tasks.items()}

    def started(self) -> list[str]:
        return [order.key.address for order in self.executor.orders if isinstance(order, StartAttempt)]


CHAIN = pipeline(a="", b="a", c="b")


def test_a_run_is_driven_to_its_end() -> None:
    world = World()
    run = world.engine.drive(world.add(CHAIN))
    assert run.state is RunState.SUCCESS
    assert world.started() == ["a", "b", "c"]
    assert world.store.owned() == []


def test_never_more_at_once_than_slots() -> None:
    world = World(slots=3)
    most = 0

    def watch(live: Any) -> None:
        nonlocal most
        most = max(most, sum(1 for each in live.tasks.values() if each.live))

    run = world.engine.drive(world.add(pipeline(**{f"t{at}": "" for at in range(10)})), watch)
    assert (run.state, most) == (RunState.SUCCESS, 3)


def test_a_retry_waits_for_its_time() -> None:
    retrying = pipeline(task("a", retries=Retries(max_retries=1, delay=timedelta(minutes=2))))
    world = World(scripts={("a", 1): FAILS})
    assert world.engine.drive(world.add(retrying)).state is RunState.SUCCESS
    (attempts,) = world.store.attempts(RunId("r1")).values()
    assert [attempt.state for attempt in attempts] == [AttemptState.FAILED, AttemptState.SUCCESS]
    assert attempts[1].created_at - attempts[0].ended_at >= timedelta(minutes=2)


def test_a_pool_limits_across_runs_of_one_engine() -> None:
    of = pipeline(*(task(name, pool="warehouse") for name in ("a", "b", "c")))
    world = World(slots=8, pools={"warehouse": 2})
    for run in ("r1", "r2"):
        world.engine.own(world.add(of, run))
    most = 0
    while world.store.owned():
        world.engine.step(world.clock.now())
        most = max(most, len(world.store.pool_holders().get("warehouse", ())))
        world.executor.wait(0.25)
    assert most == 2
    assert set(world.states("r1").values()) | set(world.states("r2").values()) == {"success"}


def test_a_pool_that_another_engine_fills_is_waited_for() -> None:
    of = pipeline(task("a", pool="warehouse"))
    world = World(scripts=lambda order: SLOW if order.run == "r1" else Script(), pools={"warehouse": 1})
    world.engine.own(world.add(of, "r1"))
    world.engine.step(world.clock.now())
    world.store.release(world.engine.lease(RunId("r2"), NOW))  # nothing there: no effect
    second_executor, second = world.new_engine("second")
    run = world.add(of, "r2")
    world.owners.dead.add("first")  # only so that the second may take r2 over; r1 is still being run
    second.own(run)
    world.owners.dead.clear()
    for _ in range(3):
        second.step(world.clock.now())
    assert second_executor.orders == []
    world.clock.advance(timedelta(hours=2))
    world.engine.step(world.clock.now())
    second.step(world.clock.now())
    assert [type(order) for order in second_executor.orders] == [StartAttempt]


def test_a_pool_that_is_not_configured_has_no_places() -> None:
    world = World(pools={})
    world.engine.own(world.add(pipeline(task("a", pool="gone"))))
    world.engine.step(world.clock.now())
    assert world.executor.orders == []


def test_requests_of_other_processes_are_carried_out_and_answered() -> None:
    world = World(scripts={("a", 1): SLOW})
    run = world.add(CHAIN)
    world.engine.own(run)
    world.engine.step(world.clock.now())
    asked = world.store.ask(run, CancelRequested(by="ana"), now=world.clock.now())
    refused = world.store.ask(run, ResetRequested(by="ana", keys=(TaskKey("x"),)), now=world.clock.now())
    assert world.store.answer(asked) is None
    for _ in range(3):
        world.clock.advance(timedelta(seconds=1))
        world.engine.step(world.clock.now())
    assert world.store.answer(asked) == ""
    assert "no task 'x'" in world.store.answer(refused)
    assert world.states() == {"a": "cancelled", "b": "cancelled", "c": "cancelled"}


def test_an_interrupt_cancels_with_grace_and_then_at_once() -> None:
    stubborn = replace(SLOW, heeds_stop=False)
    world = World(scripts={("a", 1): stubborn})
    run = world.add(CHAIN)
    seen = 0

    def watch(_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen in {3, 6}:
            world.engine.interrupt("ana")

    assert world.engine.drive(run, watch).state is RunState.CANCELLED
    stops = [order.grace for order in world.executor.orders if isinstance(order, StopAttempt)]
    assert stops == [timedelta(seconds=10), timedelta(0)]
    assert world.clock.now() - NOW < timedelta(seconds=10)


def test_a_finished_run_is_repaired_by_whoever_drives_it() -> None:
    world = World(scripts={("b", 1): FAILS})
    run = world.add(CHAIN)
    assert world.engine.drive(run).state is RunState.FAILED
    asked = world.store.ask(run, ResetRequested(by="ana"), now=world.clock.now())
    assert world.engine.drive(run).state is RunState.SUCCESS
    assert world.store.answer(asked) == ""
    assert world.started() == ["a", "b", "b", "c"]


# --- owners ---------------------------------------------------------------------------------------------------------


def test_a_run_has_one_owner() -> None:
    world = World(scripts={("a", 1): SLOW})
    run = world.add(CHAIN)
    world.engine.own(run)
    _, second = world.new_engine("second")
    with pytest.raises(Conflict):
        second.own(run)


def test_who_lost_the_lease_writes_nothing_and_starts_nothing() -> None:
    world = World()
    run = world.add(CHAIN)
    world.engine.own(run)
    world.store.claim(run, "second", now=world.clock.now(), ttl=timedelta(seconds=15), force=True)
    world.engine.step(world.clock.now())
    assert world.executor.orders == []
    assert world.states()["a"] == "queued"


@pytest.mark.parametrize("ending", ["outcome", "nothing"])
def test_the_next_command_closes_the_run_of_a_dead_one(ending: str) -> None:
    world = World(scripts={("a", 1): SLOW})
    run = world.add(CHAIN)
    world.engine.own(run)
    world.engine.step(world.clock.now())
    world.owners.dead.add("first")
    life = world.machine[next(iter(world.machine))]
    if ending == "nothing":
        life.end(world.clock.now(), AttemptState.LOST, Cause.LOST, "its runner is gone")
    else:
        life.ends_at = world.clock.now()
    _, second = world.new_engine("second")
    assert second.close_abandoned() == (run,)
    assert second.close_abandoned() == ()
    expected = {"nothing": ("failed", "upstream_failed"), "outcome": ("success", "failed")}[ending]
    assert (world.states()["a"], world.states()["b"]) == expected
    assert world.store.load(run).run.state is RunState.FAILED
    world.store.ask(run, ResetRequested(by="ana"), now=world.clock.now())
    assert second.drive(run).state is RunState.SUCCESS


def test_the_run_of_a_living_command_is_left_alone() -> None:
    world = World(scripts={("a", 1): SLOW})
    world.engine.own(world.add(CHAIN))
    _, second = world.new_engine("second")
    assert second.close_abandoned() == ()


# --- a store that is away -------------------------------------------------------------------------------------------


class Flaky:
    """A store that is away when told so; `loses_answers` writes and then says that it could not."""

    def __init__(self, store: DictStore) -> None:
        self._store = store
        self.is_away = self.loses_answers = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.is_away:
                raise Unavailable("the database does not answer")
            answer = method(*args, **kwargs)
            if name == "apply" and self.loses_answers:
                self.loses_answers = False
                raise Unavailable("the connection was closed")
            return answer

        return call


def test_nothing_is_lost_while_the_store_is_away() -> None:
    world = World()
    flaky = Flaky(world.store)
    executor, engine = world.new_engine("first", store=flaky)
    run = world.add(CHAIN)
    engine.own(run)
    engine.step(world.clock.now())
    flaky.is_away = True
    for _ in range(20):
        world.clock.advance(timedelta(seconds=1))
        engine.step(world.clock.now())
    assert str(engine.trouble) == "the database does not answer"
    assert world.states() == {"a": "queued", "b": "waiting", "c": "waiting"}
    flaky.is_away = False
    assert engine.drive(run).state is RunState.SUCCESS
    assert engine.trouble is None
    assert [type(order) for order in executor.orders] == [StartAttempt] * 3


@pytest.mark.parametrize("lost", range(1, 8))
def test_a_write_whose_answer_is_lost_is_not_done_twice(lost: int) -> None:
    world = World()
    flaky = Flaky(world.store)
    executor, engine = world.new_engine("first", store=flaky)
    run = world.add(CHAIN)
    engine.own(run)
    turn = 0

    def watch(_: Any) -> None:
        nonlocal turn
        turn += 1
        flaky.loses_answers = turn == lost

    assert engine.drive(run, watch).state is RunState.SUCCESS
    starts = [order.attempt for order in executor.orders if isinstance(order, StartAttempt)]
    assert sorted(set(starts)) == ["r1/a/1", "r1/b/1", "r1/c/1"]
    assert {len(tried) for tried in world.store.attempts(run).values()} == {1}
