"""The words for where a run, a task run and an attempt stand; the only transition tables; a sentence for each word."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar


class IllegalTransition(RuntimeError):
    """A change of state that semantics §2 does not know."""


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self in RUN_TERMINAL


class TaskState(StrEnum):
    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    RETRY_WAIT = "retry_wait"
    SUCCESS = "success"
    FAILED = "failed"
    UPSTREAM_FAILED = "upstream_failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self in TASK_TERMINAL


class AttemptState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def is_terminal(self) -> bool:
        return self in ATTEMPT_TERMINAL


class Cause(StrEnum):
    """Why an attempt did not end well (semantics §4)."""

    ERROR = "error"
    TIMEOUT = "timeout"
    KERNEL_DIED = "kernel_died"
    KERNEL_START = "kernel_start"
    LOST = "lost"
    STORAGE = "storage"
    INVALID = "invalid"
    CANCELLED = "cancelled"

    @property
    def is_own_fault(self) -> bool:
        """True where nbflow or its surroundings failed, not the notebook (semantics §4)."""
        return self in {Cause.LOST, Cause.KERNEL_START, Cause.STORAGE}


class RunKind(StrEnum):
    SCHEDULED = "scheduled"
    MANUAL = "manual"
    BACKFILL = "backfill"


class JoinRule(StrEnum):
    """What the upstreams of a task must have done before it runs (semantics §3)."""

    ALL_SUCCESS = "all_success"
    ALL_FAILED = "all_failed"
    ALL_DONE = "all_done"
    ONE_SUCCESS = "one_success"
    ONE_FAILED = "one_failed"
    ONE_DONE = "one_done"
    NONE_FAILED = "none_failed"
    NONE_FAILED_MIN_ONE_SUCCESS = "none_failed_min_one_success"
    NONE_SKIPPED = "none_skipped"
    ALL_SKIPPED = "all_skipped"
    ALWAYS = "always"


RUN_TERMINAL = frozenset({RunState.SUCCESS, RunState.FAILED, RunState.CANCELLED})
TASK_TERMINAL = frozenset(
    {TaskState.SUCCESS, TaskState.FAILED, TaskState.UPSTREAM_FAILED, TaskState.SKIPPED, TaskState.CANCELLED}
)
ATTEMPT_LIVE = frozenset({AttemptState.QUEUED, AttemptState.RUNNING})
ATTEMPT_TERMINAL = frozenset(AttemptState) - ATTEMPT_LIVE

_R, _T, _A = RunState, TaskState, AttemptState

RUN_TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    _R.QUEUED: frozenset({_R.RUNNING, _R.SUCCESS, _R.FAILED, _R.CANCELLED}),
    _R.RUNNING: frozenset({_R.QUEUED, _R.SUCCESS, _R.FAILED, _R.CANCELLED}),
    # A repair or a mark reopens a finished run, or judges it anew.
    _R.SUCCESS: frozenset({_R.QUEUED, _R.FAILED, _R.CANCELLED}),
    _R.FAILED: frozenset({_R.QUEUED, _R.SUCCESS, _R.CANCELLED}),
    _R.CANCELLED: frozenset({_R.QUEUED, _R.SUCCESS, _R.FAILED}),
}

_BY_HAND = frozenset({_T.SUCCESS, _T.FAILED, _T.SKIPPED})
_RESET = frozenset({_T.WAITING})

TASK_TRANSITIONS: dict[TaskState, frozenset[TaskState]] = {
    _T.WAITING: frozenset({_T.QUEUED, _T.SKIPPED, _T.UPSTREAM_FAILED, _T.FAILED, _T.CANCELLED}) | _BY_HAND,
    _T.QUEUED: frozenset({_T.RUNNING, _T.RETRY_WAIT, _T.CANCELLED}) | _BY_HAND | _RESET,
    _T.RUNNING: frozenset({_T.RETRY_WAIT, _T.CANCELLED}) | _BY_HAND | _RESET,
    _T.RETRY_WAIT: frozenset({_T.QUEUED, _T.CANCELLED}) | _BY_HAND | _RESET,
    _T.SUCCESS: _BY_HAND | _RESET,
    _T.FAILED: _BY_HAND | _RESET,
    _T.UPSTREAM_FAILED: _BY_HAND | _RESET,
    _T.SKIPPED: _BY_HAND | _RESET,
    _T.CANCELLED: _BY_HAND | _RESET,
}

ATTEMPT_TRANSITIONS: dict[AttemptState, frozenset[AttemptState]] = {
    _A.QUEUED: frozenset(_A) - {_A.QUEUED},
    _A.RUNNING: ATTEMPT_TERMINAL,
    **{state: frozenset() for state in ATTEMPT_TERMINAL},
}

S = TypeVar("S", bound=StrEnum)


def in_words(word: str) -> str:
    """`upstream failed`: a state, or another word of the database, as a sentence has it."""
    return word.replace("_", " ")


def check(transitions: Mapping[S, frozenset[S]], before: S, after: S) -> None:
    """Raises IllegalTransition: a fault of nbflow's own, stopped before it is saved."""
    if after not in transitions[before]:
        raise IllegalTransition(f"{type(before).__name__} cannot go from {before} to {after}")


