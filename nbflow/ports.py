"""The doors to everything outside the rules. The docstring is the contract; adapters are tested against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from nbflow.backfill import Backfill, BackfillItem, BackfillState
from nbflow.errors import Problem
from nbflow.live import LiveRun
from nbflow.model import AttemptId, FrozenNotebook, Param, Pipeline, PipelineName, RunId, TaskKey, TaskName
from nbflow.run import (
    Asked,
    Attempt,
    AttemptEnded,
    AttemptStarted,
    Change,
    Decision,
    Request,
    Run,
    StartAttempt,
    StopAttempt,
    TaskRun,
)
from nbflow.states import RunState
from nbflow.timetable import Skip, Standing

# --- values that cross the doors ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenPipeline:
    """A pipeline with the text it was read from and the copies of its notebooks: what a run is pinned to."""

    pipeline: Pipeline
    text: str
    sha256: str
    notebooks: Mapping[TaskName, FrozenNotebook]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run as the store holds it, with all its task runs and the frozen pipeline."""

    run: Run
    pipeline: Pipeline
    tasks: Mapping[TaskKey, TaskRun]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right of one engine to write one run, until `expires` (semantics §9, Owner)."""

    run: RunId
    engine: str
    epoch: int
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """The right of one engine to create scheduled runs and to take ownerless ones, until `expires` (semantics §9)."""

    engine: str
    epoch: int
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A planned run with all that is needed to create it."""

    run: Run
    tasks: tuple[TaskRun, ...]
    frozen: FrozenPipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillProgress:
    """How far a backfill has come, in numbers of ticks."""

    waiting: int
    """Not begun."""
    active: int
    """Created or reset, and the run has not ended."""
    ended: int
    """Created or reset, and the run has ended."""
    failed: int
    """Of those, the ones that did not succeed."""
    passed: int
    """Passed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What can be known of a notebook without running it.

    `params` is None where the notebook has no cell tagged `parameters`.
    """

    language: str
    kernel: str
    cells: int
    params: tuple[Param, ...] | None
    has_open_params: bool = False
    """True where names could not be told for sure (another language, or code that is no plain assignment)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One manifest of the project as it is on disk now; `pipeline` is None where it cannot be used."""

    path: Path
    pipeline: Pipeline | None
    problems: tuple[Problem, ...] = ()
    text: str = ""
    """The manifest as it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an attempt has come: the cell that started last, and how many the notebook has."""

    cell: int | None
    cells: int
    at: datetime | None = None


# --- doors --------------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Time. Only loops own one; everything else is given `now`."""

    def now(self) -> datetime:
        """The current instant, aware, UTC."""
        ...


class Executor(Protocol):
    """Runs attempts. Never raises for what a notebook does: that arrives as a fact."""

    def free_slots(self) -> int:
        """How many more attempts may be started now; never negative."""
        ...

    def start(self, order: StartAttempt) -> None:
        """Begin one attempt. Starting the same attempt twice begins it once.

        What prevents the start (disk full, no process) arrives from `poll` as an ended attempt with cause `storage`.
        """
        ...

    def stop(self, order: StopAttempt) -> None:
        """Ask an attempt to end; its end arrives from `poll`. Unknown or ended attempts are passed over.

        May be called again with a shorter grace.
        """
        ...

    def poll(self) -> Sequence[AttemptStarted | AttemptEnded]:
        """What was seen since the last call; never blocks. Each fact is delivered at least once.

        An end is reported only when no process of the attempt is left.
        """
        ...

    def wait(self, seconds: float) -> None:
        """Return when `poll` may have news, or after `seconds`."""
        ...

    def adopt(self, attempts: Sequence[Attempt], pipeline: PipelineName) -> None:
        """Take over attempts that another engine of this machine started.

        Those still alive are polled like own ones; of those that ended the outcome is read; those that left none are
        swept and reported `lost`.
        """
        ...

    def close(self) -> None:
        """Let go of everything held in this process. Foreground runners end; others go on."""
        ...


