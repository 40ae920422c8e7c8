"""A schedule in words, for terminals and pages. Pure text."""

from __future__ import annotations

from datetime import timedelta

from nbflow.model import Schedule

_SHORT = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0"}
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


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
    fields = _SHORT.get(expression, expression).split()
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
    for between, first_word, and_word in (("-", "", " to "), (",", "every ", " and ")):
        days = [_day(word) for word in weekday.split(between)]
        if all(days) and len(days) == 2:
            return f"{first_word}{and_word.join(days)}"
    return f"every {_day(weekday)}" if _day(weekday) else ""


def _day(word: str) -> str:
    """By its number, or the first three letters of its name; empty for anything else."""
    if word.isdigit() and int(word) < len(_DAYS):
        return _DAYS[int(word)]
    return next((day for day in _DAYS if day[:3].lower() == word.lower()), "")


def _limits(schedule: Schedule) -> str:
    first = f", from {schedule.start}" if schedule.start else ""
    return f"{first}, until {schedule.end}" if schedule.end else first
