"""What the choices of a manifest mean, in words."""

from __future__ import annotations

BACKOFFS = {"exponential": "doubled each time", "fixed": "always the same"}

MISSED = {
    "latest": "the latest one still runs",
    "none": "none of them runs",
    "all": "every one of them still runs, oldest first",
    "last": "the last few still run",
}

OVERLAPS = {
    "queue": "the new run waits its turn",
    "skip": "the new run is skipped",
    "cancel_running": "the unfinished run is cancelled",
}

CRONS = {
    "0 2 * * *": "every day at 02:00",
    "0 6 * * 1-5": "Monday to Friday at 06:00",
    "0 6 * * 1": "every Monday at 06:00",
    "0 4 1 * *": "on the first of each month at 04:00",
    "0 * * * *": "every hour, on the hour",
    "*/15 * * * *": "every 15 minutes",
}
