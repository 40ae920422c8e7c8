"""Whose a run is: leases, dead commands, other machines, clocks that differ."""

from __future__ import annotations

import errno
import itertools
from datetime import datetime, timedelta

import pytest
from building import NOW, pipeline, task
from engines import CHAIN, KEY_A, SLOW, FakeOwners, World
from scheduling import Away

from nbflow.errors import Conflict, Unavailable
from nbflow.model import RunId
from nbflow.ports import LEASE, Lease, silence
from nbflow.run import CancelRequested, ResetRequested, StopAttempt
from nbflow.states import AttemptState, Cause, RunState
from nbflow.testing.clock import FakeClock
from nbflow.testing.executor import Script


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
    world.store.claim(run, "second", now=world.clock.now(), ttl=timedelta(seconds=15), instead_of="first")
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


def left_by_a_dead_command() -> tuple[World, RunId]:
    world = World(scripts={("a", 1): SLOW})
    run = world.add(CHAIN)
    world.engine.own(run)
    world.engine.step(world.clock.now())
    world.owners.dead.add("first")
    next(iter(world.machine.values())).ends_at = world.clock.now()
    return world, run


def test_the_run_of_a_dead_command_is_closed_also_where_somebody_would_drive_it() -> None:
    world, run = left_by_a_dead_command()
    executor, second = world.new_engine("second")
    assert second.drive(run).state is RunState.FAILED
    assert executor.orders == []


def test_who_cannot_close_the_run_of_a_dead_command_says_so_and_leaves_it_to_the_next() -> None:
    world, run = left_by_a_dead_command()
    away, tries = Away(world.store), itertools.count()
    away.fails = {"apply"}

    def bounded() -> None:
        assert next(tries) < 100

    away.before["apply"] = bounded
    _, second = world.new_engine("second", store=away)
    with pytest.raises(Unavailable):
        second.close_abandoned()
    world.owners.dead.add("second")
    _, third = world.new_engine("third")
    assert third.close_abandoned() == (run,)
    assert world.store.load(run).run.state is RunState.FAILED


def test_of_two_that_find_a_command_dead_one_closes_its_run() -> None:
    world, run = left_by_a_dead_command()
    away = Away(world.store)
    _, second = world.new_engine("second", away)
    _, third = world.new_engine("third")
    away.before["claim"] = lambda: third.abandon(run)
    assert not second.abandon(run)
    assert [lease.engine for lease in world.store.owned()] == ["closing-third"]


