"""The engine over a store in dicts, a fake executor and a clock that stands still: save first, act second."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from building import NOW, pipeline, task
from counting import calls_of
from engines import CHAIN, FAILS, SLOW, World, started

from nbflow.errors import Unavailable
from nbflow.model import Pipeline, Retries, RunId, TaskKey
from nbflow.run import CancelRequested, ResetRequested, StartAttempt, StopAttempt
from nbflow.states import AttemptState, RunState
from nbflow.testing.dict_store import DictStore
from nbflow.testing.executor import Script


def test_a_run_is_driven_to_its_end() -> None:
    world = World()
    run = world.engine.drive(world.add(CHAIN))
    assert run.state is RunState.SUCCESS
    assert started(world.executor) == ["a", "b", "c"]
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


def test_an_end_and_what_starts_after_it_are_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    world, decisions = World(), list[Any]()
    apply = world.store.apply

    def recording(decision: Any, **about: Any) -> Any:
        decisions.append(decision)
        return apply(decision, **about)

    monkeypatch.setattr(world.store, "apply", recording)
    world.engine.drive(world.add(CHAIN))
    told = [sorted(f"{each.key.address} {each.state}" for each in decision.attempts) for decision in decisions]
    assert [each for each in told if each] == [
        ["a queued"],
        ["a running"],
        ["a success", "b queued"],
        ["b running"],
        ["b success", "c queued"],
        ["c running"],
        ["c success"],
    ]


FIRST, URGENT, LATER = task("first", priority=9), task("urgent", "first", priority=5), task("later")
POOL = {"pool": "warehouse"}


@pytest.mark.parametrize(
    "of",
    [
        pipeline(LATER, FIRST, URGENT),
        pipeline(LATER, task("first", priority=9, **POOL), task("urgent", priority=5, **POOL)),
    ],
    ids=["becomes ready with the end", "gets its place with the end"],
)
def test_what_an_end_makes_possible_starts_before_what_was_possible_before(of: Pipeline) -> None:
    world = World(slots=1, pools={"warehouse": 1})
    world.engine.drive(world.add(of))
    assert started(world.executor) == ["first", "urgent", "later"]


def test_runs_that_go_on_in_one_turn_share_the_slots_in_the_order_of_starts() -> None:
    world = World(slots=2)
    world.engine.own(world.add(pipeline(FIRST, task("b", "first"), task("c", "first")), "r1"))
    world.engine.own(world.add(pipeline(FIRST, URGENT), "r2"))
    while world.store.owned():
        world.engine.step(world.clock.now())
        world.executor.wait(0.25)
    tasks = started(world.executor)
    assert tasks[:2] == ["first", "first"]
    assert set(tasks[2:4]) == {"urgent", "b"}


def test_who_drains_starts_nothing_after_an_end() -> None:
    world = World()
    world.engine.own(world.add(CHAIN))
    world.engine.step(world.clock.now())
    world.engine.is_draining = True
    world.clock.advance(timedelta(minutes=1))
    world.engine.step(world.clock.now())
    assert world.states() == {"a": "success", "b": "queued", "c": "waiting"}
    assert started(world.executor) == ["a"]


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


def test_free_places_of_a_pool_are_kept_for_the_task_that_comes_first() -> None:
    wide = task("wide", "first", priority=5, pool_slots=2, **POOL)
    narrow = (task(f"narrow_{at}", **POOL) for at in range(6))
    world = World(scripts={("narrow_0", 1): Script(after=timedelta(seconds=5))}, slots=8, pools={"warehouse": 2})
    world.engine.drive(world.add(pipeline(task("first", priority=9, **POOL), wide, *narrow)))
    assert started(world.executor)[:3] == ["first", "narrow_0", "wide"]


def test_a_pool_that_is_too_small_for_a_task_is_not_kept_for_it() -> None:
    world = World(slots=8, pools={"warehouse": 1})
    world.engine.own(world.add(pipeline(task("wide", priority=5, pool_slots=2, **POOL), task("narrow", **POOL))))
    world.engine.step(world.clock.now())
    assert started(world.executor) == ["narrow"]


def test_tasks_that_wait_for_a_pool_cost_nothing_while_they_wait() -> None:
    def cost(size: int) -> int:
        waiting = (task(f"t{at}", pool="warehouse") for at in range(size))
        world = World(scripts=lambda _: SLOW, slots=8, pools={"warehouse": 2})
        world.engine.own(world.add(pipeline(*waiting)))
        for _ in range(3):  # as many as there are places begin
            world.engine.step(world.clock.advance(timedelta(seconds=1)))
        return calls_of(lambda: world.engine.step(world.clock.advance(timedelta(seconds=1))))

    assert cost(2_000) == cost(200)


def test_a_pool_that_another_engine_fills_is_waited_for() -> None:
    of = pipeline(task("a", pool="warehouse"))
    world = World(scripts=lambda order: SLOW if order.run == "r1" else Script(), pools={"warehouse": 1})
    world.engine.own(world.add(of, "r1"))
    world.engine.step(world.clock.now())
    second_executor, second = world.new_engine("second")
    run = world.add(of, "r2")
    world.store.release(world.engine.lease(run, NOW))
    second.own(run)
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
    assert started(world.executor) == ["a", "b", "b", "c"]


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


def driving_on_a_flaky_store() -> tuple[World, Flaky, Any, RunId]:
    world = World(scripts={("a", 1): SLOW})
    flaky = Flaky(world.store)
    _, engine = world.new_engine("first", store=flaky)
    return world, flaky, engine, world.add(CHAIN)


def test_who_is_interrupted_while_the_store_is_away_leaves_the_run_to_the_next_command() -> None:
    world, flaky, engine, run = driving_on_a_flaky_store()
    turns = itertools.count()

    def watch(_: Any) -> None:
        turn = next(turns)
        flaky.is_away = turn >= 10
        if turn == 20:
            engine.interrupt("ana")
        assert turn < 1000

    with pytest.raises(KeyboardInterrupt) as left:
        engine.drive(run, watch)
    assert str(left.value) == (
        "the end of run r1 cannot be written down: the database does not answer. "
        "Its notebooks are stopped; the next command that shows runs closes it."
    )
    world.owners.dead.add("first")
    _, second = world.new_engine("second")
    assert second.close_abandoned() == (run,)
    assert world.store.load(run).run.state is RunState.FAILED


def test_a_store_that_is_away_for_a_moment_keeps_no_run_from_being_cancelled() -> None:
    _, flaky, engine, run = driving_on_a_flaky_store()
    turns = itertools.count()

    def watch(_: Any) -> None:
        turn = next(turns)
        flaky.is_away = 10 <= turn < 20
        if turn == 10:
            engine.interrupt("ana")

    assert engine.drive(run, watch).state is RunState.CANCELLED
