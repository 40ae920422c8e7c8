"""What the choices of a manifest mean, in words."""

from __future__ import annotations

from nbflow.states import JoinRule

JOINS: dict[JoinRule, str] = {
    JoinRule.ALL_SUCCESS: "all before it succeeded",
    JoinRule.ALL_DONE: "all before it ended, well or badly",
    JoinRule.ALL_FAILED: "all before it failed",
    JoinRule.ONE_SUCCESS: "one before it succeeded; it does not wait for the others",
    JoinRule.ONE_FAILED: "one before it failed; it does not wait for the others",
    JoinRule.ONE_DONE: "one before it succeeded or failed",
    JoinRule.NONE_FAILED: "none before it failed; skipped ones do not matter",
    JoinRule.NONE_FAILED_MIN_ONE_SUCCESS: "none before it failed, and one succeeded",
    JoinRule.NONE_SKIPPED: "none before it was skipped",
    JoinRule.ALL_SKIPPED: "all before it were skipped",
    JoinRule.ALWAYS: "at once, whatever those before it do",
}

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