# A sentence for each word: legends, help and docs read them from here. One table a kind, because the words of two
# kinds are equal as text.
RUN_SENTENCES: dict[RunState, str] = {
    _R.QUEUED: "Nothing of this run has started yet.",
    _R.RUNNING: "At least one task has started, and not all have ended.",
    _R.SUCCESS: "Every task ended well, was skipped, or was allowed to fail.",
    _R.FAILED: "At least one task failed, or could not run because of a failure.",
    _R.CANCELLED: "Nothing failed, but at least one task was stopped by an operator.",
}
TASK_SENTENCES: dict[TaskState, str] = {
    _T.WAITING: "Upstream tasks have not all ended.",
    _T.QUEUED: "Ready; waits for a slot or a pool.",
    _T.RUNNING: "Its notebook is being executed.",
    _T.RETRY_WAIT: "The last attempt failed; the next one waits for its time.",
    _T.SUCCESS: "Ended well, or was marked so by an operator.",
    _T.FAILED: "Ended badly, and no retry is left or none would help.",
    _T.UPSTREAM_FAILED: "Cannot run, because an upstream task ended badly.",
    _T.SKIPPED: "Its join rule, its condition or the notebook itself said not to run.",
    _T.CANCELLED: "Stopped by an operator.",
}
ATTEMPT_SENTENCES: dict[AttemptState, str] = {
    _A.QUEUED: "Handed over to the executor; not seen running yet.",
    _A.RUNNING: "Its runner is alive.",
    _A.SUCCESS: "The notebook ran to its end.",
    _A.FAILED: "The notebook did not reach its end.",
    _A.SKIPPED: "The notebook itself said that there was nothing to do.",
    _A.CANCELLED: "Stopped by an operator.",
    _A.LOST: "The process that ran it is gone, and left no result.",
}
CAUSE_SENTENCES: dict[Cause, str] = {
    Cause.ERROR: "A cell raised an exception.",
    Cause.TIMEOUT: "A cell or the whole notebook ran longer than it may.",
    Cause.KERNEL_DIED: "The kernel's process ended in the middle of the notebook.",
    Cause.KERNEL_START: "The kernel did not start.",
    Cause.LOST: "The process that ran the notebook is gone.",
    Cause.STORAGE: "The attempt's files could not be written.",
    Cause.INVALID: "Parameters or notebook were refused before the start.",
    Cause.CANCELLED: "An operator stopped it.",
}

JOIN_SENTENCES: dict[JoinRule, str] = {
    JoinRule.ALL_SUCCESS: "all before it succeeded",
    JoinRule.ALL_DONE: "all before it ended, well or badly",
    JoinRule.ALL_FAILED: "all before it failed",
    JoinRule.ONE_SUCCESS: "one before it succeeded; it does not wait for the others",
    JoinRule.ONE_FAILED: "one before it failed; it does not wait for the others",
    JoinRule.ONE_DONE: "one before it succeeded, failed or was cancelled",
    JoinRule.NONE_FAILED: "none before it failed; skipped ones do not matter",
    JoinRule.NONE_FAILED_MIN_ONE_SUCCESS: "none before it failed, and one succeeded",
    JoinRule.NONE_SKIPPED: "none before it was skipped",
    JoinRule.ALL_SKIPPED: "all before it were skipped",
    JoinRule.ALWAYS: "at once, whatever those before it do",
}
"""When a task runs, in the order in which people are offered the rules."""
