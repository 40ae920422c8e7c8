"""Cadences: the ticks of a schedule as if it had no start and no end. The daylight-saving rules are here alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from nbflow.model import Schedule
from nbflow.schedule.cron import Pattern
from nbflow.schedule.zones import SECOND, latest_shown, midnight, offset, reached, shifts, shown, utc, whole

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LEAST = datetime.resolution


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


class Cadence(Protocol):
    """Ticks in both directions."""

    def after(self, instant: datetime) -> Tick | None:
        """The first tick later than the instant."""
        ...

    def upto(self, instant: datetime) -> Tick | None:
        """The last tick not later than the instant."""
        ...


def cadence(schedule: Schedule) -> Cadence:
    """What the schedule would do if it had neither `start` nor `end`; the steps of `every` count from `start`."""
    zone = ZoneInfo(schedule.timezone)
    if schedule.every:
        origin = reached(midnight(schedule.start), zone) if schedule.start else _EPOCH
        return _Every(schedule.every, origin, zone)
    pattern = Pattern(schedule.cron or "")
    return _ElapsedTime(pattern, zone) if pattern.is_hourly else _WallClock(pattern, zone)


@dataclass(frozen=True, slots=True)
class _Every:
    """Equal steps of elapsed time from an origin."""

    step: timedelta
    origin: datetime
    zone: ZoneInfo

    def after(self, instant: datetime) -> Tick | None:
        return self._tick((instant - self.origin) // self.step + 1)

    def upto(self, instant: datetime) -> Tick | None:
        return self._tick((instant - self.origin) // self.step)

    def _tick(self, number: int) -> Tick | None:
        try:
            return _tick(self.origin + number * self.step, self.zone)
        except OverflowError:  # the calendar ends before it
            return None


@dataclass(frozen=True, slots=True)
class _ElapsedTime:
    """Rule (1): every instant at which the clock shows a matching time, stretch by stretch of equal UTC offset."""

    pattern: Pattern
    zone: ZoneInfo

    def after(self, instant: datetime) -> Tick | None:
        low = whole(instant)
        local, ahead = shown(low, self.zone), offset(low, self.zone)
        while match := self.pattern.next(local):
            due = match.replace(tzinfo=UTC) - ahead
            shift = next(shifts(low, due, self.zone), None)
            if shift is None:
                return _tick(due, self.zone)
            low, ahead = shift, offset(shift, self.zone)
            local = shown(shift, self.zone) - SECOND
        return None

    def upto(self, instant: datetime) -> Tick | None:
        high = whole(instant)
        while match := self.pattern.upto(shown(high, self.zone)):
            due = match.replace(tzinfo=UTC) - offset(high, self.zone)
            shift = max(shifts(due, high, self.zone), default=None)
            if shift is None:
                return _tick(due, self.zone)
            high = shift - SECOND
        return None


@dataclass(frozen=True, slots=True)
class _WallClock:
    """Rule (2): a time is due when the clock first shows it or a later one.

    So a time inside a gap is due at the gap's end; times that meet there are one tick, that of the earliest; and a
    time that happens twice is due once.
    """

    pattern: Pattern
    zone: ZoneInfo

    def after(self, instant: datetime) -> Tick | None:
        written = self.pattern.next(latest_shown(whole(instant), self.zone))
        return self._tick(written) if written else None

    def upto(self, instant: datetime) -> Tick | None:
        written = self.pattern.upto(latest_shown(whole(instant), self.zone))
        return self.after(reached(written, self.zone) - LEAST) if written else None

    def _tick(self, written: datetime) -> Tick:
        instant = reached(written, self.zone)
        time, note = f"{written:%H:%M:%S}".removesuffix(":00"), ""
        if shown(instant, self.zone) != written:
            note = f"{time} does not exist on this day"
        elif instant != utc(written, self.zone, fold=1):
            note = f"{time} happens twice on this day; the first one counts"
        return Tick(instant=instant, run_date=written.date(), local=instant.astimezone(self.zone), note=note)


def _tick(instant: datetime, zone: ZoneInfo) -> Tick:
    local = instant.astimezone(zone)
    return Tick(instant=instant, run_date=local.date(), local=local)
