"""How often something is done again. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta


def is_over(wait: timedelta, since: datetime | None, now: datetime) -> bool:
    """Whether so much time has passed; yes also where the clock was set back, for it is not known how far."""
    return since is None or not timedelta(0) <= now - since < wait
