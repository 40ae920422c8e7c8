"""The system's time. Only loops and front doors own a clock; the rules are given `now`."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)
