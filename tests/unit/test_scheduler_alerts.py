"""What a scheduler tells people: missed and skipped ticks, late runs, tasks that take too long, a crash."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from engines import FAILS
from scheduling import Machine, scheduled

from nbflow.backfill import BackfillState
from nbflow.model import Alerts, Pipeline, Schedule
from nbflow.notice import NoticeKind
from nbflow.testing.executor import Script

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
ALERTS = Alerts(on_failure=("ops",), on_recovery=("ops",), on_missed=("ops",), on_late=("ops",), late_after=time(6, 30))


def watched(**about: object) -> Pipeline:
    of = replace(scheduled(), alerts=ALERTS)
    return replace(of, schedule=replace(of.schedule or Schedule(), **about))


def told(machine: Machine) -> list[NoticeKind]:
    """Oldest first."""
    return [message.notice.kind for message in machine.store.messages(limit=1000)][::-1]


def test_a_failed_run_and_the_next_good_one_are_told() -> None:
    machine = Machine(watched(), scripts=lambda order: FAILS if order.run_date.day == 31 else Script())
    process = machine.start()
    process.step()
    process.until(lambda: len(machine.runs()) == 3, every=HOUR / 2)
    process.work(MINUTE)
    assert told(machine) == [NoticeKind.FAILED, NoticeKind.RECOVERED]


def test_a_run_that_is_not_finished_in_time_is_told_once() -> None:
    machine = Machine(watched(), scripts=lambda order: Script(after=10 * HOUR))
    process = machine.start()
    process.step()
    process.until(lambda: machine.runs(), every=HOUR / 4)
    process.work(4 * HOUR, every=5 * MINUTE)
    assert told(machine) == []
    process.work(HOUR, every=5 * MINUTE)
    process.kill()
    machine.start().work(HOUR, every=5 * MINUTE)
    assert told(machine) == [NoticeKind.LATE]
    [message] = machine.store.messages()
    assert message.notice.first == datetime(2026, 3, 31, 6, 30, tzinfo=UTC)


def test_ticks_without_a_scheduler_are_told_when_one_comes_back() -> None:
    machine = Machine(watched())
    first = machine.start()
    first.step()
    first.kill()
    machine.clock.advance(3 * DAY)
    machine.start().work(MINUTE)
    assert told(machine) == [NoticeKind.MISSED, NoticeKind.LATE]  # the last one runs now, after 06:30


def test_a_tick_that_is_skipped_is_told() -> None:
    machine = Machine(watched(overlap="skip"), scripts=lambda order: Script(after=30 * HOUR))
    process = machine.start()
    process.step()
    process.until(lambda: NoticeKind.SKIPPED in told(machine), every=HOUR / 2)
    assert len(machine.runs()) == 1


def test_a_backfill_that_the_scheduler_pauses_is_told_and_one_that_a_person_pauses_is_not() -> None:
    machine = Machine(watched())
    process = machine.start()
    process.step()
    made = machine.api.backfill("nightly", start=date(2026, 3, 20), end=date(2026, 3, 24)).id
    machine.api.pause_backfill(made)
    process.work(MINUTE)
    machine.workspace.remove("nightly")
    machine.api.resume_backfill(made)
    process.until(lambda: machine.store.backfill(made).state is BackfillState.PAUSED)
    [message] = machine.store.messages()
    assert (message.notice.kind, message.notice.channels) == (NoticeKind.PAUSED, ("ops",))
    assert message.notice.text == (
        f"backfill {made}: no run can be created: there is no pipeline 'nightly' in the project; "
        f"when that is mended: nbflow backfill resume {made}"
    )


def test_a_scheduler_that_follows_a_crash_says_so_and_one_that_follows_an_orderly_end_does_not() -> None:
    machine = Machine(watched())
    machine.on_restart = ("ops",)
    first = machine.start()
    first.step()
    first.scheduler.resign()
    second = machine.start()
    second.step()
    assert told(machine) == []
    second.kill()
    third = machine.start()
    third.step()
    third.work(MINUTE)
    assert told(machine) == [NoticeKind.RESTARTED]
    [message] = machine.store.messages()
    assert message.notice.text == f"{second.name} ended without a word; {third.name} has taken over"
