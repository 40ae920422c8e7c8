"""How the terminal says things: states with icon and colour, durations, schedules in words. Pure text, no layout."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from nbflow.model import Schedule

LOOKS: dict[str, tuple[str, str]] = {
    "failed": ("✕", "red"),
    "lost": ("✕", "red"),
    "upstream_failed": ("⊘", "magenta"),
    "cancelled": ("■", "yellow"),
    "running": ("▶", "blue"),
    "retry_wait": ("↻", "yellow"),
    "queued": ("◷", "yellow"),
    "waiting": ("○", "dim"),
    "success": ("✓", "green"),
    "skipped": ("⤼", "dim"),
}
"""State → icon and colour, of runs, task runs and attempts alike; what needs a person first."""

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def state_text(state: StrEnum) -> str:
    return f"{LOOKS[state][0]} {state}"


def style_of(state: StrEnum) -> str:
    return LOOKS[state][1]


def one_line(text: str) -> str:
    """Text from a notebook or a manifest as one harmless line: no line breaks, no terminal sequences."""
    return _CONTROL.sub(" ", text).strip()


def counts_text(counts: Mapping[Any, int]) -> str:
    """`3 running · 1 failed`, in the order of LOOKS, without zeros."""
    said = {str(state): count for state, count in counts.items() if count}
    return " · ".join(f"{said[state]:,} {state}" for state in LOOKS if state in said)


def local_time(at: datetime | None) -> str:
    """In the reader's own zone, `2026-04-01 10:42`."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M") if at else ""


def short_time(at: datetime | None, now: datetime) -> str:
    """Of today only the time of day."""
    is_today = at is not None and at.astimezone().date() == now.astimezone().date()
    return at.astimezone().strftime("%H:%M") if at and is_today else local_time(at)


def utc_time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ").replace(":00Z", "Z")


def shell(*words: str) -> str:
    """A command that can be pasted."""
    return shlex.join(words)


def values_text(values: Mapping[str, Any], longest: int = 60) -> str:
    """`region=all, limit=3`; a value is cut behind `longest` characters."""
    return ", ".join(f"{name}={_cut(one_line(str(value)), longest)}" for name, value in values.items())


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


# --- schedules ----------------------------------------------------------------------------------------------------


def schedule_text(schedule: Schedule | None) -> str:
    """`every day at 02:00, America/Los_Angeles`; the expression itself where words would not be shorter."""
    if schedule is None:
        return "by hand"
    when = every_text(schedule.every) if schedule.every else cron_text(schedule.cron or "")
    return f"{when}, {schedule.timezone}{_limits(schedule)}"


def every_text(every: timedelta) -> str:
    for name, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count, rest = divmod(every.total_seconds(), size)
        if count and not rest:
            return f"every {name}" if count == 1 else f"every {count:.0f} {name}s"
    return f"every {every.total_seconds():g} seconds"


def cron_text(expression: str) -> str:
    """The commonest forms in words; any other one as it is written."""
    fields = expression.split()
    if len(fields) == 5:
        minute, hour, day, month, weekday = fields
        if (hour, day, month, weekday) == ("*", "*", "*", "*"):
            return _within_the_hour(minute) or f"cron {expression}"
        if minute.isdigit() and hour.isdigit() and (day, month) == ("*", "*") and (on := _on_days(weekday)):
            return f"{on} at {int(hour):02}:{int(minute):02}"
    return f"cron {expression}"


def _within_the_hour(minute: str) -> str:
    if minute in {"*", "*/1"}:
        return "every minute"
    if minute.startswith("*/") and minute[2:].isdigit() and 60 % max(1, int(minute[2:])) == 0:
        return f"every {int(minute[2:])} minutes"
    return f"every hour at :{int(minute):02}" if minute.isdigit() else ""


def _on_days(weekday: str) -> str:
    if weekday == "*":
        return "every day"
    if weekday in {"1-5", "mon-fri"}:
        return "Monday to Friday"
    return f"every {_DAYS[int(weekday)]}" if weekday.isdigit() and int(weekday) < len(_DAYS) else ""


def _limits(schedule: Schedule) -> str:
    first = f", from {schedule.start}" if schedule.start else ""
    return f"{first}, until {schedule.end}" if schedule.end else first
