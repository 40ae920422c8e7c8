"""The scheduler over a store in dicts and a clock that stands still: ticks, overlaps, pauses, clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from building import pipeline, task
from engines import FAILS, started
from scheduling import (
    DAILY,
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    SECOND,
    SLOW,
    SLOWER,
    Machine,
    at,
    go_to,
    scheduled,
)

from nbflow.errors import Conflict, NotFound
from nbflow.model import Pipeline, Schedule, Task, TaskKey
from nbflow.run import CancelRequested
from nbflow.scheduler.firing import AT_ONCE
from nbflow.states import RunKind, RunState, TaskState
from nbflow.testing.executor import Script
from nbflow.timetable import MOST

# --- ticks ----------------------------------------------------------------------------------------------------------


def test_a_tick_starts_one_run_and_its_first_task_in_one_turn() -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    assert machine.runs() == []
    go_to(process, at(31) - SECOND)
    assert machine.runs() == []
    process.step(SECOND)
    process.step(SECOND / 2)
    (run,) = machine.runs()
    assert (run.run_key, run.kind) == ("sched:2026-03-31T02:00:00Z", RunKind.SCHEDULED)
    assert (run.logical_date, run.run_date) == (at(31), date(2026, 3, 31))
    assert run.interval == (at(30), at(31))
    assert started(process.executor) == ["only"]
    process.work(MINUTE)
    assert machine.states() == {"2026-03-31T02:00:00Z": "success"}


def test_a_tick_starts_no_second_run_however_often_it_is_looked_at() -> None:
    machine = Machine(scheduled())
    first, second = machine.start(), machine.start()
    for process in (first, second):
        process.step()
    go_to(first, at(31))
    for _ in range(5):
        first.step()
        second.step()
    assert len(machine.runs()) == 1


def test_ticks_before_a_pipeline_was_seen_are_not_missed() -> None:
    machine = Machine(scheduled(timing=replace(DAILY, missed="all")))
    process = machine.start()
    process.work(HOUR, MINUTE)
    assert machine.runs() == []


@pytest.mark.parametrize(
    ("missed", "expected", "skipped"),
    [
        ("latest", [33], 2),
        ("none", [], 3),
        ("all", [31, 32, 33], 0),
        (2, [32, 33], 1),
    ],
)
def test_what_was_missed_while_no_scheduler_ran(missed: Any, expected: list[int], skipped: int) -> None:
    machine = Machine(scheduled(timing=replace(DAILY, missed=missed)))
    machine.start().step()
    machine.clock.advance(at(33, 12) - MONDAY)
    machine.owners.dead.add("scheduler@host.1")
    late = machine.start()
    late.until(lambda: late.scheduler.leader and all(run.state.is_terminal for run in machine.runs()))
    late.work(2 * MINUTE)
    assert machine.keys() == [f"{at(day):%Y-%m-%dT%H:%M:%SZ}" for day in expected]
    stretches = machine.store.skips("nightly")
    assert bool(stretches) is bool(skipped)
    for skip in stretches:
        assert (skip.first, "no scheduler was running" in skip.reason) == (at(31), True)
        assert (skip.last - skip.first) / DAY + 1 == skipped


def test_a_restart_within_grace_loses_no_tick() -> None:
    machine = Machine(scheduled(timing=replace(DAILY, missed="none")))
    first = machine.start()
    first.step()
    first.kill()
    machine.clock.advance(at(31) + 9 * MINUTE - MONDAY)
    second = machine.start()
    second.until(lambda: machine.states() == {"2026-03-31T02:00:00Z": "success"})
    assert machine.store.skips() == []


def gone(*_: Any) -> None:
    raise NotFound("notebook 'only.ipynb' does not exist")


def test_a_tick_whose_notebook_is_gone_is_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    monkeypatch.setattr(machine.workspace, "freeze", gone)
    go_to(process, at(31))
    (skip,) = machine.store.skips()
    assert (skip.first, skip.last) == (at(31), at(31))
    assert "notebook 'only.ipynb' does not exist" in skip.reason
    monkeypatch.undo()
    go_to(process, at(32))
    assert machine.keys() == ["2026-04-01T02:00:00Z"]


# --- overlap, queueing ----------------------------------------------------------------------------------------------


def test_a_queued_run_waits_for_the_one_before() -> None:
    machine = Machine(scheduled(), scripts={("only", 1): SLOW})
    process = machine.start()
    process.step()
    go_to(process, at(31))
    process.step(SECOND)
    go_to(process, at(32))
    process.step(SECOND)
    assert [run.state for run in machine.runs()] == [RunState.RUNNING, RunState.QUEUED]
    process.until(lambda: machine.runs()[0].state is RunState.SUCCESS, every=MINUTE)
    process.until(lambda: machine.runs()[1].state is RunState.RUNNING)


def test_overlap_skip_shows_the_tick_with_its_reason() -> None:
    machine = Machine(scheduled(timing=replace(DAILY, overlap="skip")), scripts={("only", 1): SLOW})
    process = machine.start()
    process.step()
    go_to(process, at(31))
    process.step(SECOND)
    go_to(process, at(32))
    (run,) = machine.runs()
    (skip,) = machine.store.skips()
    assert skip.first == at(32)
    assert run.id in skip.reason


def test_overlap_cancel_running_lets_the_new_run_start() -> None:
    machine = Machine(scheduled(timing=replace(DAILY, overlap="cancel_running")), scripts={("only", 1): SLOW})
    process = machine.start()
    process.step()
    go_to(process, at(31))
    process.step(SECOND)
    go_to(process, at(32))
    process.until(lambda: [run.state for run in machine.runs()] == [RunState.CANCELLED, RunState.RUNNING])


def test_no_run_makes_way_for_one_that_cannot_be_created(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(scheduled(timing=replace(DAILY, overlap="cancel_running")), scripts={("only", 1): SLOW})
    process = machine.start()
    process.step()
    go_to(process, at(31))
    process.step(SECOND)
    monkeypatch.setattr(machine.workspace, "freeze", gone)
    go_to(process, at(32))
    process.work(MINUTE)
    assert [skip.first for skip in machine.store.skips()] == [at(32)]
    assert [run.state for run in machine.runs()] == [RunState.RUNNING]


def test_more_runs_at_once_where_the_manifest_says_so() -> None:
    machine = Machine(scheduled(max_active_runs=2), scripts={("only", 1): SLOWER})
    process = machine.start()
    process.step()
    for day in (31, 32, 33):
        go_to(process, at(day))
        process.work(3 * SECOND, SECOND)
    started = [run.state for run in machine.runs()]
    assert started == [RunState.RUNNING, RunState.RUNNING, RunState.QUEUED]


# --- runs by hand ---------------------------------------------------------------------------------------------------


def test_a_triggered_run_is_taken_by_the_scheduler() -> None:
    machine = Machine(scheduled(timing=None))
    process = machine.start()
    process.step()
    run = machine.api.trigger("nightly")
    process.step(SECOND)
    assert machine.store.load(run.id).run.state in {RunState.QUEUED, RunState.RUNNING}
    process.until(lambda: machine.store.load(run.id).run.state is RunState.SUCCESS)
    assert machine.api.trigger("nightly", key="once").id == machine.api.trigger("nightly", key="once").id


def test_a_request_to_an_ended_run_is_carried_out_and_the_run_goes_on() -> None:
    tries = iter([FAILS, Script()])
    machine = Machine(scheduled(timing=None), scripts=lambda order: next(tries))
    process = machine.start()
    process.step()
    run = machine.api.trigger("nightly")
    process.until(lambda: machine.store.load(run.id).run.state is RunState.FAILED)
    machine.store.ask(run.id, machine.api.repair_request(run.id), now=machine.clock.now())
    process.until(lambda: machine.store.load(run.id).run.state is RunState.SUCCESS)
    assert started(process.executor) == ["only", "only"]


def test_a_queued_run_can_be_cancelled_though_it_may_not_start() -> None:
    machine = Machine(scheduled(timing=None), scripts=lambda order: SLOW)
    process = machine.start()
    process.step()
    first = machine.api.trigger("nightly")
    process.until(lambda: machine.store.load(first.id).run.state is RunState.RUNNING)
    second = machine.api.trigger("nightly")
    machine.store.ask(second.id, CancelRequested(by="ada"), now=machine.clock.now())
    process.until(lambda: machine.store.load(second.id).run.state is RunState.CANCELLED)
    assert machine.store.load(first.id).run.state is RunState.RUNNING
    assert started(process.executor) == ["only"]


def test_commands_are_refused_where_nobody_would_carry_them_out() -> None:
    machine = Machine(scheduled(timing=None))
    run = machine.api.trigger("nightly")
    with pytest.raises(Conflict, match="no scheduler is running"):
        machine.api.cancel(run.id)
    assert machine.store.asked_ownerless() == []


def test_previews_name_what_would_be_touched_and_touch_nothing() -> None:
    chained = replace(scheduled(timing=None), tasks=dict(pipeline(a="", b="a", c="b", other="").tasks))
    machine = Machine(chained, scripts={("a", 1): FAILS, ("other", 1): SLOW})
    process = machine.start()
    run = machine.api.trigger("nightly")
    process.until(lambda: machine.store.load(run.id).tasks[TaskKey("c")].state is TaskState.UPSTREAM_FAILED)
    process.step(2 * SECOND)
    before = machine.store.load(run.id)
    assert machine.api.preview_mark(run.id, "a", TaskState.SUCCESS) == (TaskKey("b"), TaskKey("c"))
    assert machine.api.preview_cancel(run.id) == (TaskKey("other"),)
    with pytest.raises(Conflict, match="ended already"):
        machine.api.preview_cancel(run.id, "a")
    with pytest.raises(Conflict, match="is running"):
        machine.api.preview_mark(run.id, "other", TaskState.SUCCESS)
    assert machine.store.load(run.id) == before


def test_why_a_run_waits_is_said_in_one_sentence() -> None:
    machine = Machine(scheduled(timing=None), scripts=lambda order: SLOW)
    first = machine.api.trigger("nightly")
    assert "no scheduler is running" in machine.api.why_run(first.id)
    process = machine.start()
    process.until(lambda: machine.store.load(first.id).run.state is RunState.RUNNING)
    second = machine.api.trigger("nightly")
    process.work(2 * SECOND, SECOND)
    waits = f"run {first.id} is running, and max_active_runs of nightly is 1"
    assert machine.api.why_run(second.id) == f"run {second.id} has not started: {waits}."
    assert machine.api.why(second.id, "only") == f"only waits for its run to start: {waits}."
    assert machine.api.why_run(first.id).startswith(f"run {first.id} is running, ")
    process.kill()
    assert "no scheduler is running" in machine.api.why(first.id, "only")


def test_of_a_run_that_ends_while_it_is_looked_at_nobody_says_that_it_waits_for_a_scheduler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(scheduled(timing=None), scripts=lambda order: Script(after=MINUTE))
    run, process = machine.api.trigger("nightly"), machine.start()
    process.until(lambda: machine.store.load(run.id).run.state is RunState.RUNNING)
    owned = machine.store.owned

    def after_its_end() -> Any:
        monkeypatch.undo()
        process.until(lambda: machine.store.load(run.id).run.state.is_terminal)
        return owned()

    monkeypatch.setattr(machine.store, "owned", after_its_end)
    assert machine.api.why_run(run.id) == f"run {run.id} is running, 1.0 s."


def test_who_uses_the_slots_is_said_where_none_is_free() -> None:
    pipelines = [scheduled("nightly", None, "first", "second"), scheduled("hourly", None, "other")]
    machine = Machine(*pipelines, scripts=lambda order: SLOW, slots=2)
    process = machine.start()
    hourly = machine.api.trigger("hourly")
    process.until(lambda: machine.store.load(hourly.id).run.state is RunState.RUNNING)
    nightly = machine.api.trigger("nightly")
    process.until(lambda: machine.store.load(nightly.id).run.state is RunState.RUNNING)
    expected = "second waits for a free slot: 2 of 2 used by hourly.other, first."
    assert machine.api.why(nightly.id, "second") == expected


def test_for_whom_the_places_of_a_pool_are_kept_is_said() -> None:
    def of(name: str, only: Task) -> Pipeline:
        return replace(scheduled(name, None), tasks={only.name: only})

    pipelines = [
        of("first", task("only", pool="warehouse")),
        of("wide", task("load", pool="warehouse", pool_slots=2, priority=5)),
        of("narrow", task("only", pool="warehouse")),
    ]
    machine = Machine(*pipelines, scripts=lambda order: SLOW, pools={"warehouse": 2})
    process = machine.start()
    first = machine.api.trigger("first")
    process.until(lambda: machine.store.load(first.id).run.state is RunState.RUNNING)
    wide, narrow = machine.api.trigger("wide"), machine.api.trigger("narrow")
    process.work(2 * SECOND, SECOND)
    assert started(process.executor) == ["only"]
    expected = "load waits for 2 places of pool warehouse: 1 of 2 used by only."
    assert machine.api.why(wide.id, "load") == expected
    expected = "only waits for pool warehouse, whose free places are kept for wide.load."
    assert machine.api.why(narrow.id, "only") == expected


# --- pauses ---------------------------------------------------------------------------------------------------------


def test_a_paused_pipeline_starts_no_scheduled_run_and_names_what_it_passed_over() -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    machine.api.pause("nightly", note="month end")
    process.step(SECOND)
    go_to(process, at(32, 12))
    assert machine.runs() == []
    run = machine.api.trigger("nightly")
    process.until(lambda: machine.store.load(run.id).run.state is RunState.SUCCESS)
    skip = machine.api.resume("nightly")
    assert skip is not None
    assert (skip.first, skip.last) == (at(31), at(32))
    go_to(process, at(33))
    process.step(SECOND)
    assert machine.keys()[:1] == ["2026-04-02T02:00:00Z"]
    with pytest.raises(Conflict):
        machine.api.resume("nightly")


def test_pausing_in_the_moment_of_a_tick_creates_nothing() -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    machine.clock.advance(at(31) - machine.clock.now())
    machine.api.pause("nightly")
    process.scheduler.step(machine.clock.now())
    assert machine.runs() == []


# --- clocks -----------------------------------------------------------------------------------------------------------


def test_ticks_start_runs_again_after_a_clock_that_was_years_ahead() -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    process.work(MINUTE, every=5 * SECOND)
    go_to(process, at(31) + 3000 * DAY)  # what it does then is what the clock says
    process.work(MINUTE, every=5 * SECOND)
    wrong = machine.keys()
    go_to(process, at(30, 9, 5))
    process.until(lambda: "2026-03-31T02:00:00Z" in set(machine.keys()), every=MINUTE, turns=2000)
    assert machine.keys() == ["2026-03-31T02:00:00Z", *wrong]


# --- many at once ---------------------------------------------------------------------------------------------------


def test_what_runs_does_not_wait_for_all_of_a_midnight() -> None:
    """And who has many ticks to make up for keeps nobody waiting."""
    names = [f"p{number:03}" for number in range(3 * AT_ONCE)]
    behind = Schedule(every=HOUR, missed="all")
    machine = Machine(scheduled("behind", behind), *(scheduled(name) for name in names), slots=500)
    machine.start().step()
    machine.clock.advance(100 * DAY)
    process = machine.start()
    made, turns = [0], 0
    while process.scheduler.step(machine.clock.advance(SECOND / 2)):
        process.engine.step(machine.clock.now())
        made.append(len(machine.runs()))
        turns += 1
        if turns == 4:  # the first alone, and then the others
            assert {run.pipeline for run in machine.runs()} == {"behind", *names}
            assert len(started(process.executor)) >= AT_ONCE
    assert max(after - before for before, after in pairwise(made)) <= MOST + AT_ONCE
    assert len(machine.runs("behind")) == 100 * 24
    assert len(machine.runs()) == 100 * 24 + len(names)


def test_what_is_asked_of_many_runs_at_once_holds_nothing_up() -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    made = machine.api.backfill("nightly", start=date(2026, 1, 1), end=date(2026, 3, 29), max_active=3 * AT_ONCE)
    assert process.scheduler.step(machine.clock.advance(5 * SECOND))
    process.engine.leave()
    machine.api.cancel_backfill(made.id)
    assert len(machine.store.asked_ownerless()) == 3 * AT_ONCE
    assert process.scheduler.step(machine.clock.advance(SECOND))
    assert len(machine.store.asked_ownerless()) == AT_ONCE  # so many were let go of again, so many taken
    process.until(lambda: {run.state for run in machine.runs()} == {RunState.CANCELLED})
