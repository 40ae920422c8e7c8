"""Run dates, notes, intervals, limits and refusals of schedules. Expected values are worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from nbflow.errors import InvalidInput
from nbflow.model import DataInterval, Schedule
from nbflow.schedule import check_cron, for_date, for_instant, interval, previous, ticks


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def span(start: str, end: str) -> DataInterval:
    return DataInterval(utc(start), utc(end))


PACIFIC = Schedule(cron="0 2 * * *", timezone="America/Los_Angeles")
NUUK = Schedule(cron="30 23 * * *", timezone="America/Nuuk")


# --- run dates and notes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cron", "zone", "after", "instant", "run_date", "local", "note"),
    [
        ("0 2 * * *", "America/Los_Angeles", "2026-03-07T00:00", "2026-03-07T10:00", "2026-03-07",
         "2026-03-07T02:00:00-08:00", ""),
        ("0 2 * * *", "America/Los_Angeles", "2026-03-08T00:00", "2026-03-08T10:00", "2026-03-08",
         "2026-03-08T03:00:00-07:00", "02:00 does not exist on this day"),
        ("*/15 2 * * *", "America/Los_Angeles", "2026-03-08T00:00", "2026-03-08T10:00", "2026-03-08",
         "2026-03-08T03:00:00-07:00", "02:00 does not exist on this day"),
        ("0 3 * * *", "America/Los_Angeles", "2026-03-08T00:00", "2026-03-08T10:00", "2026-03-08",
         "2026-03-08T03:00:00-07:00", ""),
        ("15 2 * * * 30", "America/Los_Angeles", "2026-03-08T00:00", "2026-03-08T10:00", "2026-03-08",
         "2026-03-08T03:00:00-07:00", "02:15:30 does not exist on this day"),
        ("30 1 * * *", "America/Los_Angeles", "2026-11-01T00:00", "2026-11-01T08:30", "2026-11-01",
         "2026-11-01T01:30:00-07:00", "01:30 happens twice on this day; the first one counts"),
        ("30 * * * *", "America/Los_Angeles", "2026-11-01T09:00", "2026-11-01T09:30", "2026-11-01",
         "2026-11-01T01:30:00-08:00", ""),
        ("30 23 * * *", "America/Nuuk", "2026-03-28T12:00", "2026-03-29T01:00", "2026-03-28",
         "2026-03-29T00:00:00-01:00", "23:30 does not exist on this day"),
        # Of times that meet on one instant the earliest counts, also for the date.
        ("0 0,23 * * *", "America/Nuuk", "2026-03-28T12:00", "2026-03-29T01:00", "2026-03-28",
         "2026-03-29T00:00:00-01:00", "23:00 does not exist on this day"),
        ("0 12 * * *", "Pacific/Apia", "2011-12-30T00:00", "2011-12-30T10:00", "2011-12-30",
         "2011-12-31T00:00:00+14:00", "12:00 does not exist on this day"),
        ("0 6 * * *", "Asia/Kathmandu", "2026-01-01T00:00", "2026-01-01T00:15", "2026-01-01",
         "2026-01-01T06:00:00+05:45", ""),
    ],
)  # fmt: skip
def test_a_tick_tells_its_date_and_what_daylight_saving_did(
    cron: str, zone: str, after: str, instant: str, run_date: str, local: str, note: str
) -> None:
    tick = next(ticks(Schedule(cron=cron, timezone=zone), utc(after)))
    assert tick.instant == utc(instant)
    assert tick.instant.tzinfo is UTC
    assert (tick.run_date.isoformat(), tick.local.isoformat(), tick.note) == (run_date, local, note)


def test_the_hour_before_midnight_that_happens_twice_keeps_its_date() -> None:
    # St. John's, 7 November 2010: 00:01 → 23:01 on the 6th, so the elapsed hours are 6, 7, 6, 7.
    found = islice(ticks(Schedule(cron="30 * * * *", timezone="America/St_Johns"), utc("2010-11-07T01:30")), 3)
    assert [(tick.run_date.day, tick.local.hour) for tick in found] == [(6, 23), (6, 23), (7, 0)]


# --- limits -------------------------------------------------------------------------------------------------------


def test_start_and_end_are_both_included() -> None:
    schedule = Schedule(cron="0 2 * * *", timezone="America/Los_Angeles", start=date(2026, 4, 1), end=date(2026, 4, 2))
    assert [tick.instant for tick in ticks(schedule, utc("2020-01-01"))] == [
        utc("2026-04-01T09:00"),
        utc("2026-04-02T09:00"),
    ]
    assert list(ticks(schedule, utc("2026-04-02T09:00"))) == []


def test_the_last_date_includes_its_tick_that_a_gap_moved_to_the_next_day() -> None:
    ended = Schedule(cron="30 23 * * *", timezone="America/Nuuk", end=date(2026, 3, 28))
    last = list(ticks(ended, utc("2026-03-28T12:00")))
    assert [tick.instant for tick in last] == [utc("2026-03-29T01:00")]
    assert previous(ended, utc("2027-01-01")) == last[0]


def test_the_first_date_excludes_the_tick_that_a_gap_moved_into_it() -> None:
    begun = Schedule(cron="30 23 * * *", timezone="America/Nuuk", start=date(2026, 3, 29))
    assert next(ticks(begun, utc("2026-03-01"))).instant == utc("2026-03-30T00:30")
    assert previous(begun, utc("2026-03-29T12:00")) is None


def test_the_last_date_includes_an_hour_that_comes_back_after_midnight() -> None:
    ended = Schedule(cron="0,30 * * * *", timezone="America/St_Johns", end=date(2010, 11, 6))
    # 23:30 NDT; then 00:00 of the 7th, which is outside; then 23:30 NST, again on the 6th.
    assert [tick.instant for tick in ticks(ended, utc("2010-11-07T01:45"))] == [
        utc("2010-11-07T02:00"),
        utc("2010-11-07T03:00"),
    ]
    assert previous(ended, utc("2010-12-01")) == previous(ended, utc("2010-11-07T03:00"))


@pytest.mark.parametrize(
    ("schedule", "at", "expected"),
    [
        (PACIFIC, "2026-03-08T10:00", "2026-03-08T10:00"),
        (PACIFIC, "2026-03-08T09:59:59", "2026-03-07T10:00"),
        (Schedule(cron="30 1 * * *", timezone="America/Los_Angeles"), "2026-11-01T09:45", "2026-11-01T08:30"),
        (Schedule(cron="45 1 * * *", timezone="America/Los_Angeles"), "2026-11-01T09:15", "2026-11-01T08:45"),
        (Schedule(cron="30 * * * *", timezone="America/Los_Angeles"), "2026-11-01T09:15", "2026-11-01T08:30"),
        (Schedule(cron="30 * * * *", timezone="America/Los_Angeles"), "2026-03-08T10:15", "2026-03-08T09:30"),
        (Schedule(cron="0 0 29 2 *"), "2026-01-01", "2024-02-29"),
        (Schedule(cron="0 * 29 2 *", timezone="Europe/Berlin"), "2026-07-01", "2024-02-29T22:00"),
        (Schedule(cron="0 0 * * *", start=date(2026, 4, 1)), "2026-04-01", "2026-04-01"),
        (Schedule(cron="0 0 * * *", start=date(2026, 4, 1)), "2026-03-31T23:59", None),
        (Schedule(cron="0 0 * * *", end=date(2026, 4, 1)), "2030-01-01", "2026-04-01"),
        (Schedule(every=timedelta(hours=6), end=date(2026, 4, 1)), "2030-01-01", "2026-04-01T18:00"),
    ],
)
def test_previous(schedule: Schedule, at: str, expected: str | None) -> None:
    tick = previous(schedule, utc(at))
    assert (tick and tick.instant) == (expected and utc(expected))


# --- every --------------------------------------------------------------------------------------------------------


def test_steps_end_with_the_calendar() -> None:
    centuries = Schedule(every=timedelta(days=100_000), start=date(9000, 1, 1))
    assert [tick.run_date.year for tick in ticks(centuries, utc("2026-01-01"))] == [9000, 9273, 9547, 9821]
    assert previous(centuries, utc("0200-01-01")) is None


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        (Schedule(every=timedelta(minutes=15)), "2026-01-01T00:07", ["2026-01-01T00:15", "2026-01-01T00:30"]),
        # 7 hours divide no day. From 1970 to 2 January 2026 it is 20,455 days: 70,131 steps and 3 hours.
        (Schedule(every=timedelta(hours=7)), "2026-01-02T00:00", ["2026-01-02T04:00", "2026-01-02T11:00"]),
        # Elapsed time, not wall time: 02:00 becomes 03:00 when the clocks go forward.
        (Schedule(every=timedelta(days=1), timezone="America/Los_Angeles", start=date(2026, 3, 7)),
         "2026-01-01T00:00", ["2026-03-07T08:00", "2026-03-08T08:00", "2026-03-09T08:00"]),
        (Schedule(every=timedelta(hours=5), start=date(2026, 4, 1)),
         "2026-04-01T00:00", ["2026-04-01T05:00", "2026-04-01T10:00"]),
        # The zone has no midnight on this day: the first instant of the date is the origin.
        (Schedule(every=timedelta(hours=12), timezone="Africa/Cairo", start=date(2025, 4, 25)),
         "2025-01-01T00:00", ["2025-04-24T22:00", "2025-04-25T10:00"]),
    ],
)  # fmt: skip
def test_every_counts_elapsed_time(schedule: Schedule, after: str, expected: list[str]) -> None:
    found = islice(ticks(schedule, utc(after)), len(expected))
    assert [tick.instant for tick in found] == [utc(each) for each in expected]


def test_every_has_local_dates_and_an_end() -> None:
    zone = "Asia/Tokyo"
    schedule = Schedule(every=timedelta(hours=12), timezone=zone, start=date(2026, 1, 1), end=date(2026, 1, 1))
    found = list(ticks(schedule, utc("2025-01-01")))
    assert [tick.run_date for tick in found] == [date(2026, 1, 1)] * 2
    assert found[0].local == datetime(2026, 1, 1, tzinfo=ZoneInfo(zone))
    assert previous(schedule, utc("2025-12-31T14:59")) is None


# --- what a run is for --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "tick", "start"),
    [
        (PACIFIC, "2026-03-08T10:00", "2026-03-07T10:00"),
        (PACIFIC, "2026-03-09T09:00", "2026-03-08T10:00"),
        (NUUK, "2026-03-29T01:00", "2026-03-28T01:30"),
        (Schedule(cron="0 6 * * 1-5"), "2026-01-05T06:00", "2026-01-02T06:00"),
        (Schedule(cron="0 * * * *", timezone="America/Los_Angeles"), "2026-11-01T09:00", "2026-11-01T08:00"),
        (Schedule(every=timedelta(minutes=15)), "2026-01-01T00:15", "2026-01-01T00:00"),
        # The first run of a schedule has an interval as long as any other.
        (Schedule(cron="0 0 * * *", start=date(2026, 4, 1)), "2026-04-01", "2026-03-31"),
        (Schedule(every=timedelta(hours=6), start=date(2026, 4, 1)), "2026-04-01", "2026-03-31T18:00"),
        (None, "2026-04-01", "2026-04-01"),
    ],
)
def test_interval_reaches_from_the_tick_before(schedule: Schedule | None, tick: str, start: str) -> None:
    assert interval(schedule, utc(tick)) == span(start, tick)


@pytest.mark.parametrize(
    ("schedule", "day", "logical_date", "start"),
    [
        (PACIFIC, "2026-04-01", "2026-04-01T09:00", "2026-03-31T09:00"),
        (PACIFIC, "2026-03-08", "2026-03-08T10:00", "2026-03-07T10:00"),
        (NUUK, "2026-03-28", "2026-03-29T01:00", "2026-03-28T01:30"),
        (NUUK, "2026-03-29", "2026-03-30T00:30", "2026-03-29T01:00"),
        (Schedule(cron="0 */6 * * *"), "2026-04-01", "2026-04-01T00:00", "2026-03-31T18:00"),
        (Schedule(every=timedelta(hours=7)), "2026-01-02", "2026-01-02T04:00", "2026-01-01T21:00"),
        (Schedule(cron="0 * * * *", timezone="Asia/Almaty"), "2024-02-29", "2024-02-28T18:00", "2024-02-28T17:00"),
    ],
)
def test_a_date_means_its_first_tick(schedule: Schedule, day: str, logical_date: str, start: str) -> None:
    found = for_date(schedule, date.fromisoformat(day))
    assert found == (utc(logical_date), date.fromisoformat(day), span(start, logical_date))


WEEKDAYS: dict[str, Any] = {"cron": "0 6 * * 1-5", "timezone": "America/New_York"}


@pytest.mark.parametrize(
    ("schedule", "day", "logical_date", "expected"),
    [
        (None, "2026-04-01", "2026-04-01T00:00", ("2026-04-01T00:00", "2026-04-01T00:00")),
        # Saturday: the interval is that of Friday's tick.
        (Schedule(**WEEKDAYS), "2026-04-04", "2026-04-04T04:00", ("2026-04-02T10:00", "2026-04-03T10:00")),
        # Before `start` the interval is cut as if the schedule had run.
        (Schedule(**WEEKDAYS, start=date(2026, 6, 1)), "2026-04-03", "2026-04-03T04:00",
         ("2026-04-01T10:00", "2026-04-02T10:00")),
        # After `end` the last tick stays the last.
        (Schedule(**WEEKDAYS, end=date(2026, 4, 3)), "2026-04-08", "2026-04-08T04:00",
         ("2026-04-02T10:00", "2026-04-03T10:00")),
        # A date without a midnight begins later.
        (Schedule(cron="0 6 1 * *", timezone="Africa/Cairo"), "2025-04-25", "2025-04-24T22:00",
         ("2025-03-01T04:00", "2025-04-01T04:00")),
    ],
)  # fmt: skip
def test_a_date_without_a_tick_means_its_midnight(
    schedule: Schedule | None, day: str, logical_date: str, expected: tuple[str, str]
) -> None:
    assert for_date(schedule, date.fromisoformat(day)) == (utc(logical_date), date.fromisoformat(day), span(*expected))


@pytest.mark.parametrize(
    ("schedule", "instant", "run_date", "expected"),
    [
        (None, "2026-04-01T23:30", "2026-04-01", ("2026-04-01T23:30", "2026-04-01T23:30")),
        (PACIFIC, "2026-04-01T06:00", "2026-03-31", ("2026-03-30T09:00", "2026-03-31T09:00")),
        (PACIFIC, "2026-04-01T09:00", "2026-04-01", ("2026-03-31T09:00", "2026-04-01T09:00")),
        (PACIFIC, "2026-04-01T15:00", "2026-04-01", ("2026-03-31T09:00", "2026-04-01T09:00")),
        (
            Schedule(every=timedelta(hours=6)),
            "2026-04-01T15:00",
            "2026-04-01",
            ("2026-04-01T06:00", "2026-04-01T12:00"),
        ),
    ],
)
def test_an_instant_has_the_interval_of_the_last_tick(
    schedule: Schedule | None, instant: str, run_date: str, expected: tuple[str, str]
) -> None:
    assert for_instant(schedule, utc(instant)) == (utc(instant), date.fromisoformat(run_date), span(*expected))


@pytest.mark.parametrize("schedule", [None, PACIFIC, Schedule(every=timedelta(hours=1), timezone="Asia/Tokyo")])
@pytest.mark.parametrize("year", [1, 1899, 9001, 9999])
def test_the_ends_of_the_calendar_are_refused(schedule: Schedule | None, year: int) -> None:
    with pytest.raises(InvalidInput, match=f"no run can be for the year {year}. Use 1900 to 9000"):
        for_date(schedule, date(year, 1, 1))
    with pytest.raises(InvalidInput, match=f"no run can be for the year {year}. Use 1900 to 9000"):
        for_instant(schedule, datetime(year, 12, 31, tzinfo=UTC))


@pytest.mark.parametrize("year", [1900, 9000])
def test_the_years_between_are_not(year: int) -> None:
    assert for_date(PACIFIC, date(year, 6, 1)).run_date == date(year, 6, 1)


# --- refusals -----------------------------------------------------------------------------------------------------


FIELDS = "a cron expression has 5 fields (minute, hour, day of month, month, day of week), or 6 with the seconds last"
REST = "with lists, ranges and /steps"


@pytest.mark.parametrize(
    ("cron", "problem"),
    [
        ("", f"{FIELDS}; '' has 0"),
        ("0 2 * *", f"{FIELDS}; '0 2 * *' has 4"),
        ("0 0 1 1 * 0 2027", f"{FIELDS}; '0 0 1 1 * 0 2027' has 7"),
        ("@reboot", "'@reboot' is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually"),
        ("60 * * * *", f"minute '60' is not understood; it takes 0-59, {REST}"),
        ("0 24 * * *", f"hour '24' is not understood; it takes 0-23, {REST}"),
        ("0 0 0 * *", f"day of month '0' is not understood; it takes 1-31 and L (the last day), {REST}"),
        ("0 0 32 * *", f"day of month '32' is not understood; it takes 1-31 and L (the last day), {REST}"),
        ("0 0 * 13 *", f"month '13' is not understood; it takes 1-12 or jan-dec, {REST}"),
        ("0 0 * janvier *", f"month 'janvier' is not understood; it takes 1-12 or jan-dec, {REST}"),
        ("0 0 * * 5L", "day of week '5L' is not understood; the last one of a month is written 'L5'"),
        ("* * * * * 60", f"second '60' is not understood; it takes 0-59, {REST}"),
        ("0 0 30 2 *", "no date ever matches '0 0 30 2 *'"),
        ("0 0 31 2,4,6,9,11 *", "no date ever matches '0 0 31 2,4,6,9,11 *'"),
        ("0 0 31 apr * 30", "no date ever matches '0 0 31 apr * 30'"),
    ],
)  # fmt: skip
def test_a_refused_expression_says_why(cron: str, problem: str) -> None:
    assert check_cron(cron) == problem


@pytest.mark.parametrize(
    "cron",
    ["*/0 * * * *", "-5 * * * *", "a b c d e", "0 0 * * 8", "0 0 * * 5#6", "0 0 * * 5#0", "0 0 * * L", "0 0 * * 5#3,1",
     "0 0 1,15W * *", "? 0 * * *", "0 0 ?/2 * *", "1..5 * * * *", "٣ * * * *"],
)  # fmt: skip
def test_what_the_dialect_does_not_have_is_refused(cron: str) -> None:
    assert "is not understood" in (check_cron(cron) or "")


@pytest.mark.parametrize("cron", ["R * * * *", "0 R(0-5) * * *", "H * * * *", "h/15 * * * *", "0 0 r * *"])
def test_random_times_are_refused_because_every_reading_would_draw_others(cron: str) -> None:
    assert "is not understood" in (check_cron(cron) or "")
