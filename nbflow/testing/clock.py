"""A clock that stands still until it is told to go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class FakeClock:
    """A ports.Clock for tests."""

    def __init__(self, now: datetime = datetime(2026, 4, 1, 9, tzinfo=UTC)) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Let time pass; returns the new instant."""
        self._now += by
        return self._now
