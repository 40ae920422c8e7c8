"""How the app says times and shares: in the viewer's zone, with offset and the schedule's zone on hover. Pure.

Durations, sizes and counts are those of `nbflow.text`: the app says them as the terminal does.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html import escape
from zoneinfo import ZoneInfo

from nbflow.model import Param
from nbflow.text import seconds_text, with_offset

LONGEST = 40
"""Characters of a default that are shown."""


def zone_of(name: str) -> ZoneInfo:
    """The zone that a browser names; UTC where it names none that is known."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no such zone, no name at all, a name that is too long or a folder
        return ZoneInfo("UTC")


def short_time(at: datetime, zone: ZoneInfo, now: datetime) -> str:
    """`18:30` of today, `26 Nov 18:30` of this year, else `2025-11-26 18:30`."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{local.day} {local:%b %H:%M}" if local.year == today.year else f"{local:%Y-%m-%d %H:%M}"


def full_time(at: datetime, zone: ZoneInfo) -> str:
    """`Thu 2026-11-26 18:30:05 +01:00 (Europe/Berlin)`."""
    return f"{with_offset(at.astimezone(zone))} ({zone.key})"


def from_now(at: datetime, now: datetime) -> str:
    """`in 3 min`, `12 s ago`, `now`."""
    seconds = (at - now).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"in {seconds_text(seconds)}" if seconds > 0 else f"{seconds_text(-seconds)} ago"


def time_tag(at: datetime | None, zone: ZoneInfo, now: datetime, schedule: ZoneInfo | None = None) -> str:
    """The short time as HTML; on hover the full one, and what the clock of the schedule's zone shows."""
    if at is None:
        return ""
    zones = [zone] if schedule is None or schedule.key == zone.key else [zone, schedule]
    title = "\n".join(full_time(at, each) for each in zones)
    stamp = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return f'<time datetime="{stamp}" title="{escape(title)}">{short_time(at, zone, now)}</time>'


def percent(share: float | None) -> str:
    """`93 %`; below 1 never `100 %`, above 0 never `0 %`; empty where there is nothing to share."""
    if share is None:
        return ""
    whole = round(share * 100)
    return f"{min(whole, 99) if share < 1 else whole} %" if whole or share <= 0 else "1 %"


def param_text(param: Param) -> str:
    """As it would be written: `day: str`, `rows = 3`; a long default is cut."""
    if param.is_required:
        return f"{param.name}: {param.type}" if param.type else param.name
    default = param.default_text or json.dumps(param.default, ensure_ascii=False)
    shown = " ".join(default.split())
    return f"{param.name} = {shown if len(shown) <= LONGEST else f'{shown[: LONGEST - 1]}…'}"
