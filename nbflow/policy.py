"""The choices that need judgement: may a task start, is a failure worth another try and when. Pure tables of rules."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import assert_never

from nbflow.model import Retries
from nbflow.run import AttemptEnded, ErrorInfo
from nbflow.states import Cause, JoinRule, TaskState

# --- join rules (semantics §3) ------------------------------------------------------------------------------------


class Verdict(StrEnum):
    WAIT = "wait"
    RUN = "run"
    SKIP = "skip"
    UPSTREAM_FAILED = "upstream_failed"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class Tally:
    """How the upstreams of one task stand. Kept up to date change by change, so a wide join costs nothing to ask."""

    success: int = 0
    failed: int = 0
    upstream_failed: int = 0
    skipped: int = 0
    cancelled: int = 0
    unfinished: int = 0

    def move(self, before: TaskState | None, after: TaskState) -> None:
        """One upstream went from `before` (None: it was not counted yet) to `after`."""
        if before is not None:
            self._count(before, -1)
        self._count(after, 1)

    def _count(self, state: TaskState, by: int) -> None:
        name = state.value if state.is_terminal else "unfinished"
        setattr(self, name, getattr(self, name) + by)

    def copy(self) -> Tally:
        return Tally(self.success, self.failed, self.upstream_failed, self.skipped, self.cancelled, self.unfinished)

    @property
    def bad(self) -> int:
        """Ended badly; a cancelled one counts as failed."""
        return self.failed + self.upstream_failed + self.cancelled

    @property
    def total(self) -> int:
        return self.success + self.bad + self.skipped + self.unfinished


def join(rule: JoinRule, up: Tally) -> Verdict:
    """What a waiting task does now. Decides as soon as no ending of the unfinished upstreams could change the answer,
    and not before, so the answer does not depend on the order in which they end."""
    if up.total == 0 or rule is JoinRule.ALWAYS:
        return Verdict.RUN
    all_ended = up.unfinished == 0
    match rule:
        case JoinRule.ALL_SUCCESS:
            if up.bad:
                return _blocked(up)
            return _then(all_ended, Verdict.SKIP if up.skipped else Verdict.RUN)
        case JoinRule.ALL_FAILED:
            if up.success or up.skipped:
                return Verdict.SKIP
            return _then(all_ended, Verdict.RUN)
        case JoinRule.ALL_DONE:
            return _then(all_ended, Verdict.RUN)
        case JoinRule.ONE_SUCCESS:
            if up.success:
                return Verdict.RUN
            if up.bad and all_ended:
                return _blocked(up)
            return _then(all_ended, Verdict.SKIP)
        case JoinRule.ONE_FAILED:
            return Verdict.RUN if up.bad else _then(all_ended, Verdict.SKIP)
        case JoinRule.ONE_DONE:
            ran = up.success + up.failed + up.cancelled
            return Verdict.RUN if ran else _then(all_ended, Verdict.SKIP)
        case JoinRule.NONE_FAILED:
            return _blocked(up) if up.bad else _then(all_ended, Verdict.RUN)
        case JoinRule.NONE_FAILED_MIN_ONE_SUCCESS:
            if up.bad:
                return _blocked(up)
            return _then(all_ended, Verdict.RUN if up.success else Verdict.SKIP)
        case JoinRule.NONE_SKIPPED:
            return Verdict.SKIP if up.skipped else _then(all_ended, Verdict.RUN)
        case JoinRule.ALL_SKIPPED:
            return Verdict.SKIP if up.success + up.bad else _then(all_ended, Verdict.RUN)
        case _:
            assert_never(rule)


def _then(all_ended: bool, verdict: Verdict) -> Verdict:
    return verdict if all_ended else Verdict.WAIT


def _blocked(up: Tally) -> Verdict:
    """Something upstream ended badly: cancelled only if nothing failed, which is known when all have ended."""
    if up.failed or up.upstream_failed:
        return Verdict.UPSTREAM_FAILED
    return _then(up.unfinished == 0, Verdict.CANCELLED)


# --- retries (semantics §4) ---------------------------------------------------------------------------------------

NEVER_HEALS = ("SyntaxError", "NameError", "ImportError", "AssertionError")
"""Errors that no waiting mends; base-class names, so `IndentationError` and `ModuleNotFoundError` are among them."""

STRIKE_DELAYS = (timedelta(seconds=5), timedelta(seconds=30))
"""Before the second and third try after failures of nbflow's own; the third in a row is final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Try again, `delay` after the end of the failed attempt."""

    delay: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """The failure is final; `why` goes behind the failure's own reason, empty where there is nothing to add."""

    why: str = ""


def after_failure(
    retries: Retries, cause: Cause, error: ErrorInfo | None, *, failures: int, strikes: int, seed: str
) -> Retry | GiveUp:
    """Whether a failed attempt is followed by another.

    `failures` and `strikes` include the failure that is judged; `seed` names run and task.
    """
    if cause in {Cause.INVALID, Cause.CANCELLED}:
        return GiveUp()
    if cause.is_own_fault:
        return _after_own_fault(retries, cause, strikes)
    if (
        retries.max_retries
        and cause is Cause.ERROR
        and error is not None
        and (refused := _refused_by_name(retries, error))
    ):
        return GiveUp(why=refused)
    if failures > retries.max_retries:
        return GiveUp(why=f"no retry left of {retries.max_retries}" if retries.max_retries else "")
    return Retry(delay=delay(retries, failures, seed=seed))


def _after_own_fault(retries: Retries, cause: Cause, strikes: int) -> Retry | GiveUp:
    if cause is Cause.LOST and retries.on_lost == "fail":
        return GiveUp(why="on_lost: fail")
    if strikes > len(STRIKE_DELAYS):
        return GiveUp(why=f"{strikes} times in a row")
    return Retry(delay=STRIKE_DELAYS[strikes - 1])


def _refused_by_name(retries: Retries, error: ErrorInfo) -> str:
    names = {error.name, *error.bases}
    if retries.only_on:
        return "" if names & set(retries.only_on) else f"retries only on {', '.join(retries.only_on)}"
    listed = [name for name in (*retries.never_on, *NEVER_HEALS) if name in names]
    return f"not retried: {listed[0]}" if listed else ""


def delay(retries: Retries, n: int, *, seed: str) -> timedelta:
    """The wait before retry `n` (from 1): back-off, then jitter, then never above `max_delay`."""
    from tenacity import RetryCallState, Retrying, wait_exponential, wait_fixed  # loads tornado: only when needed

    wait = (
        wait_fixed(retries.delay)
        if retries.backoff == "fixed"
        else wait_exponential(multiplier=retries.delay.total_seconds())
    )
    state = RetryCallState(Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = min(n, 64)  # the power is capped long before a float overflows
    seconds = wait(state)
    if retries.jitter:
        seconds *= random.Random(f"{seed}/{n}").uniform(1 - retries.jitter, 1 + retries.jitter)
    return timedelta(seconds=min(seconds, retries.max_delay.total_seconds()))


# --- what an ending makes of a task run -----------------------------------------------------------------------------


def reason(ended: AttemptEnded) -> str:
    """One line for people: what went wrong, empty where nothing did."""
    if ended.error is not None:
        return f"{ended.error.name}: {ended.error.message}" if ended.error.message else ended.error.name
    return ended.reason
