"""Schedules in every zone of the tz database, around the transitions that are found by bisection."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import islice, pairwise, takewhile
from random import Random
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbflow.model import Schedule
from nbflow.schedule import Tick, check_cron, interval, on_dates, previous, ticks

FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2034, 12, 31, tzinfo=UTC)
DAY, MINUTE, LEAST = timedelta(days=1), timedelta(minutes=1), datetime.resolution
ZONES = sorted(available_timezones())
SHIFTS = 100 if "NBFLOW_SOAK" in os.environ else 1
WORDS = [
    "*",
    "0",
    "7",
    "31",
    "60",
    "L",
    "15W",
    "L5",
    "5#3",
    "1#6",
    "mon-fri",
    "jan",
    "*/0",
    "1-5/2",
    "?",
    "R",
    "H/2",
    "2,30",
    "-",
]

calm = settings(deadline=None)  # the machine may be busy


@cache
def transitions(name: str) -> tuple[datetime, ...]:
    """The first minutes with another UTC offset, 2024–2034; the first day of 2024 where there is none."""
    zone, found, low = ZoneInfo(name), [], FIRST
    while low < LAST:
        a, b = low, low + DAY
        while a.astimezone(zone).utcoffset() != b.astimezone(zone).utcoffset():
            if b - a <= MINUTE:
                found.append(b)
                break
            middle = a + (b - a) // MINUTE // 2 * MINUTE
            is_low = middle.astimezone(zone).utcoffset() == a.astimezone(zone).utcoffset()
            a, b = (middle, b) if is_low else (a, middle)
        low += DAY
    return tuple(found) or (FIRST,)


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone and one of its transitions."""
    zone = draw(st.sampled_from(ZONES))
    return zone, draw(st.sampled_from(transitions(zone)))


def between(schedule: Schedule, low: datetime, high: datetime) -> Iterator[Tick]:
    return takewhile(lambda tick: tick.instant <= high, ticks(schedule, low))


def fires_exactly_once_a_run_date(zone: str, around: datetime, hour: int, minute: int) -> None:
    found = list(between(Schedule(cron=f"{minute} {hour} * * *", timezone=zone), around - 4 * DAY, around + 4 * DAY))
    dates = [tick.run_date for tick in found]
    assert dates == [dates[0] + at * DAY for at in range(len(dates))]
    assert len(dates) in (7, 8, 9)
    for tick in found:  # at the written time, or moved by the gap
        assert (tick.local.hour, tick.local.minute) == (hour, minute) or "does not exist" in tick.note
        assert tick.local.date() - tick.run_date in (timedelta(0), DAY)


@settings(max_examples=500, deadline=None)
@given(moments(), st.integers(0, 23), st.integers(0, 59))
def test_a_daily_job_fires_exactly_once_a_run_date(moment: tuple[str, datetime], hour: int, minute: int) -> None:
    fires_exactly_once_a_run_date(*moment, hour, minute)


@pytest.mark.soak
def test_so_does_one_at_a_minute_near_every_transition_of_every_zone() -> None:
    chance = Random(20260401)
    for zone in ZONES:
        for around in transitions(zone):
            before = (around - MINUTE).astimezone(ZoneInfo(zone))
            for shift in chance.sample(range(-150, 150), SHIFTS):
                written = before + shift * MINUTE  # by the wall clock, so it may be a time in the gap
                fires_exactly_once_a_run_date(zone, around, written.hour, written.minute)


