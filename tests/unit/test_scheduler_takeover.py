"""Schedulers that stand by, die, freeze, resign or lose their store (semantics §9)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from engines import started
from scheduling import (
    HOUR,
    MINUTE,
    MONDAY,
    SECOND,
    SLOW,
    Machine,
    at,
    go_to,
    scheduled,
)

from nbflow.model import Schedule, TaskKey, TaskName
from nbflow.run import CancelRequested, ResetRequested
from nbflow.states import AttemptState, Cause, RunState
from nbflow.testing.executor import Script


def test_a_second_scheduler_stands_by_and_takes_over_at_once_when_the_first_is_dead() -> None:
    machine = Machine(scheduled(), scripts={("only", 1): Script(after=10 * MINUTE)})
    first, second = machine.start(), machine.start()
    first.step()
    second.step()
    assert (first.scheduler.leader is None, second.scheduler.leader is None) == (False, True)
    go_to(first, at(31))
    first.step(SECOND)
    first.kill()
    second.work(20 * SECOND)
    assert second.scheduler.leader is not None
    second.until(lambda: machine.states() == {"2026-03-31T02:00:00Z": "success"}, every=MINUTE)
    assert started(first.executor) == ["only"]
    assert started(second.executor) == []  # the running notebook went on, and was adopted


def test_a_notebook_that_a_dead_scheduler_started_is_followed_though_the_pipeline_is_paused_by_now() -> None:
    machine = Machine(scheduled(), scripts={("only", 1): Script(after=10 * MINUTE)})
    first, second = machine.start(), machine.start()
    first.step()
    go_to(first, at(31))
    (run,) = machine.runs()
    assert (started(first.executor), run.state) == (["only"], RunState.QUEUED)  # its start was not seen yet
    first.kill()
    machine.api.pause("nightly")
    second.until(lambda: machine.states() == {"2026-03-31T02:00:00Z": "success"}, every=MINUTE)
    assert started(second.executor) == ["only"]  # handed over again, and the same attempt
    assert len(machine.store.attempts(run.id)) == 1


def test_a_leader_that_was_frozen_past_its_time_writes_nothing_more() -> None:
    machine = Machine(scheduled(), scripts={("only", 1): SLOW})
    first, second = machine.start(), machine.start()
    first.step()
    go_to(first, at(31))
    first.step(SECOND)
    second.work(40 * SECOND)  # meanwhile the first is stopped, but alive
    assert second.scheduler.leader is not None
    (run,) = machine.runs()
    assert run.id in second.engine.runs
    first.step()
    first.step(6 * SECOND)
    assert first.scheduler.leader is None
    assert first.engine.runs == {}
    go_to(second, at(32))
    first.step()
    assert len(machine.runs()) == 2


def test_a_scheduler_that_resigned_is_followed_at_once() -> None:
    machine = Machine(scheduled())
    first, second = machine.start(), machine.start()
    first.step()
    first.engine.leave()
    first.scheduler.resign()
    second.step()
    assert second.scheduler.leader is not None


def test_runs_of_a_dead_command_are_closed_by_the_scheduler() -> None:
    machine = Machine(scheduled(timing=None))
    run = machine.api.trigger("nightly")
    machine.store.claim(run.id, "run@host.9", now=machine.clock.now(), ttl=15 * SECOND)
    machine.owners.dead.add("run@host.9")
    process = machine.start()
    process.until(lambda: machine.store.load(run.id).run.state is RunState.FAILED)
    assert started(process.executor) == []


def test_a_store_that_is_away_is_waited_for() -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    process.store.is_away = True
    go_to(process, at(31))
    process.step(SECOND)
    assert process.scheduler.trouble is not None
    process.store.is_away = False
    process.until(lambda: machine.states() == {"2026-03-31T02:00:00Z": "success"})
    assert process.scheduler.trouble is None


@pytest.mark.parametrize("verb", ["claim", "load", "apply", "release"])
def test_a_run_is_not_forgotten_where_the_store_goes_away_while_it_is_taken(verb: str) -> None:
    machine = Machine(scheduled(timing=None))
    process = machine.start()
    process.step()
    machine.api.trigger("nightly")
    process.store.fails = {verb}
    process.work(10 * SECOND)
    process.store.fails = set()
    process.until(lambda: set(machine.states().values()) == {"success"})
    assert started(process.executor) == ["only"]


@pytest.mark.parametrize("is_killed", [True, False])
def test_a_finished_run_that_could_not_be_let_go_of_is_repaired_all_the_same(is_killed: bool) -> None:
    machine = Machine(scheduled(timing=None))
    process = machine.start()
    process.step()
    run = machine.api.trigger("nightly")
    process.store.fails = {"release"}
    process.until(lambda: machine.store.load(run.id).run.state is RunState.SUCCESS)
    process.store.fails = set()
    if is_killed:
        process.kill()
        process = machine.start()
    again = ResetRequested(by="ada", keys=(TaskKey(TaskName("only")),))
    machine.store.ask(run.id, again, now=machine.clock.now())
    process.until(lambda: len(machine.store.attempts(run.id)[TaskKey(TaskName("only"))]) == 2)


def test_what_is_asked_of_a_held_run_of_a_dead_scheduler_is_done() -> None:
    machine = Machine(scheduled(), scripts={("only", 1): SLOW}, slots=0)
    first, second = machine.start(), machine.start()
    first.step()
    go_to(first, at(31))
    (run,) = machine.runs()
    assert run.id in first.engine.runs
    machine.api.pause("nightly")
    first.kill()
    second.step()
    machine.store.ask(run.id, CancelRequested(by="ada"), now=machine.clock.now())
    second.until(lambda: machine.store.load(run.id).run.state is RunState.CANCELLED)


@pytest.mark.parametrize("is_led", [True, False])
def test_the_store_counts_as_away_until_it_has_answered(is_led: bool) -> None:
    machine = Machine(scheduled())
    first = machine.start()
    first.step()
    process = first if is_led else machine.start()
    process.step()
    process.store.is_away = True
    process.until(lambda: process.scheduler.trouble)
    for _ in range(60):
        process.step(SECOND / 4)
        assert process.scheduler.trouble
    process.store.is_away = False
    process.step(SECOND / 4)
    assert process.scheduler.trouble is None


def test_one_that_leads_again_trusts_nothing_old_though_the_store_goes_away_in_between() -> None:
    machine = Machine(scheduled(timing=Schedule(cron="0 2 * * *", missed="none")))
    machine.on_restart = ("ops",)
    first = machine.start()
    first.step()
    machine.clock.advance(MINUTE)
    second = machine.start()
    second.until(lambda: second.scheduler.leader)
    first.step(SECOND)
    go_to(second, at(31))
    second.work(MINUTE)
    second.kill()
    machine.clock.advance(12 * HOUR)
    first.store.fails = {"tell"}
    first.step(SECOND)
    first.store.fails = set()
    first.work(MINUTE)
    assert first.scheduler.leader
    assert machine.store.skips() == []
    texts = [message.notice.text for message in machine.store.messages()]
    assert texts[:1] == [f"{second.name} ended without a word; {first.name} has taken over"]
    assert texts[1:] == [f"{first.name} gives no sign of life; {second.name} has taken over"]


@pytest.mark.parametrize("is_begun", [True, False])
def test_a_cancel_that_a_dead_scheduler_saved_and_did_not_pass_on_is_carried_out(
    is_begun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(scheduled(timing=None), scripts={("only", 1): SLOW})
    first = machine.start()
    first.step()
    run = machine.api.trigger("nightly")
    first.until(lambda: started(first.executor))
    first.work(MINUTE if is_begun else timedelta(0))
    machine.store.ask(run.id, CancelRequested(by="ada"), now=machine.clock.now())
    monkeypatch.setattr(first.executor, "stop", lambda order: first.kill())
    first.until(lambda: first.is_dead)
    machine.start().until(lambda: machine.store.load(run.id).run.state is RunState.CANCELLED)
    assert machine.clock.now() < MONDAY + HOUR


@pytest.mark.parametrize("how", ["leaves", "is killed"])
def test_the_run_of_a_dead_command_is_not_continued_where_a_scheduler_ends_while_it_closes_it(how: str) -> None:
    machine = Machine(scheduled("nightly", None, "only", "other"), scripts={("only", 1): SLOW}, slots=1)
    command = machine.start("run@host.9")
    run = machine.api.trigger("nightly")
    command.engine.own(run.id)
    command.engine.step(machine.clock.now())
    assert started(command.executor) == ["only"]
    command.kill()
    first, second = machine.start(), machine.start()
    first.work(MINUTE)
    if how == "leaves":
        first.engine.leave()
        first.scheduler.resign()
    first.kill()
    second.work(MINUTE)
    (life,) = machine.alive.values()
    life.end(machine.clock.now(), AttemptState.LOST, Cause.LOST, "its command is gone")
    second.until(lambda: machine.store.load(run.id).run.state.is_terminal)
    assert machine.store.load(run.id).run.state is RunState.FAILED
    assert started(second.executor) == []


def test_a_cancel_that_comes_between_two_schedulers_stops_the_notebook_that_went_on() -> None:
    machine = Machine(scheduled(timing=None), scripts={("only", 1): SLOW})
    first = machine.start()
    first.step()
    run = machine.api.trigger("nightly")
    first.until(lambda: machine.store.load(run.id).run.state is RunState.RUNNING)
    first.engine.leave()
    first.scheduler.resign()
    machine.store.ask(run.id, CancelRequested(by="ada"), now=machine.clock.now())
    machine.start().until(lambda: machine.store.load(run.id).run.state is RunState.CANCELLED)


def test_of_two_that_find_the_leader_dead_one_leads() -> None:
    machine = Machine(scheduled())
    machine.on_restart = ("ops",)
    first, second, third = machine.start(), machine.start(), machine.start()
    first.step()
    first.kill()
    third.store.before["lead"] = second.step
    third.step()
    assert (second.scheduler.leader is None, third.scheduler.leader is None) == (False, True)
    assert machine.store.leader() == second.scheduler.leader
    assert len(machine.store.messages()) == 1
