"""The door to what schedules need to be kept: leader, pipelines as they were seen, skipped ticks, backfills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from nbflow.backfill import Backfill, BackfillItem, BackfillState
from nbflow.model import Pipeline, PipelineName, RunId
from nbflow.notice import Notice
from nbflow.ports.values import FrozenPipeline
from nbflow.run import (
    Request,
    Run,
    TaskRun,
)
from nbflow.timetable import Skip, Standing


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
    """Created or reset, and the run has not ended, or has not answered the request to begin anew."""
    ended: int
    """Created or reset, and the run has ended since."""
    failed: int
    """Of those, the ones that did not succeed."""
    passed: int
    """Passed over."""


class ScheduleStore(Protocol):
    """What schedules need to be durable: the leader, the pipelines as they were seen, skipped ticks, backfills.

    Every method is one transaction. Those that are given a `leader` raise LeaseLost, and write nothing, if the leader
    row has another engine or epoch by then.
    """

    def lead(self, engine: str, *, now: datetime, ttl: timedelta, instead_of: str | None = None) -> Leader:
        """Become the leader, with a higher epoch, or stay it, with the same. Raises Conflict while another one is.

        `now` is what `now()` gave. `instead_of` is a leader that the caller has proved dead.
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
        """Keep a pipeline as it stands now, pause apart; its cursor never goes back by this.

        `frozen` is its usable manifest with its text, of the hash `standing.manifest`; without it the last one stays.
        """
        ...

    def rewind(self, leader: Leader, pipeline: PipelineName, cursor: datetime) -> None:
        """Put a cursor back that a wrong clock put ahead. Raises NotFound for a pipeline that was never seen."""
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
        notices: Sequence[Notice] = (),
        now: datetime,
    ) -> Sequence[RunId]:
        """Create the runs of ticks, ownerless; returns those that did not exist by their key.

        In the same transaction the cursor moves, the skips are kept and logged (event `skip`, `before` and `after` the
        first and the last instant, the reason as note), the requests are left, and the notices go into the outbox. The
        cursor never goes back. Raises Conflict if the pipeline is paused, NotFound if it was never seen.
        """
        ...

    def skips(self, pipeline: PipelineName | None = None, *, limit: int = 50) -> Sequence[Skip]:
        """Those kept last come first."""
        ...

    def pause(self, pipeline: PipelineName, *, by: str, note: str, now: datetime) -> None:
        """Stop new scheduled runs, and log it.

        Raises Conflict if it is paused already, NotFound if it was never seen.
        """
        ...

    def resume(self, pipeline: PipelineName, *, by: str, note: str, now: datetime, skip: Skip | None) -> None:
        """Undo `pause`, and log it: the cursor moves to `now`, and the ticks of `skip` are kept as skipped and logged.

        Raises Conflict if it is not paused, NotFound if it was never seen.
        """
        ...

    def log_save(self, pipeline: PipelineName, *, by: str, note: str, now: datetime) -> None:
        """Log that the pipeline's manifest was saved; whether a scheduler has seen it does not matter."""
        ...

    def runs_of_keys(self, pipeline: PipelineName, run_keys: Sequence[str]) -> Mapping[str, Run]:
        """The pipeline's runs that have one of these keys, by it; keys without a run are missing."""
        ...

    def unfinished(self) -> Sequence[Run]:
        """Every run that has not ended, by (created_at, logical_date, id)."""
        ...

    def handed_over(self) -> Set[RunId]:
        """The runs with live attempts: an executor has them, or has been told to start them."""
        ...

    def asked_ownerless(self) -> Sequence[RunId]:
        """Runs without an owner that have unanswered requests, the longest asked first.

        A finished run has none, whatever stands in its lease: whoever ended it had nothing more to do with it.
        """
        ...

    def add_backfill(self, asked: Backfill, items: Sequence[BackfillItem]) -> Backfill:
        """Keep a backfill with its ticks, and log it (event `backfill`); returns it with its id.

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

    def backfilled_runs(self) -> Mapping[RunId, Backfill]:
        """The unfinished runs that active backfills have created or reset."""
        ...

    def set_backfill(
        self,
        number: int,
        state: BackfillState,
        *,
        by: str,
        note: str,
        now: datetime,
        leader: Leader | None = None,
        request: Request | None = None,
        notices: Sequence[Notice] = (),
    ) -> Backfill:
        """Pause, resume, cancel or end it, and log it (event `backfill`).

        `request` is left for each run that it created or reset, unless that has ended and nothing asks it to go on.
        `notices` are kept with it.
        Raises Conflict if it is not active, or in that state already; NotFound.
        """
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
        key exists by now. Raises NotFound for a tick that the backfill does not have.
        """
        ...
