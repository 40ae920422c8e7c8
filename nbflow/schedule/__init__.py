"""When runs are due and what each is for: ticks, run dates, data intervals (semantics §1, §5). Time is an argument."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from nbflow.errors import InvalidInput
from nbflow.model import DataInterval, Schedule
from nbflow.schedule.cadence import LEAST, Tick, cadence
from nbflow.schedule.cron import check_cron
from nbflow.schedule.zones import midnight, passed, reached

__all__ = [
    "YEARS",
    "RunDates",
    "Tick",
    "check_cron",
    "for_date",
    "for_instant",
    "for_tick",
    "interval",
    "on_dates",
    "previous",
    "ticks",
]

YEARS = range(1900, 9001)
"""Those in which zones and ticks can be counted."""


class RunDates(NamedTuple):
    """What a run is for: the times that are frozen with it."""

    logical_date: datetime
    run_date: date
    interval: DataInterval


def ticks(schedule: Schedule, after: datetime) -> Iterator[Tick]:
    """The ticks later than `after`, ascending, one at a time; none outside `start` and `end`."""
    steps = cadence(schedule)
    if schedule.start:
        after = max(after, reached(midnight(schedule.start), _zone(schedule)) - LEAST)
    stop = _stop(schedule)
    tick = steps.after(after)
    while tick and (stop is None or tick.instant <= stop):
        if _is_inside(schedule, tick):
            yield tick
        tick = steps.after(tick.instant)


def on_dates(schedule: Schedule, first: date, last: date) -> Iterator[Tick]:
    """The ticks of the dates `first` to `last`, both included, ascending. Raises InvalidInput as `for_date` does."""
    for day in (first, last):
        _require_ordinary(day)
    stop = passed(midnight(last + timedelta(days=1)), _zone(schedule))
    for tick in ticks(schedule, reached(midnight(first), _zone(schedule)) - LEAST):
        if tick.instant > stop:
            return
        if first <= tick.run_date <= last:
            yield tick


def previous(schedule: Schedule, at_or_before: datetime) -> Tick | None:
    """The last tick up to an instant, that instant included; None where `start` allows none."""
    steps, stop = cadence(schedule), _stop(schedule)
    tick = steps.upto(min(at_or_before, stop) if stop else at_or_before)
    while tick and schedule.end and tick.run_date > schedule.end:
        tick = steps.upto(tick.instant - LEAST)
    return tick if tick and _is_inside(schedule, tick) else None


def interval(schedule: Schedule | None, tick: datetime) -> DataInterval:
    """From the tick before to this one.

    `start` and `end` limit when runs happen, not how the data is cut: the first run gets a full interval too.
    """
    before = cadence(schedule).upto(tick - LEAST) if schedule else None
    return DataInterval(before.instant if before else tick, tick)


def for_tick(schedule: Schedule, tick: Tick) -> RunDates:
    """What the run of a tick is for."""
    return RunDates(tick.instant, tick.run_date, interval(schedule, tick.instant))


def for_date(schedule: Schedule | None, day: date) -> RunDates:
    """What a run for a date is for: the date's first tick, else its first instant in the schedule's zone.

    Raises InvalidInput for a date at the ends of the calendar, where zones and ticks cannot be counted.
    """
    _require_ordinary(day)
    begin = reached(midnight(day), _zone(schedule))
    tick = _first_tick(schedule, day, begin) if schedule else None
    return for_tick(schedule, tick) if schedule and tick else RunDates(begin, day, _last_interval(schedule, begin))


def for_instant(schedule: Schedule | None, instant: datetime) -> RunDates:
    """What a manual run at an instant is for: the local date, and the interval of the last tick up to it.

    Raises InvalidInput as `for_date` does.
    """
    _require_ordinary(instant)
    return RunDates(instant, instant.astimezone(_zone(schedule)).date(), _last_interval(schedule, instant))


def _require_ordinary(day: date) -> None:
    if day.year not in YEARS:
        raise InvalidInput(f"no run can be for the year {day.year}", hint=f"Use {YEARS[0]} to {YEARS[-1]}.")


def _first_tick(schedule: Schedule, day: date, begin: datetime) -> Tick | None:
    for tick in ticks(schedule, begin - LEAST):
        if tick.run_date >= day:  # one that a gap moved here belongs to the day before
            return tick if tick.run_date == day else None
    return None


def _last_interval(schedule: Schedule | None, instant: datetime) -> DataInterval:
    # Before `start` there is no tick yet; the interval is then cut as if there were.
    tick = (previous(schedule, instant) or cadence(schedule).upto(instant)) if schedule else None
    return interval(schedule, tick.instant if tick else instant)


def _is_inside(schedule: Schedule, tick: Tick) -> bool:
    return (schedule.start or date.min) <= tick.run_date <= (schedule.end or date.max)


def _stop(schedule: Schedule) -> datetime | None:
    """An instant after which no tick can have a date up to `end`."""
    return passed(midnight(schedule.end + timedelta(days=1)), _zone(schedule)) if schedule.end else None


def _zone(schedule: Schedule | None) -> ZoneInfo:
    return ZoneInfo(schedule.timezone if schedule else "UTC")