class RunStore(Protocol):
    """Runs, durable. Every method is one transaction; after an error nothing of it is visible."""

    def add_run(self, run: Run, tasks: Sequence[TaskRun], frozen: FrozenPipeline, lease: Lease | None) -> bool:
        """Create a run with its task runs; False if its pipeline has a run of that key already.

        Its creation is the first line of its change log.
        """
        ...

    def load(self, run: RunId) -> StoredRun:
        """The run with its task runs and their live attempts. Raises NotFound."""
        ...

    def apply(self, decision: Decision, *, seen: int, lease: Lease, pools: Mapping[str, int]) -> Run:
        """Save a decision; returns the run with its new version.

        `pools` has the number of places of each pool. Raises StaleVersion if the run's version is not `seen`,
        LeaseLost if `lease` is not the run's own any more, PoolFull if new attempts of the decision would overfill a
        pool, counted over every live attempt of every run in the store.
        """
        ...

    def claim(self, run: RunId, engine: str, *, now: datetime, ttl: timedelta, force: bool = False) -> Lease:
        """Become the owner, with a higher epoch. Raises Conflict while another engine's lease is alive.

        `force` takes it all the same: for a caller who has proved the owner dead.
        """
        ...

    def renew(self, engine: str, *, now: datetime, ttl: timedelta) -> None:
        """Extend all leases of `engine`."""
        ...

    def release(self, lease: Lease) -> None:
        """Give up ownership; nothing happens if it was lost already."""
        ...

    def owned(self) -> Sequence[Lease]:
        """The leases of all unfinished runs that have an owner."""
        ...

    def ask(self, run: RunId, request: Request, *, now: datetime) -> int:
        """Leave a request for the run's owner; returns its id."""
        ...

    def asked(self, runs: Sequence[RunId]) -> Mapping[RunId, Sequence[Asked]]:
        """Unanswered requests of these runs, oldest first."""
        ...

    def answer(self, request: int) -> str | None:
        """What became of a request: None while open, empty when carried out, else why not."""
        ...

    def pool_holders(self) -> Mapping[str, Sequence[str]]:
        """Who holds the places of each pool now: a task's address once for each place of its live attempt."""
        ...

    def run_of_key(self, pipeline: PipelineName, run_key: str) -> RunId:
        """The run that has this key. Raises NotFound."""
        ...


class ScheduleStore(Protocol):
    """What schedules need to be durable: the leader, the pipelines as they were seen, skipped ticks, backfills.

    Every method is one transaction. Those that are given a `leader` raise LeaseLost, and write nothing, if the leader
    row has another engine or epoch by then.
    """

    def now(self, local: datetime) -> datetime:
        """The time that leaders go by: the database's own where it has a clock, else `local`."""
        ...

    def lead(self, engine: str, *, now: datetime, ttl: timedelta, force: bool = False) -> Leader:
        """Become the leader, with a higher epoch, or stay it, with the same. Raises Conflict while another one is.

        `force` takes it all the same: for a caller who has proved the leader dead.
        """
        ...

    def resign(self, leader: Leader) -> None:
        """Let another engine lead at once; nothing happens if that was lost already."""
        ...

    def leader(self) -> Leader | None:
        """Who leads, or led last and did not resign."""
        ...

    def standings(self) -> Mapping[PipelineName, Standing]:
        """Every pipeline that was ever seen, removed ones too."""
        ...

    def see(self, leader: Leader, standing: Standing, frozen: tuple[Pipeline, str] | None) -> None:
        """Keep a pipeline as it stands now, pause apart; `frozen` is its usable manifest with its text."""
        ...

    def last_good(self, pipeline: PipelineName) -> tuple[Pipeline, str] | None:
        """The last usable manifest that `see` was given, and its text."""
        ...

    def fire(
        self,
        leader: Leader,
        pipeline: PipelineName,
        *,
        cursor: datetime,
        runs: Sequence[NewRun] = (),
        skips: Sequence[Skip] = (),
        requests: Sequence[tuple[RunId, Request]] = (),
        now: datetime,
    ) -> Sequence[RunId]:
        """Create the runs of ticks, ownerless; returns those that did not exist by their key.

        In the same transaction the cursor moves, the skips are kept and logged (event `skip`, `before` and `after` the
        first and the last instant, the reason as note), and the requests are left. A paused pipeline raises Conflict.
        """
        ...

    def skips(self, pipeline: PipelineName | None = None, *, limit: int = 50) -> Sequence[Skip]:
        """Newest first."""
        ...

    def pause(self, pipeline: PipelineName, *, by: str, note: str, now: datetime) -> None:
        """Stop new scheduled runs, and log it.

        Raises Conflict if it is paused already, NotFound if it was never seen.
        """
        ...

    def resume(self, pipeline: PipelineName, *, by: str, note: str, now: datetime, skip: Skip | None) -> None:
        """Undo `pause`, and log it: the cursor moves to `now`, and the ticks of `skip` are kept as skipped.

        Raises Conflict if it is not paused.
        """
        ...

    def unfinished(self) -> Sequence[Run]:
        """Every run that has not ended, by (created_at, logical_date, id)."""
        ...

    def asked_ownerless(self) -> Sequence[RunId]:
        """Runs without an owner that have unanswered requests."""
        ...

    def add_backfill(self, asked: Backfill, items: Sequence[BackfillItem]) -> Backfill:
        """Keep a backfill with its ticks, and log it; returns it with its id.

        Raises Conflict naming an active one of the same pipeline whose range overlaps.
        """
        ...

    def backfills(self, *, only_active: bool = False) -> Sequence[Backfill]:
        """Newest first."""
        ...

    def backfill(self, number: int) -> Backfill:
        """Raises NotFound."""
        ...

    def backfill_items(self, number: int) -> Sequence[BackfillItem]:
        """All its ticks, in order."""
        ...

    def next_items(self, number: int, limit: int) -> Sequence[BackfillItem]:
        """The first ticks that still wait, in order."""
        ...

    def backfill_progress(self, number: int) -> BackfillProgress: ...

    def set_backfill(
        self, number: int, state: BackfillState, *, by: str, note: str, now: datetime, leader: Leader | None = None
    ) -> Backfill:
        """Pause, resume, cancel or end it, and log it (event `backfill`). Raises Conflict if it is not active."""
        ...

    def begin_item(
        self,
        leader: Leader,
        number: int,
        item: BackfillItem,
        *,
        new: NewRun | None = None,
        request: Request | None = None,
        now: datetime,
    ) -> bool:
        """Keep what is done with a tick; create `new`, ownerless, or leave `request` for the item's run.

        Returns False, and keeps nothing, if the tick has been begun, the backfill is not running, or a run of `new`'s
        key exists by now.
        """
        ...


