"""Start runs on time: fire due ticks, begin backfills, and give runs that nobody owns to the engine (semantics §5, §9).

Only the leader does so. Everything is decided from the store and the clock's `now`, so a scheduler that is killed at
any moment is replaced by the next one without a trace.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from nbflow import admission, alerts
from nbflow.admission import Limits
from nbflow.engine import Engine
from nbflow.errors import Conflict, LeaseLost, NbflowError, Unavailable
from nbflow.lookout import Lookout
from nbflow.model import RunId
from nbflow.notice import Notice
from nbflow.pace import is_over
from nbflow.ports import LEASE, Leader, Lease, Outbox, Owners, ReadStore, RunStore, ScheduleStore, Workspace
from nbflow.scheduler.backfilling import Backfilling
from nbflow.scheduler.catalog import Catalog
from nbflow.scheduler.firing import Firing

__all__ = ["LOOK", "Scheduler"]

_log = logging.getLogger(__name__)

LOOK = timedelta(seconds=0.5)
"""Between two looks for what others have written."""

AT_ONCE = 20
"""Runs that one look takes: what runs, and who has leases to renew, must not wait for all of a midnight."""

LOOK_OUT = timedelta(seconds=30)
"""Between two looks for runs that are late and tasks that take too long."""

LOOK_ANYWAY = timedelta(seconds=5)
"""Between two looks at everything: owners die, and leases end, without a line in the change log."""


class Store(RunStore, ReadStore, ScheduleStore, Outbox, Protocol):
    """All sides of one store."""


class Scheduler:
    """One candidate for leadership, with the engine that executes what it starts.

    `on_restart` are the channels that hear of a leader that vanished.
    """

    def __init__(
        self,
        *,
        store: Store,
        workspace: Workspace,
        engine: Engine,
        owners: Owners,
        on_restart: tuple[str, ...] = (),
    ) -> None:
        self._store, self._engine, self._owners, self._on_restart = store, engine, owners, on_restart
        self._catalog = Catalog(store, workspace)
        self._firing = Firing(store, workspace, self._catalog)
        self._backfilling = Backfilling(store, workspace, self._catalog)
        self._lookout = Lookout(store)
        self._renewed_at: datetime | None = None
        self._looked_at: datetime | None = None
        self._looked_out_at: datetime | None = None
        self._saw_all_at: datetime | None = None
        self._seen = 0
        self._news: Sequence[Notice] = ()
        """To be told, also where the store went away in the moment."""
        self.leader: Leader | None = None
        """The right to lead; None while another scheduler has it."""
        self.trouble: Unavailable | None = None

    @property
    def catalog(self) -> Catalog:
        """The project's pipelines as they were seen last."""
        return self._catalog

    def step(self, now: datetime) -> bool:
        """One turn; True if there is more to do at once.

        While the store is away nothing is lost: `trouble` says so, and the next turn tries again.
        """
        is_more = False
        try:
            if self._leads(now):
                self._catalog.refresh(self._leadership, now)
                is_more = self._firing.step(self._leadership, now)
                is_more |= self._look(now)
                self._look_out(now)
            self.trouble = None
        except LeaseLost:
            self._stand_by()
        except Unavailable as error:
            self.trouble = error
            self._renewed_at = None  # it is over when the store has answered, not when nothing was asked
        return is_more

    def resign(self) -> None:
        """Let another scheduler lead at once."""
        if self.leader is not None:
            self._store.resign(self.leader)
            self._stand_by()

    # --- leading -------------------------------------------------------------------------------------------------

    @property
    def _leadership(self) -> Leader:
        if self.leader is None:
            raise LeaseLost("this scheduler does not lead")
        return self.leader

    def _leads(self, now: datetime) -> bool:
        if is_over(LEASE / 3, self._renewed_at, now):
            self._renewed_at = now
            self._renew(now)
        return self.leader is not None

    def _renew(self, now: datetime) -> None:
        led, before, at = self.leader is not None, self._store.leader(), self._store.now(now)
        is_dead = before is not None and not self._owners.is_alive(before, at)
        try:
            dead = before.engine if before is not None and is_dead else None
            self.leader = self._store.lead(self._engine.name, now=at, ttl=LEASE, instead_of=dead)
        except Conflict:
            self._stand_by()
            return
        if not led:
            self._begin()
            if before is not None and before.engine != self._engine.name:  # one that ended in order leads no more
                self._news = alerts.restarted(self._engine.name, before.engine, self._on_restart, now, is_dead=is_dead)
        if self._news:
            self._store.tell(self._news)
            self._news = ()

    def _begin(self) -> None:
        """Trust nothing that was known before this one led."""
        self._catalog.forget()
        self._looked_at = self._saw_all_at = None

    def _stand_by(self) -> None:
        self.leader = None

    # --- runs that nobody owns -----------------------------------------------------------------------------------

    def _look(self, now: datetime) -> bool:
        """True if there is more to do at once."""
        if not is_over(LOOK, self._looked_at, now):
            return False
        self._looked_at = now
        is_more = _some(self._engine.attend, self._store.asked_ownerless())
        if self._is_news(now):
            self._catalog.reread_standings()
            is_more |= self._backfilling.step(self._leadership, now)
            self._close_abandoned()
            is_more |= self._take(self._held(now))
        if is_more:
            self._looked_at = self._saw_all_at = None
        return is_more

    def _look_out(self, now: datetime) -> None:
        if is_over(LOOK_OUT, self._looked_out_at, now):
            self._looked_out_at = now
            try:
                self._lookout.look(now)
            except NbflowError:
                raise
            except Exception:  # runs go on all the same
                _log.exception("what is late could not be looked for")

    def _is_news(self, now: datetime) -> bool:
        """Whether something was written since the last look, or that look was long ago."""
        latest = self._store.latest_change()
        if latest == self._seen and not is_over(LOOK_ANYWAY, self._saw_all_at, now):
            return False
        self._seen, self._saw_all_at = latest, now
        return True

    def _close_abandoned(self) -> None:
        for run in self._engine.abandoned():
            self._engine.abandon(run)

    def _take(self, owned: set[RunId]) -> bool:
        """Some of the runs that may go on or begin; True if that was not all."""
        if self._engine.is_draining:
            return False
        unfinished = self._store.unfinished()
        # Whatever holds runs back by now, notebooks that run already are not left alone.
        going_on = self._store.handed_over() - owned
        admitted = admission.admitted(unfinished, owned | going_on, self._limits())
        return _some(self._engine.own, [*sorted(going_on), *admitted])

    def _held(self, now: datetime) -> set[RunId]:
        """The runs that somebody has.

        They are taken from schedulers that are gone, and from this one where the store went away in the middle.
        """
        leases, at = self._store.owned(), self._store.now(now)
        held = {lease.run for lease in leases if self._is_held(lease, at)}
        for lease in leases:
            if lease.run not in held:
                self._store.release(lease)
        return held

    def _is_held(self, lease: Lease, now: datetime) -> bool:
        """Whether the owner is alive and goes on with the run, or is a dead command, whose run is not continued."""
        if lease.engine == self._engine.name:
            return lease.run in self._engine.runs
        return lease.is_foreground or (self._owners.is_alive(lease, now) and now < lease.expires)

    def _limits(self) -> Limits:
        return Limits(
            max_active=self._catalog.max_active(),
            paused=self._catalog.paused(),
            backfills=self._store.backfilled_runs(),
        )


def _some(take: Callable[[RunId], object], runs: Sequence[RunId]) -> bool:
    """Take as many as one look may; True if that was not all."""
    taken = 0
    for place, run in enumerate(runs, start=1):
        taken += _unless_refused(take, run)
        if taken == AT_ONCE:
            return place < len(runs)
    return False


def _unless_refused(take: Callable[[RunId], object], run: RunId) -> bool:
    try:
        take(run)
    except Conflict:  # its owner lives after all, or only another machine can go on with it
        return False
    return True
