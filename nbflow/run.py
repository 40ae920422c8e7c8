"""What happens to a pipeline when it runs, as frozen values: Run, TaskRun, Attempt; facts in, orders out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal

from nbflow.model import (
    GRACE,
    AttemptId,
    DataInterval,
    FrozenNotebook,
    PipelineName,
    RunId,
    TaskKey,
    TaskName,
)
from nbflow.notice import Notice
from nbflow.states import AttemptState, Cause, RunKind, RunState, TaskState

# --- what is kept -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a pipeline for one logical date. `(pipeline, run_key)` is unique (semantics §5)."""

    id: RunId
    pipeline: PipelineName
    run_key: str
    kind: RunKind
    state: RunState
    manifest: str
    """Content hash of the frozen manifest."""
    params: Mapping[str, Any]
    """Complete: what was given, over the manifest's defaults."""
    logical_date: datetime
    run_date: date
    interval: DataInterval
    created_at: datetime
    created_by: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    alerted_at: datetime | None = None
    """When people were told of its failure; a repair begins anew."""
    lent: Mapping[TaskName, Mapping[str, Any]] = field(default_factory=dict)
    """Reported values of another run, of tasks that are not part of this one (`nbflow run --task … --from RUN`)."""
    version: int = 0
    """Grows by one with every write; a write names the version it has seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorInfo:
    """The exception that ended a cell. `bases` are the names of its class's ancestors, nearest first."""

    name: str
    message: str
    bases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a task run: one kernel, one executed notebook, one folder."""

    id: AttemptId
    run: RunId
    key: TaskKey
    number: int
    """Counts from 1 and never restarts."""
    token: str
    """Secret of this try. A result that carries another one is refused (semantics §9)."""
    state: AttemptState
    notebook: str
    """Content hash of the source that it runs."""
    created_at: datetime
    cause: Cause | None = None
    reason: str = ""
    error: ErrorInfo | None = None
    failing_cell: int | None = None
    """Counts from 1 in the source notebook (semantics §8)."""
    signal: int | None = None
    exit_code: int | None = None
    peak_memory: int | None = None
    """Bytes, of the kernel."""
    kernel_start: str | None = None
    """`warm` or `cold`."""
    host: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun:
    """One task inside one run."""

    key: TaskKey
    state: TaskState
    notebook: FrozenNotebook
    cause: Cause | None = None
    reason: str = ""
    """Why it stands where it stands, for people; empty where the state says it all."""
    by_rule: bool = False
    """The join rule decided its ending, so it is decided anew when an upstream is set by hand."""
    set_by: str | None = None
    note: str | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] | None = None
    """Resolved when the task run became ready; None before."""
    failures: int = 0
    """Failures since the last reset that count against `max_retries`: the n of semantics §4."""
    strikes: int = 0
    """Failures in a row that were nbflow's own (lost, kernel_start, storage)."""
    attempts: int = 0
    """Number of the latest attempt; 0 before the first."""
    live: Attempt | None = None
    """The attempt that is queued or running now."""
    then: TaskState | None = None
    """What an operator decided while it ran; takes effect when the live attempt has ended."""
    not_before: datetime | None = None
    """Only in retry_wait: when the next attempt is due."""
    started_at: datetime | None = None
    """Start of the first attempt since the last reset."""
    ended_at: datetime | None = None

    @property
    def is_ready(self) -> bool:
        """It can start as soon as there is a slot."""
        return self.state is TaskState.QUEUED and self.live is None


