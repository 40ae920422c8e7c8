"""Small helpers for sentences that people read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`Did you mean 'clean'?`, or what exists where nothing is near; empty where nothing exists."""
    names = sorted(known)
    if near := get_close_matches(name, names, n=1):
        return f"Did you mean '{near[0]}'?"
    if not names:
        return ""
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"There are: {', '.join(names[:8])}{more}."


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


def clock_time(at: datetime) -> str:
    """The time of day in the reader's own zone, `10:42:05`."""
    return at.astimezone().strftime("%H:%M:%S")
