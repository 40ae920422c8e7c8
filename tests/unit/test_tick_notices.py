"""What people are told of ticks that were missed or skipped."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from building import new_run, pipeline

from nbflow.model import Alerts, Pipeline, Schedule
from nbflow.notice import NoticeKind
from nbflow.states import RunKind
from nbflow.timetable import decide, notices

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hourly(on_missed: tuple[str, ...] = ("ops",), **about: Any) -> Pipeline:
    timing = Schedule(cron="0 * * * *", timezone="Europe/Berlin", **about)
    return replace(pipeline(a=""), schedule=timing, alerts=Alerts(on_missed=on_missed))


def test_missed_ticks_are_told_whether_they_run_or_not() -> None:
    for missed, said in (
        ("latest", "the last of them runs now"),
        ("none", "none of them runs now"),
        (2, "the last 2 of them run now"),
    ):
        of = hourly(missed=missed)
        [notice] = notices(of, decide(of, NOON - 4 * HOUR, [], NOON - 0.5 * HOUR), NOON - 0.5 * HOUR)
        assert (notice.kind, notice.channels, notice.pipeline) == (NoticeKind.MISSED, ("ops",), "nightly")
        assert (notice.first, notice.last, notice.text) == (
            NOON - 3 * HOUR,
            NOON - HOUR,
            f"no scheduler was there when they were due; {said}",
        )
        assert (notice.id, notice.timezone) == ("missed/nightly/20260401T090000Z", "Europe/Berlin")


def test_a_tick_within_its_grace_is_only_late() -> None:
    of = hourly()
    now = NOON + timedelta(minutes=10)
    decided = decide(of, NOON - HOUR, [], now)
    assert len(decided.fires) == 1
    assert notices(of, decided, now) == ()


def test_a_skipped_tick_is_told_with_its_reason() -> None:
    of = hourly(overlap="skip")
    busy = replace(new_run(of).run, kind=RunKind.SCHEDULED)
    [notice] = notices(of, decide(of, NOON - HOUR, [busy], NOON), NOON)
    assert (notice.kind, notice.first, notice.last) == (NoticeKind.SKIPPED, NOON, NOON)
    assert notice.text == "overlap: run r1 was not finished, and max_active_runs is 1"


def test_nothing_is_told_where_nobody_asked_or_all_is_well() -> None:
    silent, loud = hourly(on_missed=()), hourly()
    assert notices(silent, decide(silent, NOON - 4 * HOUR, [], NOON), NOON) == ()
    assert notices(loud, decide(loud, NOON - HOUR, [], NOON), NOON) == ()
    manual = replace(pipeline(a=""), alerts=Alerts(on_missed=("ops",)))
    assert notices(manual, decide(manual, NOON - HOUR, [], NOON), NOON) == ()
