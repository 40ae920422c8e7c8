"""When runs are due and what each is for: ticks, run dates, data intervals (semantics §1, §5).

Pure. croniter only matches local times without a zone; every zone rule is here, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from croniter import croniter

from nbflow.model import DataInterval, Schedule

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY, _SECOND, _LEAST = timedelta(days=1), timedelta(seconds=1), datetime.resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One instant at which a schedule starts a run."""

    instant: datetime
    run_date: date
    """The local date that the tick was written for, also where a gap moved it over midnight."""
    local: datetime
    """The instant in the schedule's zone."""
    note: str = ""
    """What daylight saving did to it; usually empty."""


class RunDates(NamedTuple):
    """What a run is for: the times that are frozen with it."""

    logical_date: datetime
    run_date: date
    interval: DataInterval


# --- what callers ask ---------------------------------------------------------------------------------------------


def ticks(schedule: Schedule, after: datetime) -> Iterator[Tick]:
    """The ticks later than `after`, ascending, one at a time; none outside `start` and `end`."""
    cadence, zone = _cadence(schedule), ZoneInfo(schedule.timezone)
    if schedule.start:
        after = max(after, _reached(_midnight(schedule.start), zone) - _LEAST)
    stop = _passed(_midnight(schedule.end + _DAY), zone) if schedule.end else None
    tick = cadence.after(after)
    while tick and (stop is None or tick.instant <= stop):
        if _is_inside(schedule, tick):
            yield tick
        tick = cadence.after(tick.instant)


def previous(schedule: Schedule, at_or_before: datetime) -> Tick | None:
    """The last tick up to an instant, that instant included; None where `start` allows none."""
    cadence, at = _cadence(schedule), at_or_before
    if schedule.end:
        at = min(at, _passed(_midnight(schedule.end + _DAY), ZoneInfo(schedule.timezone)))
    tick = cadence.upto(at)
    while tick and schedule.end and tick.run_date > schedule.end:
        tick = cadence.upto(tick.instant - _LEAST)
    return tick if tick and _is_inside(schedule, tick) else None


def interval(schedule: Schedule | None, tick: datetime) -> DataInterval:
    """From the tick before to this one.

    `start` and `end` limit when runs happen, not how the data is cut: the first run gets a full interval too.
    """
    before = _cadence(schedule).upto(tick - _LEAST) if schedule else None
    return DataInterval(before.instant if before else tick, tick)


def for_tick(schedule: Schedule, tick: Tick) -> RunDates:
    """What the run of a tick is for."""
    return RunDates(tick.instant, tick.run_date, interval(schedule, tick.instant))


def for_date(schedule: Schedule | None, day: date) -> RunDates:
    """What a run for a date is for: the date's first tick, else its first instant in the schedule's zone."""
    midnight = _reached(_midnight(day), _zone(schedule))
    for tick in ticks(schedule, midnight - _LEAST) if schedule else ():
        if tick.run_date == day and schedule:
            return for_tick(schedule, tick)
        if tick.run_date > day:
            break
    return RunDates(midnight, day, _last_interval(schedule, midnight))


def for_instant(schedule: Schedule | None, instant: datetime) -> RunDates:
    """What a manual run at an instant is for: the local date, and the interval of the last tick up to it."""
    return RunDates(instant, instant.astimezone(_zone(schedule)).date(), _last_interval(schedule, instant))


def _last_interval(schedule: Schedule | None, instant: datetime) -> DataInterval:
    # Before `start` there is no tick yet; the interval is then cut as if there were.
    tick = (previous(schedule, instant) or _cadence(schedule).upto(instant)) if schedule else None
    return interval(schedule, tick.instant if tick else instant)


def _is_inside(schedule: Schedule, tick: Tick) -> bool:
    return (schedule.start or date.min) <= tick.run_date <= (schedule.end or date.max)


def _zone(schedule: Schedule | None) -> ZoneInfo:
    return ZoneInfo(schedule.timezone if schedule else "UTC")


# --- cron expressions ---------------------------------------------------------------------------------------------

_FIELDS = {
    "minute": "0-59",
    "hour": "0-23",
    "day of month": "1-31 and L (the last day)",
    "month": "1-12 or jan-dec",
    "day of week": "0-7 or sun-sat, 5#3 (the third Friday) and L5 (the last Friday)",
    "second": "0-59",
}
_SHORTHANDS = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")


