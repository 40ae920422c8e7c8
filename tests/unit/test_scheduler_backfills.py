"""Backfills over a store in dicts and a clock that stands still: order, room, pauses, what keeps them from going on."""

from __future__ import annotations

from datetime import date

import pytest
from engines import FAILS
from scheduling import SECOND, SLOW, Machine, at, scheduled

from nbflow.backfill import BackfillState
from nbflow.states import RunKind, RunState
from nbflow.testing.executor import Script


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


def test_a_backfill_goes_by_the_last_good_manifest_and_is_paused_where_there_is_none() -> None:
    """An edit under way must not use up its ticks."""
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    made = machine.api.backfill("nightly", start=date(2026, 3, 20), end=date(2026, 3, 24))
    machine.workspace.spoil("nightly")
    process.until(lambda: len(machine.runs()) == 2)
    machine.workspace.remove("nightly")
    process.until(lambda: machine.store.backfill(made.id).state is BackfillState.PAUSED)
    paused = machine.api.backfill_status(made.id).backfill
    assert paused.changed_by == "scheduler"
    assert paused.reason == "no run can be created: there is no pipeline 'nightly' in the project"
    machine.workspace.put(scheduled())
    process.work(10 * SECOND)
    machine.api.resume_backfill(made.id)
    process.until(lambda: machine.store.backfill(made.id).state is BackfillState.DONE)
    assert len(machine.runs()) == 5


@pytest.mark.parametrize(
    ("verb", "change"),
    [("begin_item", "pause_backfill"), ("begin_item", "cancel_backfill"), ("set_backfill", "cancel_backfill")],
)
def test_a_backfill_that_is_changed_in_this_moment_holds_nothing_up(verb: str, change: str) -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    made = machine.api.backfill("nightly", start=date(2026, 3, 20), end=date(2026, 3, 20))

    def just_before() -> None:
        if machine.store.backfill(made.id).state is BackfillState.RUNNING:
            getattr(machine.api, change)(made.id)

    process.store.before[verb] = just_before
    expected = BackfillState.PAUSED if change == "pause_backfill" else BackfillState.CANCELLED
    process.until(lambda: machine.store.backfill(made.id).state is expected)
    process.step(SECOND)
    assert process.scheduler.trouble is None


def test_many_ticks_that_are_passed_over_take_many_turns() -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    for _ in range(2):
        made = machine.api.backfill("nightly", start=date(2025, 10, 1), end=date(2026, 3, 29), max_active=200)
        assert process.scheduler.step(machine.clock.advance(5 * SECOND))
        progress = machine.store.backfill_progress(made.id)
        assert progress.waiting == 80
        process.until(lambda: machine.store.backfill(made.id).state is BackfillState.DONE)  # noqa: B023  # called here
    assert progress.passed == 100