def by_the_clock(
    minutes: set[int], hours: set[int] | None, zone: ZoneInfo, low: datetime, high: datetime
) -> list[datetime]:
    """The rules of semantics §5 played minute by minute; `hours` is None for `*`."""
    now = low - 2 * DAY  # far enough back to have left any hour that is being repeated
    latest, due = now.astimezone(zone).replace(tzinfo=None), []
    while now < high:
        now += MINUTE
        shown = now.astimezone(zone).replace(tzinfo=None)
        if hours is None:
            is_due = shown.minute in minutes
        else:
            new = (latest + at * MINUTE for at in range(1, max(0, (shown - latest) // MINUTE) + 1))
            is_due = any(each.hour in hours and each.minute in minutes for each in new)
            latest = max(latest, shown)
        if is_due and now > low:
            due.append(now)
    return due


@calm
@given(
    moments(),
    st.sets(st.integers(0, 59), min_size=1, max_size=4),
    st.none() | st.sets(st.sampled_from([0, 1, 2, 3, 4, 22, 23]), min_size=1),
    st.integers(-30 * 60, 0),
)
def test_ticks_are_what_a_minute_by_minute_clock_gives(
    moment: tuple[str, datetime], minutes: set[int], hours: set[int] | None, shift: int
) -> None:
    zone, around = moment
    low, high = around + shift * MINUTE, around + DAY
    hour = "*" if hours is None else ",".join(map(str, hours))
    schedule = Schedule(cron=f"{','.join(map(str, minutes))} {hour} * * *", timezone=zone)
    found = [tick.instant for tick in between(schedule, low, high)]
    assert found == by_the_clock(minutes, hours, ZoneInfo(zone), low, high)


def fields(low: int, high: int, *words: str) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    return st.one_of(
        st.just("*"),
        number.map(str),
        st.lists(number, min_size=2, max_size=3).map(lambda values: ",".join(map(str, values))),
        st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}"),
        st.integers(1, high).map("*/{}".format),
        *([st.sampled_from(words)] if words else []),
    )


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    zone, start = draw(st.sampled_from(ZONES)), draw(st.none() | st.dates(date(2023, 1, 1), date(2026, 1, 1)))
    if draw(st.integers(0, 4)) == 0:
        return Schedule(every=timedelta(minutes=draw(st.integers(1, 5000))), timezone=zone, start=start)
    parts = [
        fields(0, 59),
        fields(0, 23),
        fields(1, 28, "L", "15W", "L,1"),
        fields(1, 12, "jan-mar"),
        fields(0, 7, "5#3", "L1"),
    ]
    seconds = draw(st.sampled_from([[], [fields(0, 59)]]))
    return Schedule(cron=" ".join(draw(part) for part in [*parts, *seconds]), timezone=zone, start=start)


@calm
@given(schedules(), st.timedeltas(timedelta(0), LAST - FIRST))
def test_ticks_ascend_and_look_the_same_from_behind(schedule: Schedule, later: timedelta) -> None:
    after = FIRST + later
    found = list(islice(ticks(schedule, after), 4))
    before = previous(schedule, after)
    seen = [*([before] if before else []), *found]
    assert before is None or before.instant <= after
    assert all(tick.instant > after for tick in found)
    for one, two in pairwise(seen):
        assert one.instant < two.instant
        assert next(ticks(schedule, one.instant)) == two == next(ticks(schedule, two.instant - LEAST))
        assert previous(schedule, two.instant - LEAST) == one
        assert previous(schedule, two.instant) == two
        assert interval(schedule, two.instant) == (one.instant, two.instant)
    for tick in seen:
        assert tick.local == tick.instant
        assert tick.run_date >= (schedule.start or date.min)


@calm
@given(
    moments(),
    st.sampled_from(["7,37 * * * *", "0 */3 * * *", "30 23,0,1,2 * * *"]),
    st.integers(-2, 2),
    st.integers(0, 2),
)
def test_the_ticks_of_dates_are_those_with_such_a_run_date(
    moment: tuple[str, datetime], cron: str, shift: int, length: int
) -> None:
    zone, around = moment
    schedule, first = Schedule(cron=cron, timezone=zone), around.astimezone(ZoneInfo(zone)).date() + shift * DAY
    last = first + length * DAY
    found = list(on_dates(schedule, first, last))
    assert found == [
        tick for tick in between(schedule, around - 6 * DAY, around + 8 * DAY) if first <= tick.run_date <= last
    ]


@calm
@given(
    st.lists(st.sampled_from(WORDS), min_size=5, max_size=6).map(" ".join)
    | st.text(alphabet="0123456789*,-/#?LWRHlwrh @jansufrimo\u00a0é٣", max_size=24)
)
def test_any_text_is_accepted_or_refused_and_what_is_accepted_has_a_tick(text: str) -> None:
    problem = check_cron(text)
    assert problem != ""
    if problem is None:
        assert next(ticks(Schedule(cron=text), FIRST)).instant > FIRST