def check_cron(expr: str) -> str | None:
    """Say why a cron expression is refused; None where it is fine."""
    fields = expr.split()
    if expr.strip().startswith("@"):
        return None if expr.strip().lower() in _SHORTHANDS else f"'{expr}' is none of {', '.join(_SHORTHANDS)}"
    if len(fields) not in (5, 6):
        wanted = "5 fields (minute, hour, day of month, month, day of week), or 6 with the seconds last"
        return f"a cron expression has {wanted}; '{expr}' has {len(fields)}"
    for at, name in enumerate(list(_FIELDS)[: len(fields)]):
        if problem := _check_field(at, name, fields[at]):
            return problem
    return None if _Pattern(expr).next(datetime(2000, 1, 1)) else f"no date ever matches '{expr}'"  # noqa: DTZ001 - local


def _check_field(at: int, name: str, field: str) -> str | None:
    refused = f"{name} '{field}' is not understood; it takes {_FIELDS[name]}, with lists, ranges and /steps"
    if field[0] in "hHrR":  # croniter would hash them, or draw other times at every reading
        return refused
    if name == "day of week" and (last := re.fullmatch(r"([0-7])[lL]", field)):
        return f"{name} '{field}' is not understood; the last one of a month is written 'L{last[1]}'"
    try:
        croniter.expand(" ".join(field if at == i else "*" for i in range(6)))
    except ValueError:
        return refused
    return None


class _Pattern:
    """The local times that an expression matches, by the calendar alone: no zone, no daylight saving."""

    def __init__(self, expr: str) -> None:
        whole = croniter(" ".join(expr.split()))
        self.is_elapsed = whole.expressions[1] == "*"
        fields, days, weekdays = whole.expressions, whole.expanded[2], whole.expanded[4]
        if days == ["*"] or weekdays == ["*"]:
            self._parts = [whole]
        else:  # either matches; croniter itself lets both match where one of them is L5, 5#3 or 15W
            self._parts = [croniter(" ".join([*fields[:at], "*", *fields[at + 1 :]])) for at in (2, 4)]

    def next(self, local: datetime) -> datetime | None:
        """The first match later than `local`."""
        return min((found for part in self._parts if (found := _step(part.get_next, local))), default=None)

    def upto(self, local: datetime) -> datetime | None:
        """The last match not later than `local`."""
        found = (_step(part.get_prev, local + _SECOND) for part in self._parts)
        return max((each for each in found if each), default=None)


def _step(move: Callable[..., datetime], local: datetime) -> datetime | None:
    try:
        return move(datetime, start_time=local)
    except (ValueError, OverflowError):  # nothing in 50 years, or the calendar ends
        return None


# --- cadences: instants without limits ----------------------------------------------------------------------------


class _Cadence(Protocol):
    """What a schedule would do if it had neither start nor end."""

    def after(self, instant: datetime) -> Tick | None:
        """The first tick later than the instant."""
        ...

    def upto(self, instant: datetime) -> Tick | None:
        """The last tick not later than the instant."""
        ...


def _cadence(schedule: Schedule) -> _Cadence:
    zone = ZoneInfo(schedule.timezone)
    if schedule.every:
        origin = _reached(_midnight(schedule.start), zone) if schedule.start else _EPOCH
        return _Every(schedule.every, origin, zone)
    pattern = _Pattern(schedule.cron or "")
    return _ElapsedTime(pattern, zone) if pattern.is_elapsed else _WallClock(pattern, zone)


