"""How the terminal says things: states with icon and colour, durations. Pure text, no layout."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

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
