"""The scheduler over a store in dicts and a clock that stands still: ticks, takeovers, pauses, backfills, manifests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from building import VALUE_ERROR, pipeline
from scheduling import DAILY, MONDAY, Machine, Process, scheduled

from nbflow.errors import Conflict, NotFound
from nbflow.model import Schedule, TaskKey
from nbflow.run import CancelRequested
from nbflow.states import AttemptState, Cause, RunKind, RunState, TaskState
from nbflow.testing.executor import Script

DAY, HOUR, MINUTE, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
SLOW = Script(after=timedelta(hours=30))
SLOWER = Script(after=timedelta(hours=100))
FAILS = Script(state=AttemptState.FAILED, cause=Cause.ERROR, error=VALUE_ERROR, failing_cell=3)


def at(day: int, hour: int = 2, minute: int = 0) -> datetime:
    """A time of March 2026; days after the 31st are of April."""
    return datetime(2026, 3, 1, hour, minute, tzinfo=UTC) + (day - 1) * DAY


def go_to(process: Process, when: datetime) -> None:
    process.step(when - process.machine.clock.now())


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
    assert process.started() == ["only"]
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
    assert process.started() == ["only", "only"]


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
    assert process.started() == ["only"]


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


# --- manifests ------------------------------------------------------------------------------------------------------


def test_a_broken_manifest_keeps_the_last_good_version() -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    machine.workspace.spoil("nightly", "a tab where spaces belong")
    go_to(process, at(31))
    process.step(SECOND)
    assert machine.keys() == ["2026-03-31T02:00:00Z"]
    assert [each.message for each in process.scheduler.catalog.problems] == ["a tab where spaces belong"]
    process.kill()
    successor = machine.start()  # which never saw it whole
    successor.step(SECOND)
    go_to(successor, at(32))
    assert machine.keys() == ["2026-03-31T02:00:00Z", "2026-04-01T02:00:00Z"]


def test_a_removed_pipeline_starts_nothing_and_begins_anew_when_it_comes_back() -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    machine.workspace.remove("nightly")
    go_to(process, at(32, 12))
    assert machine.runs() == []
    assert machine.store.standings()["nightly"].is_removed
    machine.workspace.put(scheduled())
    process.step(MINUTE)
    assert not machine.store.standings()["nightly"].is_removed
    go_to(process, at(33))
    assert machine.keys() == ["2026-04-02T02:00:00Z"]


def test_a_changed_schedule_starts_from_now() -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    go_to(process, at(31, 1))
    machine.workspace.put(scheduled(timing=Schedule(cron="0 1 * * *", missed="all")), text="an hour earlier")
    process.step(30 * MINUTE)
    go_to(process, at(31, 12))
    assert machine.runs() == []
    go_to(process, at(32, 1))
    assert machine.keys() == ["2026-04-01T01:00:00Z"]


def test_a_new_manifest_with_the_same_times_loses_no_tick() -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    go_to(process, at(31) - SECOND)
    machine.workspace.put(scheduled("nightly", DAILY, "only", "another"), text="one task more")
    process.step(2 * SECOND)
    process.step(2 * SECOND)
    assert machine.keys() == ["2026-03-31T02:00:00Z"]


# --- leaders and crashes --------------------------------------------------------------------------------------------


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
    assert (first.started(), second.started()) == (["only"], [])  # the running notebook went on, and was adopted


def test_a_notebook_that_a_dead_scheduler_started_is_followed_though_the_pipeline_is_paused_by_now() -> None:
    machine = Machine(scheduled(), scripts={("only", 1): Script(after=10 * MINUTE)})
    first, second = machine.start(), machine.start()
    first.step()
    go_to(first, at(31))
    (run,) = machine.runs()
    assert (first.started(), run.state) == (["only"], RunState.QUEUED)  # its start was not seen yet
    first.kill()
    machine.api.pause("nightly")
    second.until(lambda: machine.states() == {"2026-03-31T02:00:00Z": "success"}, every=MINUTE)
    assert second.started() == ["only"]  # handed over again, and the same attempt
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
    assert process.started() == []


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


# --- backfills ------------------------------------------------------------------------------------------------------


def test_a_backfill_creates_its_runs_in_order_never_more_at_once_than_allowed() -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    made = machine.api.backfill("nightly", start=date(2026, 3, 20), end=date(2026, 3, 24), max_active=2)
    most = 0

    def is_done() -> bool:
        nonlocal most
        most = max(most, sum(not run.state.is_terminal for run in machine.runs()))
        return not machine.store.backfill(made.id).state.is_active

    process.until(is_done)
    assert machine.keys() == [f"2026-03-{day}T02:00:00Z" for day in range(20, 25)]
    assert {run.kind for run in machine.runs()} == {RunKind.BACKFILL}
    created = sorted(machine.runs(), key=lambda run: (run.created_at, run.logical_date))
    assert [run.logical_date for run in created] == [at(day) for day in range(20, 25)]
    assert most == 2
    progress = machine.store.backfill_progress(made.id)
    assert (progress.ended, progress.failed, progress.waiting, progress.active) == (5, 0, 0, 0)


def test_a_backfill_runs_failed_dates_again_and_passes_over_good_ones() -> None:
    failing = {"2026-03-21"}
    machine = Machine(scheduled(), scripts=lambda order: FAILS if order.run_date.isoformat() in failing else Script())
    process = machine.start()
    process.step()
    first = machine.api.backfill("nightly", start=date(2026, 3, 20), end=date(2026, 3, 22), max_active=3)
    process.until(lambda: not machine.store.backfill(first.id).state.is_active)
    assert sorted(machine.states().values()) == ["failed", "success", "success"]
    failing.clear()
    preview = machine.api.preview_backfill(
        "nightly", start=date(2026, 3, 19), end=date(2026, 3, 22), reprocess="failed"
    )
    assert [str(item.action) for item in preview.items] == ["create", "pass", "reset", "pass"]
    second = machine.api.backfill("nightly", start=date(2026, 3, 19), end=date(2026, 3, 22), reprocess="failed")
    process.until(lambda: not machine.store.backfill(second.id).state.is_active)
    assert set(machine.states().values()) == {"success"}
    assert len(machine.runs()) == 4


def test_a_cancelled_backfill_cancels_what_it_started() -> None:
    machine = Machine(scheduled(), scripts=lambda order: SLOW)
    process = machine.start()
    process.step()
    made = machine.api.backfill("nightly", start=date(2026, 3, 20), end=date(2026, 3, 22))
    process.until(lambda: any(run.state is RunState.RUNNING for run in machine.runs()))
    machine.api.pause_backfill(made.id)
    machine.api.resume_backfill(made.id)
    machine.api.cancel_backfill(made.id)
    process.until(lambda: all(run.state is RunState.CANCELLED for run in machine.runs()))
    assert len(machine.runs()) == 1