@dataclass(frozen=True, slots=True)
class _Every:
    """Equal steps of elapsed time from an origin."""

    step: timedelta
    origin: datetime
    zone: ZoneInfo

    def after(self, instant: datetime) -> Tick:
        return self._tick((instant - self.origin) // self.step + 1)

    def upto(self, instant: datetime) -> Tick:
        return self._tick((instant - self.origin) // self.step)

    def _tick(self, number: int) -> Tick:
        return _plain_tick(self.origin + number * self.step, self.zone)


@dataclass(frozen=True, slots=True)
class _WallClock:
    """Rule (2): a time is due when the clock first shows it or a later one.

    So a time inside a gap is due at the gap's end, times that meet there are one tick (that of the earliest), and a
    time that happens twice is due once.
    """

    pattern: _Pattern
    zone: ZoneInfo

    def after(self, instant: datetime) -> Tick | None:
        written = self.pattern.next(_latest_shown(_whole(instant), self.zone))
        return self._tick(written) if written else None

    def upto(self, instant: datetime) -> Tick | None:
        written = self.pattern.upto(_latest_shown(_whole(instant), self.zone))
        return self.after(_reached(written, self.zone) - _LEAST) if written else None

    def _tick(self, written: datetime) -> Tick:
        instant = _reached(written, self.zone)
        local, shown = instant.astimezone(self.zone), f"{written:%H:%M:%S}".removesuffix(":00")
        note = ""
        if local.replace(tzinfo=None) != written:
            note = f"{shown} does not exist on this day"
        elif instant != _utc(written, self.zone, fold=1):
            note = f"{shown} happens twice on this day; the first one counts"
        return Tick(instant=instant, run_date=written.date(), local=local, note=note)


@dataclass(frozen=True, slots=True)
class _ElapsedTime:
    """Rule (1): every instant at which the clock shows a matching time, stretch by stretch of equal UTC offset."""

    pattern: _Pattern
    zone: ZoneInfo

    def after(self, instant: datetime) -> Tick | None:
        low = _whole(instant)
        shown, offset = _shown(low, self.zone), _offset(low, self.zone)
        while written := self.pattern.next(shown):
            due = written.replace(tzinfo=UTC) - offset
            shift = next(_shifts(low, due, self.zone), None)
            if shift is None:
                return _plain_tick(due, self.zone)
            low, offset = shift, _offset(shift, self.zone)
            shown = _shown(shift, self.zone) - _SECOND
        return None

    def upto(self, instant: datetime) -> Tick | None:
        high = _whole(instant)
        shown, offset = _shown(high, self.zone), _offset(high, self.zone)
        while written := self.pattern.upto(shown):
            due = written.replace(tzinfo=UTC) - offset
            shift = max(_shifts(due, high, self.zone), default=None)
            if shift is None:
                return _plain_tick(due, self.zone)
            high = shift - _SECOND
            shown, offset = _shown(high, self.zone), _offset(high, self.zone)
        return None


def _plain_tick(instant: datetime, zone: ZoneInfo) -> Tick:
    local = instant.astimezone(zone)
    return Tick(instant=instant, run_date=local.date(), local=local)


# --- zones: local times have no zone, instants are UTC, both in whole seconds -------------------------------------


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def _whole(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(microsecond=0)


def _utc(local: datetime, zone: ZoneInfo, *, fold: int = 0) -> datetime:
    return local.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _shown(instant: datetime, zone: ZoneInfo) -> datetime:
    """What the clock shows at an instant."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    return _shown(instant, zone) - instant.replace(tzinfo=None)


def _reached(local: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the clock shows `local` or a later time."""
    first, second = _utc(local, zone), _utc(local, zone, fold=1)
    # PEP 495: inside a gap the two are the wrong way round, one on each side of the transition.
    return first if first <= second else next(_shifts(second, first, zone))


def _passed(local: datetime, zone: ZoneInfo) -> datetime:
    """The last instant at which the clock gets to `local`."""
    return max(_reached(local, zone), _utc(local, zone, fold=1))


def _latest_shown(instant: datetime, zone: ZoneInfo) -> datetime:
    """The latest time that the clock has shown up to an instant: more than it shows now while an hour is repeated."""
    local = instant.astimezone(zone)
    if not local.fold:
        return local.replace(tzinfo=None)
    first = _utc(local.replace(tzinfo=None), zone)
    return _shown(next(_shifts(first, instant, zone)) - _SECOND, zone)


def _shifts(low: datetime, high: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The instants in (low, high] at which the UTC offset changes. Two changes within a day count as one."""
    while low < high:
        end = min(low + _DAY, high)
        if _offset(low, zone) != _offset(end, zone):
            yield _shift(low, end, zone)
        low = end


def _shift(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """Bisect (low, high] for the first second that has the offset of `high`."""
    while high - low > _SECOND:
        middle = low + (high - low) // _SECOND // 2 * _SECOND
        if _offset(middle, zone) == _offset(low, zone):
            low = middle
        else:
            high = middle
    return high
