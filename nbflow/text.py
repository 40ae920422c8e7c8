"""Small helpers for sentences that people read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, tzinfo
from difflib import get_close_matches

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_CONFLICT = re.compile(r"^<{7} ", re.MULTILINE)
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`Did you mean 'clean'?`, or what exists where nothing is near; empty where nothing exists."""
    names = sorted(known)
    if near := get_close_matches(name, names, n=1):
        return f"Did you mean '{near[0]}'?"
    if not names:
        return ""
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"There are: {', '.join(names[:8])}{more}."


def one_line(text: str) -> str:
    """Text from a notebook or a manifest as one harmless line: no line breaks, no terminal sequences."""
    return _CONTROL.sub(" ", text).strip()


def join_names(names: Iterable[str], most: int = 5) -> str:
    """`a, b and c`, cut with a count behind `most`."""
    listed = list(names)
    if len(listed) > most:
        return f"{', '.join(listed[:most])} and {len(listed) - most} more"
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} and {listed[-1]}"


def seconds_text(seconds: float) -> str:
    """A duration at the grain a person cares for: `0.4 s`, `12 s`, `4 min`, `2 h 5 min`, `3 d 4 h`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def took(start: datetime | None, end: datetime | None, now: datetime | None = None) -> str:
    """How long it took, or has taken up to `now`; empty where it has not begun."""
    last = end or now
    return seconds_text(max(0.0, (last - start).total_seconds())) if start and last else ""


def counted(count: int, noun: str) -> str:
    """`1 task`, `3 tasks`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def size_text(size: int) -> str:
    """Bytes in steps of a thousand: `812 bytes`, `1.2 kB`, `48 MB`."""
    if size < 1000:
        return counted(size, "byte")
    value, unit = float(size), 0
    while value >= 999.5 and unit < 4:
        value, unit = value / 1000, unit + 1
    number = f"{value:.1f}".removesuffix(".0") if value < 9.95 else f"{value:.0f}"
    return f"{number} {_UNITS[unit]}"


def with_offset(at: datetime) -> str:
    """As the clock shows it, with its UTC offset: `Sun 2026-03-08 03:00 -07:00`."""
    seconds = ":%S" if at.second else ""
    offset = at.strftime("%z")
    return f"{at.strftime(f'%a %Y-%m-%d %H:%M{seconds}')} {offset[:3]}:{offset[3:5]}"


def clock_time(at: datetime, zone: tzinfo | None = None) -> str:
    """The time of day in the reader's zone, `10:42:05`; without one in that of this machine."""
    return at.astimezone(zone).strftime("%H:%M:%S")


def conflict_line(text: str) -> int | None:
    """The line, from 1, at which git left both sides of a merge in a file; None where it did not."""
    found = _CONFLICT.search(text)
    return text.count("\n", 0, found.start()) + 1 if found else None


def fault(error: Exception) -> str:
    """What went wrong, for people: of an OSError without its number and its file, which the message names already."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def fold(text: str) -> str:
    """The text with its ASCII capitals made small, as every database can do it too."""
    return text.encode("utf-8", "replace").lower().decode()
