"""How single values are written as text: YAML 1.2's plain scalars, JSON, durations; and how messages name a value."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,4000}|0o[0-7]{1,4000}|0x[0-9a-fA-F]{1,3000}")  # longer ones Python refuses to read
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DURATION = re.compile(r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)(?:\.(\d{1,6}))?s)?", re.ASCII)
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60))

LONGEST = timedelta(days=100_000)
"""What is longer leads out of the calendar, from today or from any other day that a schedule may name."""


def read_scalar(text: str) -> bool | int | float | str | None:
    """The value of an unquoted scalar by the core schema of YAML 1.2: `no` and `2026-04-01` are text.

    So are `.inf`, `.nan` and what is too large for a float, because JSON has no such numbers.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        base = 8 if text.startswith("0o") else 16 if text.startswith("0x") else 10
        return int(text, base)
    if _NUMBER.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def read_value(text: str) -> Any:
    """A value typed on a command line: JSON where it begins like a list, mapping or string of it, else a scalar.

    Raises ValueError where the JSON is broken, or has a number that JSON does not know.
    """
    if text.lstrip()[:1] not in {"[", "{", '"'}:
        return read_scalar(text)
    value = json.loads(text)
    json.dumps(value, allow_nan=False)
    return value


def read_day_or_instant(text: str) -> date | datetime:
    """`2026-04-01`, or an instant with its UTC offset, given back in UTC: `2026-04-01T02:00-07:00`.

    Raises ValueError for anything else, and says how it is written.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date and no time. Write 2026-04-01, or 2026-04-01T02:00Z.") from None
    if instant.tzinfo is None:
        advice = f"Add one: {text}Z for UTC, or {text}+02:00."
        raise ValueError(f"{text!r} has no UTC offset, so it is not one instant. {advice}")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is beyond the years of the calendar in UTC") from None


def read_duration(text: str) -> timedelta:
    """`30s`, `2m`, `1h30m`, `1d`, `0.5s`. Raises ValueError for anything else, and for what is longer than LONGEST."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no duration")
    days, hours, minutes, seconds, fraction = found.groups(default="0")
    try:
        duration = timedelta(
            days=int(days),
            hours=int(hours),
            minutes=int(minutes),
            seconds=int(seconds),
            microseconds=int(fraction.ljust(6, "0")),
        )
    except OverflowError:
        duration = timedelta.max
    if duration > LONGEST:
        raise ValueError(f"{text!r} is too long; use {write_duration(LONGEST)} at most")
    return duration


def is_too_long(text: str) -> bool:
    """Whether it is written like a duration, but longer than LONGEST."""
    try:
        read_duration(text)
    except ValueError:
        return _DURATION.fullmatch(text) is not None
    return False


def write_duration(duration: timedelta) -> str:
    """The shortest text that `read_duration` reads back; the duration is not negative."""
    rest, text = duration.days * 86_400 + duration.seconds, ""
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    fraction = f".{duration.microseconds:06d}".rstrip("0") if duration.microseconds else ""
    return f"{text}{rest}{fraction}s" if rest or fraction or not text else text


class Unfit(Exception):
    """A value is not of the kind that its place takes. `message` goes on behind the place: `must be text, not …`."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def describe(value: object) -> str:
    """What a message calls a value: `the text 'abc'`, `the number 3`, `true`, `the list [1, 2]`, `nothing`."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return f"the text {cut(value)!r}"
        case int() | float():
            return f"the number {cut(str(value))}"
        case list() | tuple():
            return f"the list {cut(json.dumps(value, ensure_ascii=False, default=str), 60)}"
        case dict():
            return f"the mapping {cut(json.dumps(value, ensure_ascii=False, default=str), 60)}"
        case _:
            return type(value).__name__


def cut(text: str, most: int = 40) -> str:
    """A text as it may stand in a message."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