def test_who_can_make_no_file_leaves_the_run_of_a_dead_command_for_a_minute() -> None:
    """As on a full disk: whoever closes a run proves by a file that it lives."""
    world, run = left_by_a_dead_command()
    _, second = world.new_engine("second")
    hold = world.owners.hold

    def refuse(_: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    world.owners.hold = refuse  # type: ignore[method-assign]
    assert second.close_abandoned() == ()
    world.owners.hold = hold  # type: ignore[method-assign]
    world.clock.advance(timedelta(minutes=1))
    assert second.close_abandoned() == (run,)


def test_the_run_of_a_living_command_is_left_alone() -> None:
    world = World(scripts={("a", 1): SLOW})
    world.engine.own(world.add(CHAIN))
    _, second = world.new_engine("second")
    assert second.close_abandoned() == ()


def test_requests_are_read_and_leases_renewed_after_the_clock_was_set_back() -> None:
    world = World(scripts={("a", 1): SLOW})
    run = world.add(CHAIN)
    world.engine.own(run)
    world.engine.step(world.clock.now())
    world.store.ask(run, CancelRequested(by="ana", note="enough"), now=world.clock.now())
    world.engine.step(world.clock.advance(timedelta(hours=-1)))
    assert StopAttempt in [type(order) for order in world.executor.orders]
    (lease,) = world.store.owned()
    assert lease.expires == world.clock.now() + LEASE


@pytest.mark.parametrize("was_started", [True, False])
def test_an_attempt_whose_environment_is_gone_is_not_handed_over_again_but_looked_for(was_started: bool) -> None:
    world = World()
    run = world.add(pipeline(task("a", env={"URL": "{{ env.URL }}"})))
    _, first = world.new_engine("first", env={"URL": "x"})
    first.own(run)
    first.step(world.clock.now())
    first.leave()
    if not was_started:
        world.machine.clear()
    _, second = world.new_engine("second")
    assert second.drive(run).state is (RunState.SUCCESS if was_started else RunState.FAILED)
    (ended,) = world.store.load(run).tasks.values()
    assert was_started or "env" in ended.reason


# --- other machines -------------------------------------------------------------------------------------------------


class OnAnotherMachine(FakeOwners):
    """Only the lease tells whether somebody lives."""

    def is_alive(self, lease: Lease, now: datetime) -> bool:
        return silence(lease, now) is None


@pytest.mark.parametrize("wrong", [timedelta(hours=-1), timedelta(hours=1)])
def test_a_lease_lives_by_the_clock_of_the_store_whatever_other_clocks_say(wrong: timedelta) -> None:
    world = World(scripts={("a", 1): SLOW})
    its_time = FakeClock(NOW + 5 * LEASE)
    world.store.now = lambda local: its_time.now()
    world.owners = OnAnotherMachine()
    run, held = world.add(CHAIN), world.add(CHAIN, "r2")
    world.store.claim(held, "scheduler@there.1.abc", now=its_time.now(), ttl=LEASE, instead_of="first")
    world.clock.advance(wrong)
    _, other = world.new_engine("run@other.1.abc", host="other")
    assert other.abandoned() == []
    with pytest.raises(Conflict, match="owned by scheduler@there"):
        other.own(held)
    its_time.advance(LEASE)
    assert other.abandoned() == [run]
    assert other.own(held).run.id == held
    its_time.advance(LEASE - timedelta(seconds=1))
    other.step(world.clock.advance(timedelta(seconds=1)))
    assert {lease.run: lease.expires for lease in world.store.owned()}[held] == its_time.now() + LEASE


def left_running(world: World) -> RunId:
    """A run whose first task runs, and whose engine is gone."""
    run = world.add(CHAIN)
    world.engine.own(run)
    world.engine.step(world.clock.now())
    world.engine.step(world.clock.advance(timedelta(seconds=1)))
    world.engine.leave()
    return run


def test_a_machine_that_has_another_name_now_goes_on_with_its_runs() -> None:
    """A container gets a new name whenever it is made anew, a laptop in another network."""
    world = World(scripts={("a", 1): Script(after=timedelta(minutes=1))})
    run = left_running(world)
    _, renamed = world.new_engine("second", host="another-name")
    assert renamed.drive(run).state is RunState.SUCCESS
    assert len(world.store.attempts(run)[KEY_A]) == 1


def test_what_another_machine_runs_is_left_to_it_and_whoever_asks_is_told() -> None:
    world = World(scripts={("a", 1): SLOW})
    run = left_running(world)
    _, other = world.new_engine("second", host="other", machine={})
    asked = world.store.ask(run, ResetRequested(by="ana", keys=(KEY_A,), kill=True), now=world.clock.now())
    with pytest.raises(Conflict, match=r"has notebooks on .*If that machine is gone: nbflow cancel r1"):
        other.attend(run)
    assert "has notebooks on" in (world.store.answer(asked) or "")
    assert (world.states()["a"], world.store.owned()) == ("running", [])


def test_what_another_machine_runs_is_left_to_it_also_where_the_store_goes_away_in_that_moment() -> None:
    world = World(scripts={("a", 1): SLOW})
    run, away = left_running(world), Away(world.store)
    _, other = world.new_engine("second", away, host="other", machine={})
    away.fails = {"asked"}
    with pytest.raises(Unavailable):
        other.own(run)
    assert other.runs == {}


def test_the_run_of_a_dead_command_elsewhere_is_closed_there_and_never_continued() -> None:
    world = World(scripts={("a", 1): SLOW})
    run = world.add(CHAIN)
    world.engine.own(run)
    world.engine.step(world.clock.now())
    world.owners.dead.add("first")
    _, other = world.new_engine("second", host="other", machine={})
    assert other.close_abandoned() == ()
    world.store.ask(run, ResetRequested(by="ana", keys=(KEY_A,), kill=True), now=world.clock.now())
    with pytest.raises(Conflict, match="has notebooks on"):
        other.own(run)
    assert [(lease.engine, lease.is_foreground) for lease in world.store.owned()] == [("first", True)]
    world.machine[next(iter(world.machine))].end(world.clock.now(), AttemptState.LOST, Cause.LOST, "it is gone")
    _, there = world.new_engine("third")
    assert there.close_abandoned() == (run,)
    assert world.store.load(run).run.state is RunState.FAILED


def test_who_cancels_a_run_gives_up_what_another_machine_runs() -> None:
    world = World(scripts={("a", 1): SLOW})
    run = left_running(world)
    _, other = world.new_engine("second", host="other", machine={})
    asked = world.store.ask(run, CancelRequested(by="ana"), now=world.clock.now())
    other.attend(run)
    assert world.store.answer(asked) == ""
    assert world.store.load(run).run.state is RunState.CANCELLED
    (attempt,) = world.store.attempts(run)[KEY_A]
    assert (attempt.state, attempt.cause) == (AttemptState.LOST, Cause.LOST)
    world.store.ask(run, ResetRequested(by="ana"), now=world.clock.now())
    assert other.drive(run).state is RunState.SUCCESS
