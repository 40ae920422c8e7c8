"""The cron dialect (semantics §5): which expressions there are, and which local times they match. Knows no zone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from croniter import croniter

from nbflow.schedule.zones import SECOND

_FIELDS = {
    "minute": "0-59",
    "hour": "0-23",
    "day of month": "1-31 and L (the last day)",
    "month": "1-12 or jan-dec",
    "day of week": "0-7 or sun-sat, 5#3 (the third Friday) and L5 (the last Friday)",
    "second": "0-59",
}
_SHORTHANDS = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
_HOUR, _DAY, _WEEKDAY = 1, 2, 4
_ANY_TIME = datetime(2000, 1, 1)  # noqa: DTZ001 - a local time


def check_cron(expr: str) -> str | None:
    """Say why a cron expression is refused; None where it is fine."""
    fields = expr.split()
    if len(fields) == 1 and fields[0].startswith("@"):
        return None if fields[0].lower() in _SHORTHANDS else f"'{expr}' is none of {', '.join(_SHORTHANDS)}"
    if len(fields) not in (5, 6):
        wanted = "5 fields (minute, hour, day of month, month, day of week), or 6 with the seconds last"
        return f"a cron expression has {wanted}; '{expr}' has {len(fields)}"
    for at, field in enumerate(fields):
        if problem := _check_field(at, field):
            return problem
    return None if Pattern(expr).next(_ANY_TIME) else f"no date ever matches '{expr}'"


def _check_field(at: int, field: str) -> str | None:
    name = list(_FIELDS)[at]
    refused = f"{name} '{field}' is not understood; it takes {_FIELDS[name]}, with lists, ranges and /steps"
    if field[0] in "hHrR":  # croniter would hash them, or draw other times at every reading
        return refused
    if at == _WEEKDAY and (last := re.fullmatch(r"([0-7])[lL]", field)):
        return f"{name} '{field}' is not understood; the last one of a month is written 'L{last[1]}'"
    try:
        croniter.expand(_put(["*"] * len(_FIELDS), at, field))
    except ValueError:
        return refused
    return None


def _put(fields: list[str], at: int, field: str) -> str:
    return " ".join([*fields[:at], field, *fields[at + 1 :]])


class Pattern:
    """The local times that an expression matches, by the calendar alone: no zone, no daylight saving."""

    def __init__(self, expr: str) -> None:
        whole = croniter(" ".join(expr.split()))
        self.is_hourly = whole.expressions[_HOUR] == "*"
        if ["*"] in (whole.expanded[_DAY], whole.expanded[_WEEKDAY]):
            self._parts = [whole]
        else:  # either matches; croniter itself wants both where one of them is 5#3, L5 or 15W
            self._parts = [croniter(_put(whole.expressions, at, "*")) for at in (_DAY, _WEEKDAY)]

    def next(self, local: datetime) -> datetime | None:
        """The first match later than `local`."""
        found = (_step(part.get_next, local) for part in self._parts)
        return min((match for match in found if match), default=None)

    def upto(self, local: datetime) -> datetime | None:
        """The last match not later than `local`."""
        found = (_step(part.get_prev, local + SECOND) for part in self._parts)
        return max((match for match in found if match), default=None)


def _step(move: Callable[..., datetime], local: datetime) -> datetime | None:
    try:
        return move(datetime, start_time=local)
    except (ValueError, OverflowError):  # nothing in 50 years, or the calendar ends
        return None