# --- facts: what was seen -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOpened:
    """An engine begins to own the run: every waiting task run is looked at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotGranted:
    """The engine found a slot and pool places for a queued task run; `token` is fresh."""

    key: TaskKey
    token: str
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted:
    """The runner holds the attempt's lock and has begun."""

    attempt: AttemptId
    token: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded:
    """No process of the attempt is left, and this is how it ended. Carries what `outcome.json` says."""

    attempt: AttemptId
    token: str
    at: datetime
    state: AttemptState
    cause: Cause | None = None
    reason: str = ""
    error: ErrorInfo | None = None
    failing_cell: int | None = None
    signal: int | None = None
    exit_code: int | None = None
    peak_memory: int | None = None
    kernel_start: str | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAbandoned:
    """The `nbflow run` that owned the run is gone; nothing may start any more (semantics §9, Owner)."""


# --- requests: facts that a person made ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested:
    """Stop one task run, or the whole run where `key` is None."""

    kind: Literal["cancel"] = "cancel"
    by: str
    key: TaskKey | None = None
    note: str = ""
    grace: timedelta = GRACE


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetRequested:
    """Re-run `keys` (empty: every failed and cancelled one) and what depends on them (semantics §6, repair)."""

    kind: Literal["reset"] = "reset"
    by: str
    keys: tuple[TaskKey, ...] = ()
    only: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)
    """Run parameters to change; the others stay."""
    notebooks: Mapping[TaskName, FrozenNotebook] = field(default_factory=dict)
    """Fresh copies for the tasks that are reset; a task that is missing keeps its old copy."""
    kill: bool = False
    is_backfill: bool = False
    """The run's kind becomes `backfill` (semantics §5)."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkRequested:
    """Set a task run's state by hand; `state` is success, failed or skipped."""

    kind: Literal["mark"] = "mark"
    by: str
    key: TaskKey
    state: TaskState
    outputs: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    kill: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryNowRequested:
    """Start a task run in retry_wait at once."""

    kind: Literal["retry_now"] = "retry_now"
    by: str
    key: TaskKey
    note: str = ""


Request = CancelRequested | ResetRequested | MarkRequested | RetryNowRequested


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it lies in the store; its owner answers it by `id`."""

    id: int
    request: Request


Fact = RunOpened | SlotGranted | AttemptStarted | AttemptEnded | RunAbandoned | Asked


# --- orders: what shall be done, after the commit -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAttempt:
    """Everything a worker needs to execute one notebook: the content of `order.json` (semantics §8).

    Secrets go by name, never by value.
    """

    attempt: AttemptId
    token: str
    run: RunId
    pipeline: PipelineName
    key: TaskKey
    number: int
    notebook: FrozenNotebook
    params: Mapping[str, Any]
    kernel: str
    env: Mapping[str, str]
    secrets: Mapping[str, str]
    logical_date: datetime
    run_date: date
    timeout: timedelta | None = None
    cell_timeout: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAttempt:
    """Interrupt the kernel, and after `grace` end every process of the attempt. Zero kills at once."""

    attempt: AttemptId
    token: str
    by: str
    grace: timedelta = GRACE


Order = StartAttempt | StopAttempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of the change log: a transition, or an operator's action with who and why."""

    at: datetime
    run: RunId | None
    """None where the pipeline as a whole changed."""
    pipeline: PipelineName
    event: str
    """What changed: `run`, `task`, `attempt`, `skip` (ticks without a run); or the action: `cancel`, `reset`, `mark`,
    `retry_now`, `refused`, `pause`, `resume`, `backfill`, `save` (of the manifest)."""
    key: TaskKey | None = None
    attempt: int | None = None
    backfill: int | None = None
    """Number of the backfill that changed."""
    before: str | None = None
    after: str | None = None
    by: str | None = None
    note: str | None = None
    seq: int = 0
    """Position in the log, given by the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a request; `error` is empty when it was carried out."""

    id: int
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What `advance` concluded: to be saved in one transaction, then applied in memory, then acted on."""

    run: Run
    tasks: tuple[TaskRun, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    changes: tuple[Change, ...] = ()
    answers: tuple[Answer, ...] = ()
    orders: tuple[Order, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True where there is nothing to save and nothing to do."""
        return not (self.tasks or self.attempts or self.changes or self.answers or self.orders)
