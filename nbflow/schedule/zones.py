"""What the clocks of a zone show, and when. Local times are naive, instants are UTC, both in whole seconds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


def midnight(day: date) -> datetime:
    """The local time at which a date begins, whether a clock shows it or not."""
    return datetime.combine(day, time())


def whole(instant: datetime) -> datetime:
    """The second that an instant is in."""
    return instant.astimezone(UTC).replace(microsecond=0)


def utc(local: datetime, zone: ZoneInfo, *, fold: int = 0) -> datetime:
    """The instant of a local time; `fold=1` is the second one of two (PEP 495)."""
    return local.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def shown(instant: datetime, zone: ZoneInfo) -> datetime:
    """What the clock shows at an instant."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    """How far the clock is ahead of UTC at an instant."""
    return shown(instant, zone) - instant.replace(tzinfo=None)


def reached(local: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the clock shows `local` or a later time."""
    first, second = utc(local, zone), utc(local, zone, fold=1)
    # PEP 495: inside a gap the two are the wrong way round, one on each side of the transition.
    return first if first <= second else next(shifts(second, first, zone))


def passed(local: datetime, zone: ZoneInfo) -> datetime:
    """The last instant at which the clock gets to `local`."""
    return max(reached(local, zone), utc(local, zone, fold=1))


def latest_shown(instant: datetime, zone: ZoneInfo) -> datetime:
    """The latest time that the clock has shown up to an instant: more than it shows now while an hour is repeated."""
    local = instant.astimezone(zone)
    if not local.fold:
        return local.replace(tzinfo=None)
    first = utc(local, zone)
    return shown(next(shifts(first, instant, zone)) - SECOND, zone)


def shifts(low: datetime, high: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The instants in (low, high] at which the UTC offset changes. Two changes within a day count as one."""
    while low < high:
        end = min(low + _DAY, high)
        if offset(low, zone) != offset(end, zone):
            yield _shift(low, end, zone)
        low = end


def _shift(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """Bisect (low, high] for the first second with another offset than at `low`."""
    before = offset(low, zone)
    while high - low > SECOND:
        middle = low + (high - low) // SECOND // 2 * SECOND
        low, high = (middle, high) if offset(middle, zone) == before else (low, middle)
    return high
