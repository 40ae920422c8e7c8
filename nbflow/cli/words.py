"""How the terminal says things: states with icon and colour, durations. Pure text, no layout."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any

from nbflow.scalars import cut
from nbflow.text import clock_time, one_line

if TYPE_CHECKING:
    from nbflow.estimates import Estimate

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

MOST_VALUES = 20
"""Parameters or reported values in one line: a notebook may report thousands."""


def state_text(state: StrEnum) -> str:
    return f"{LOOKS[state][0]} {state}"


def style_of(state: StrEnum) -> str:
    return LOOKS[state][1]


def counts_text(counts: Mapping[Any, int]) -> str:
    """`3 running · 1 failed`, in the order of LOOKS, without zeros."""
    said = {str(state): count for state, count in counts.items() if count}
    return " · ".join(f"{said[state]:,} {state}" for state in LOOKS if state in said)


def ready_text(estimate: Estimate | None, now: datetime) -> str:
    """`ready at 06:40, usually 06:25`; with seconds where it is near. Empty where nothing is known."""
    if estimate is None:
        return ""
    is_near = estimate.ready - now < timedelta(minutes=10)
    ready = clock_time(estimate.ready) if is_near else short_time(estimate.ready, now)
    usually = clock_time(estimate.usual) if estimate.usual and is_near else short_time(estimate.usual, now)
    return f"ready at {ready}" + (f", usually {usually}" if usually else "")


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


def because_text(reason: str, longest: int = 200) -> str:
    """A reason in a line among others; the whole of it stands with the failure, and in the log."""
    return cut(one_line(reason), longest)


def values_text(values: Mapping[str, Any], longest: int = 60) -> str:
    """`region=all, limit=3`; a value is cut behind `longest` characters, and of many values the rest is counted."""
    said = [f"{name}={cut(one_line(str(value)), longest)}" for name, value in islice(values.items(), MOST_VALUES)]
    more = f" and {len(values) - MOST_VALUES} more" if len(values) > MOST_VALUES else ""
    return ", ".join(said) + more
