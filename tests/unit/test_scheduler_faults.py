"""A fault that nobody foresaw stops one run, pipeline or backfill, and no other; a minute later it is tried again."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from engines import started
from scheduling import MINUTE, SECOND, Machine, at, go_to, scheduled

from nbflow.backfill import BackfillState
from nbflow.errors import Conflict
from nbflow.model import TaskKey
from nbflow.run import ResetRequested
from nbflow.states import RunState
from nbflow.testing.executor import Script


def failing(store: Any, verb: str, is_meant: Callable[..., bool]) -> Callable[[], None]:
    """Let a verb of the store fail where it is meant; what is returned mends it."""
    original = getattr(store, verb)

    def fails(*given: Any, **about: Any) -> Any:
        if is_meant(*given, **about):
            raise KeyError("a column of another version")
        return original(*given, **about)

    setattr(store, verb, fails)
    return lambda: setattr(store, verb, original)


def told(caplog: pytest.LogCaptureFixture, text: str) -> int:
    """How often a fault was logged with its traceback."""
    return sum(text in record.getMessage() and record.exc_info is not None for record in caplog.records)


def test_one_pipeline_whose_ticks_cannot_be_decided_on_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(scheduled("broken"), scheduled())
    process = machine.start()
    process.step()
    mend = failing(machine.store, "fire", lambda leader, pipeline, **about: pipeline == "broken")
    go_to(process, at(31))
    process.work(30 * SECOND, every=SECOND)
    assert machine.keys("nightly") == ["2026-03-31T02:00:00Z"]
    assert machine.keys("broken") == []
    assert told(caplog, "pipeline broken is set aside") == 1
    mend()
    process.work(MINUTE)
    assert machine.keys("broken") == ["2026-03-31T02:00:00Z"]


def test_one_pipeline_that_cannot_be_taken_in_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(scheduled("broken"), scheduled())
    mend = failing(machine.store, "see", lambda leader, standing, *good: standing.pipeline == "broken")
    process = machine.start()
    process.work(30 * SECOND, every=SECOND)
    assert set(machine.store.standings()) == {"nightly"}
    assert told(caplog, "pipeline broken is set aside") == 1
    mend()
    process.work(MINUTE)
    assert set(machine.store.standings()) == {"broken", "nightly"}


def test_one_backfill_that_cannot_be_carried_on_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(scheduled("broken"), scheduled())
    process = machine.start()
    process.step()
    days = {"start": date(2026, 3, 20), "end": date(2026, 3, 22)}
    broken, good = (machine.api.backfill(name, **days).id for name in ("broken", "nightly"))
    mend = failing(machine.store, "next_items", lambda backfill, *most: backfill == broken)
    process.until(lambda: machine.store.backfill(good).state is BackfillState.DONE)
    assert machine.store.backfill(broken).state is BackfillState.RUNNING
    assert told(caplog, f"backfill {broken} is set aside") == 1
    mend()
    process.until(lambda: machine.store.backfill(broken).state is BackfillState.DONE)


def test_one_run_that_cannot_be_adopted_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(scheduled("broken", None), scheduled(timing=None), scripts=lambda order: Script(after=MINUTE))
    first = machine.start()
    first.step()
    broken, good = (machine.api.trigger(name).id for name in ("broken", "nightly"))
    first.work(10 * SECOND)
    first.kill()
    second = machine.start()
    mend = failing(second.executor, "adopt", lambda attempts, pipeline: pipeline == "broken")
    second.until(lambda: machine.store.load(good).run.state is RunState.SUCCESS)
    assert machine.store.load(broken).run.state is RunState.RUNNING
    assert told(caplog, f"run {broken} is set aside") >= 1
    mend()
    second.until(lambda: machine.store.load(broken).run.state is RunState.SUCCESS)
    assert started(second.executor) == []


@pytest.mark.parametrize("verb", ["load", "apply"])
def test_one_run_that_cannot_be_carried_on_stops_no_other(verb: str, caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(scheduled("broken", timing=None), scheduled(timing=None))
    process = machine.start()
    process.step()
    broken = machine.api.trigger("broken").id
    mend = failing(
        machine.store, verb, lambda given, **about: broken in [given, getattr(getattr(given, "run", None), "id", None)]
    )
    process.work(45 * SECOND, every=SECOND)
    good = machine.api.trigger("nightly").id
    process.until(lambda: machine.store.load(good).run.state is RunState.SUCCESS)
    assert told(caplog, f"run {broken} is set aside") == 1
    if verb == "apply":  # one that cannot be loaded can nobody look at
        said = (
            "the scheduler set it aside at .* for a fault of nbflow's own \\(KeyError: 'a column of another version'\\)"
        )
        assert re.search(said, machine.api.why_run(broken))
        assert re.search(said, machine.api.whys(machine.store.load(broken)).held_up)
    with pytest.raises(Conflict, match=f"run {broken} is set aside: KeyError: 'a column of another version'"):
        process.engine.drive(broken)
    mend()
    process.until(lambda: machine.store.load(broken).run.state is RunState.SUCCESS)


def test_a_run_that_was_set_aside_long_ago_and_was_not_heard_of_since_is_not_called_so() -> None:
    machine = Machine(scheduled("broken", timing=None))
    process = machine.start()
    process.step()
    broken = machine.api.trigger("broken").id
    failing(machine.store, "apply", lambda *given, **about: True)
    process.work(5 * SECOND, every=SECOND)
    assert "set it aside" in machine.api.why_run(broken)
    machine.clock.advance(3 * MINUTE)
    assert "set it aside" not in machine.api.why_run(broken)


def test_what_a_killed_command_has_asked_of_a_run_is_told_until_it_is_done() -> None:
    machine = Machine(scheduled(timing=None))
    process = machine.start()
    process.step()
    run = machine.api.trigger("nightly").id
    process.until(lambda: machine.store.load(run).run.state is RunState.SUCCESS)
    request = ResetRequested(by="ada", keys=(TaskKey("only"),))
    machine.store.ask(run, request, now=machine.clock.now())
    assert machine.api.why_run(run).startswith(f"run {run} ended well; ada wants it run again")
    process.until(lambda: machine.store.load(run).run.state is RunState.QUEUED)
    process.until(lambda: machine.store.load(run).run.state is RunState.SUCCESS)
    assert machine.api.why_run(run) == f"run {run} ended well."


def test_a_run_is_set_aside_also_where_that_cannot_be_told(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine(scheduled("broken", timing=None), scheduled(timing=None))
    process = machine.start()
    process.step()
    failing(machine.store, "note_aside", lambda *given, **about: True)
    broken = machine.api.trigger("broken").id
    failing(machine.store, "apply", lambda decision, **about: decision.run.id == broken)
    good = machine.api.trigger("nightly").id
    process.until(lambda: machine.store.load(good).run.state is RunState.SUCCESS)
    assert told(caplog, f"run {broken} is set aside") == 1
    assert "set it aside" not in machine.api.why_run(broken)