class Owners(Protocol):
    """Which engines are alive. On one machine a held lock proves it; of others only the lease speaks."""

    def hold(self, engine: str) -> None:
        """Be known as alive until this process ends."""
        ...

    def is_alive(self, lease: Lease, now: datetime) -> bool:
        """Whether the lease's engine may still write or have running attempts."""
        ...


class ReadStore(Protocol):
    """History, for everybody who only looks."""

    def find_run(self, ref: str) -> RunId:
        """RUN of the command line: an id, a unique prefix of one, or `latest[:PIPELINE]`.

        Raises NotFound, and InvalidInput with the candidates where a prefix fits several.
        """
        ...

    def load(self, run: RunId) -> StoredRun: ...

    def attempts(self, run: RunId) -> Mapping[TaskKey, Sequence[Attempt]]:
        """All attempts of a run, oldest first; a task run without one is missing."""
        ...

    def list_runs(
        self, *, pipeline: PipelineName | None = None, state: RunState | None = None, limit: int = 50
    ) -> Sequence[Run]:
        """Newest first."""
        ...

    def usual_seconds(self, pipeline: PipelineName) -> Mapping[TaskName, float]:
        """Median duration of each task's last 20 successful attempts, as far as the last 100 runs have them."""
        ...

    def changes(self, after: int, *, run: RunId | None = None, limit: int = 1000) -> Sequence[Change]:
        """The change log in order, from the first entry with `seq > after`."""
        ...

    def manifest_text(self, sha256: str) -> str:
        """The frozen manifest as it was written. Raises NotFound."""
        ...


class Workspace(Protocol):
    """The folders of manifests and notebooks."""

    def definitions(self) -> Sequence[Definition]:
        """Every manifest of the project with its problems, in name order."""
        ...

    def load(self, name_or_path: str) -> Definition:
        """One pipeline by name, folder, manifest or `.ipynb`. Raises NotFound with the nearest name."""
        ...

    def freeze(self, definition: Definition, tasks: Sequence[TaskName] | None = None) -> FrozenPipeline:
        """Copy manifest and notebooks by content hash; `tasks` limits it to some. Raises InvalidManifest."""
        ...

    def refreeze(self, pipeline: Pipeline, old: Mapping[TaskName, FrozenNotebook]) -> Mapping[TaskName, FrozenNotebook]:
        """Copies of the notebooks as they are now, for the tasks named in `old`. Raises InvalidInput."""
        ...


class Logs(Protocol):
    """The attempt folders, for readers."""

    def folder(self, attempt: AttemptId, pipeline: PipelineName) -> Path:
        """Where the attempt's files are (semantics §8); absolute."""
        ...

    def notebook(self, attempt: AttemptId, pipeline: PipelineName) -> Any:
        """The executed notebook as it stands (nbformat 4). Raises NotFound."""
        ...

    def progress(self, attempt: AttemptId, pipeline: PipelineName) -> Progress | None:
        """How far a running attempt has come; None before its first event."""
        ...


class Driver(Protocol):
    """Something that can own runs and carry them to their end: an engine."""

    def lease(self, run: RunId, now: datetime) -> Lease:
        """The lease to create a run with, so that it has an owner from its first moment."""
        ...

    def drive(self, run: RunId, watch: Callable[[LiveRun], None] | None = None) -> Run:
        """Own the run until it has ended. Raises Conflict while its owner is alive."""
        ...

    def close_abandoned(self) -> Sequence[RunId]:
        """End the runs whose foreground owner is gone."""
        ...
