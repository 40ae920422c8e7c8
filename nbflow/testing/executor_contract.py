"""What every executor must do, as tests. An adapter's test class inherits them and brings a `machine`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from nbflow.ports import Executor
from nbflow.run import Attempt, AttemptEnded, AttemptStarted, StartAttempt, StopAttempt
from nbflow.states import AttemptState, Cause

Deed = Literal["report 7", "raise ValueError", "run long", "ignore the stop", "be impossible to start"]
"""What an attempt does. Running long is longer than any test waits; `bad country` is the error, and cell 2 has it."""

PATIENCE = 100.0
"""Seconds before a test gives up; a busy machine takes long for what is quick elsewhere."""


class Machine(Protocol):
    """What stays when an executor goes: a machine with its processes and files, or a fake of one."""

    def executor(self, *, slots: int = 2, lifeline: bool = False) -> Executor:
        """A new executor on this machine; it sees what others left."""
        ...

    def order(self, deed: Deed, task: str = "extract") -> StartAttempt:
        """The order for an attempt that does this, in pipeline `nightly`; a fresh token each time."""
        ...


def facts_until_ends(executor: Executor, count: int = 1) -> list[AttemptStarted | AttemptEnded]:
    """Everything reported until so many attempts have ended."""
    facts: list[AttemptStarted | AttemptEnded] = []
    for news in _looks(executor):
        facts += news
        if len(ends(facts)) >= count:
            return facts
    raise AssertionError(f"{count} ends were expected, and came: {facts}")


def until_started(executor: Executor) -> AttemptStarted:
    for news in _looks(executor):
        for fact in news:
            assert isinstance(fact, AttemptStarted), fact
            return fact
    raise AssertionError("it did not start")


def _looks(executor: Executor) -> Iterator[Sequence[AttemptStarted | AttemptEnded]]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        yield executor.poll()
        executor.wait(0.5)


def ends(facts: Sequence[AttemptStarted | AttemptEnded]) -> list[AttemptEnded]:
    return [fact for fact in facts if isinstance(fact, AttemptEnded)]


def end_of(executor: Executor) -> AttemptEnded:
    return ends(facts_until_ends(executor))[0]


def attempt_of(order: StartAttempt) -> Attempt:
    """The attempt as the store has it after the order was given."""
    return Attempt(
        id=order.attempt,
        run=order.run,
        key=order.key,
        number=order.number,
        token=order.token,
        state=AttemptState.RUNNING,
        notebook=order.notebook.sha256,
        created_at=datetime.now(UTC),
    )


def stop(order: StartAttempt, grace: float = 10.0) -> StopAttempt:
    return StopAttempt(attempt=order.attempt, token=order.token, by="ana", grace=timedelta(seconds=grace))


class ExecutorContract:
    """Inherit it, and define the fixture `machine`. Every executor of a machine should be closed when it goes."""

    def test_an_attempt_is_seen_to_start_and_to_end_with_what_it_reported(self, machine: Machine) -> None:
        executor, order = machine.executor(), machine.order("report 7")
        executor.start(order)
        started, ended = facts_until_ends(executor)
        assert isinstance(started, AttemptStarted)
        assert isinstance(ended, AttemptEnded)
        assert (started.attempt, started.token) == (ended.attempt, ended.token) == (order.attempt, order.token)
        assert (ended.state, ended.cause) == (AttemptState.SUCCESS, None)
        assert ended.outputs == {"rows": 7}
        assert started.at <= ended.at

    def test_a_failure_has_its_cause_its_error_and_its_cell(self, machine: Machine) -> None:
        executor = machine.executor()
        executor.start(machine.order("raise ValueError"))
        ended = end_of(executor)
        assert (ended.state, ended.cause, ended.failing_cell) == (AttemptState.FAILED, Cause.ERROR, 2)
        assert ended.error is not None
        assert (ended.error.name, ended.error.message) == ("ValueError", "bad country")

    def test_what_prevents_a_start_is_an_end_with_cause_storage(self, machine: Machine) -> None:
        executor, order = machine.executor(), machine.order("be impossible to start")
        executor.start(order)
        ended = end_of(executor)
        assert (ended.attempt, ended.token) == (order.attempt, order.token)
        assert (ended.state, ended.cause) == (AttemptState.FAILED, Cause.STORAGE)
        assert ended.reason
        assert executor.free_slots() == 2

    def test_each_end_is_reported_once_and_gives_its_slot_back(self, machine: Machine) -> None:
        executor = machine.executor(slots=2)
        assert executor.free_slots() == 2
        executor.start(machine.order("report 7", task="extract"))
        executor.start(machine.order("report 7", task="clean"))
        assert executor.free_slots() == 0
        facts_until_ends(executor, 2)
        assert executor.free_slots() == 2
        assert list(executor.poll()) == []

    def test_more_than_the_slots_may_be_held_but_never_less_than_none_are_free(self, machine: Machine) -> None:
        executor = machine.executor(slots=1)
        for task in ("extract", "clean"):
            executor.start(machine.order("report 7", task=task))
        assert executor.free_slots() == 0
        facts_until_ends(executor, 2)
        assert executor.free_slots() == 1

    def test_a_running_attempt_has_no_news(self, machine: Machine) -> None:
        executor = machine.executor()
        executor.start(machine.order("run long"))
        until_started(executor)
        assert list(executor.poll()) == []
        assert executor.free_slots() == 1

    def test_starting_twice_begins_once(self, machine: Machine) -> None:
        executor, order = machine.executor(), machine.order("report 7")
        executor.start(order)
        executor.start(order)
        facts = facts_until_ends(executor)
        assert [type(fact) for fact in facts] == [AttemptStarted, AttemptEnded]
        assert executor.free_slots() == 2

    def test_starting_what_has_ended_reports_the_same_end_again(self, machine: Machine) -> None:
        executor, order = machine.executor(), machine.order("report 7")
        executor.start(order)
        first = end_of(executor)
        executor.start(order)
        assert end_of(executor) == first

    def test_handing_over_again_after_a_crash_begins_once(self, machine: Machine) -> None:
        """The order went out, and then the engine died before it knew."""
        order = machine.order("run long")
        first, second = machine.executor(), machine.executor()
        first.start(order)
        began = until_started(first)
        second.start(order)
        assert until_started(second) == began
        second.stop(stop(order))
        assert end_of(second).state is AttemptState.CANCELLED

    def test_stop_ends_an_attempt_as_cancelled(self, machine: Machine) -> None:
        executor, order = machine.executor(), machine.order("run long")
        executor.start(order)
        until_started(executor)
        executor.stop(stop(order))
        ended = end_of(executor)
        assert (ended.state, ended.cause, ended.token) == (AttemptState.CANCELLED, Cause.CANCELLED, order.token)
        assert "ana" in ended.reason

    def test_an_attempt_can_be_stopped_before_it_is_seen_to_start(self, machine: Machine) -> None:
        executor, order = machine.executor(), machine.order("run long")
        executor.start(order)
        executor.stop(stop(order))
        assert end_of(executor).state is AttemptState.CANCELLED

    def test_a_second_stop_may_have_less_grace(self, machine: Machine) -> None:
        executor, order = machine.executor(), machine.order("ignore the stop")
        executor.start(order)
        until_started(executor)
        executor.stop(stop(order, grace=3600))
        executor.wait(0.2)
        executor.stop(stop(order, grace=0))
        assert end_of(executor).state is AttemptState.CANCELLED

    def test_stopping_what_is_unknown_or_over_has_no_effect(self, machine: Machine) -> None:
        executor, order = machine.executor(), machine.order("report 7")
        executor.stop(stop(order))
        executor.start(order)
        assert end_of(executor).state is AttemptState.SUCCESS
        executor.stop(stop(order))
        assert list(executor.poll()) == []

    def test_waiting_is_over_when_there_is_news(self, machine: Machine) -> None:
        """Half an hour would be over the time limit of any test."""
        executor = machine.executor()
        executor.start(machine.order("report 7"))
        facts: list[AttemptStarted | AttemptEnded] = []
        while not ends(facts):
            executor.wait(1800)
            facts += executor.poll()

    def test_waiting_without_news_is_over_in_time(self, machine: Machine) -> None:
        executor = machine.executor()
        executor.wait(0.01)
        assert list(executor.poll()) == []

    def test_running_attempts_survive_their_executor_and_are_adopted(self, machine: Machine) -> None:
        order = machine.order("run long")
        first = machine.executor()
        first.start(order)
        began = until_started(first)
        first.close()
        second = machine.executor()
        second.adopt([attempt_of(order)], order.pipeline)
        assert second.free_slots() == 1
        assert until_started(second) == began
        second.stop(stop(order))
        assert end_of(second).state is AttemptState.CANCELLED
        assert second.free_slots() == 2

    def test_of_adopted_attempts_that_ended_the_outcome_is_read(self, machine: Machine) -> None:
        order = machine.order("report 7")
        first = machine.executor()
        first.start(order)
        ended = end_of(first)
        second = machine.executor()
        second.adopt([attempt_of(order)], order.pipeline)
        assert end_of(second) == ended

    def test_adopting_what_was_never_handed_over_reports_it_lost(self, machine: Machine) -> None:
        executor, order = machine.executor(), machine.order("report 7")
        executor.adopt([attempt_of(order)], order.pipeline)
        ended = end_of(executor)
        assert (ended.attempt, ended.token) == (order.attempt, order.token)
        assert (ended.state, ended.cause) == (AttemptState.LOST, Cause.LOST)

    def test_it_knows_what_began_here(self, machine: Machine) -> None:
        began, never = machine.order("report 7"), machine.order("report 7", "load")
        first = machine.executor()
        first.start(began)
        end_of(first)
        second = machine.executor()
        assert second.began_here(attempt_of(began), began.pipeline)
        assert not second.began_here(attempt_of(never), never.pipeline)

    def test_adopting_what_one_has_changes_nothing(self, machine: Machine) -> None:
        executor, order = machine.executor(), machine.order("report 7")
        executor.start(order)
        executor.adopt([attempt_of(order)], order.pipeline)
        assert end_of(executor).state is AttemptState.SUCCESS
        assert list(executor.poll()) == []

    def test_foreground_attempts_end_with_their_executor(self, machine: Machine) -> None:
        order = machine.order("run long")
        first = machine.executor(lifeline=True)
        first.start(order)
        until_started(first)
        first.close()
        second = machine.executor()
        second.adopt([attempt_of(order)], order.pipeline)
        ended = end_of(second)
        assert (ended.state, ended.cause) == (AttemptState.LOST, Cause.LOST)
