"""Start runs on time: fire due ticks, begin backfills, and give runs that nobody owns to the engine (semantics §5, §9).

Only the leader does so. Everything is decided from the store and the clock's `now`, so a scheduler that is killed at
any moment is replaced by the next one without a trace.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from nbflow import admission, alerts
from nbflow.admission import Limits
from nbflow.engine import Engine
from nbflow.errors import Conflict, LeaseLost, Unavailable
from nbflow.lookout import Lookout
from nbflow.model import RunId
from nbflow.ports import LEADER_TTL, Leader, Outbox, Owners, ReadStore, RunStore, ScheduleStore, Workspace
from nbflow.scheduler.backfilling import Backfilling
from nbflow.scheduler.catalog import Catalog
from nbflow.scheduler.firing import Firing

__all__ = ["LOOK", "Scheduler"]

LOOK = timedelta(seconds=0.5)
"""Between two looks for what others have written."""

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
        self._backfilling = Backfilling(store, workspace)
        self._lookout = Lookout(store)
        self._renewed_at: datetime | None = None
        self._looked_at: datetime | None = None
        self._looked_out_at: datetime | None = None
        self._saw_all_at: datetime | None = None
        self._seen = 0
        self.leader: Leader | None = None
        """The right to lead; None while another scheduler has it."""
        self.trouble: Unavailable | None = None

    @property
    def catalog(self) -> Catalog:
        """The project's pipelines as they were seen last."""
        return self._catalog

    def step(self, now: datetime) -> None:
        """One turn. While the store is away nothing is lost: `trouble` says so, and the next turn tries again."""
        try:
            if self._leads(now):
                self._catalog.refresh(self._leadership, now)
                self._firing.step(self._leadership, now)
                self._look(now)
                self._look_out(now)
            self.trouble = None
        except LeaseLost:
            self._stand_by()
        except Unavailable as error:
            self.trouble = error

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
        if self._renewed_at is None or now - self._renewed_at >= LEADER_TTL / 3 or now < self._renewed_at:
            self._renewed_at = now
            self._renew(now)
        return self.leader is not None

    def _renew(self, now: datetime) -> None:
        led, before, at = self.leader is not None, self._store.leader(), self._store.now(now)
        is_dead = before is not None and not self._owners.is_alive(before, at)
        try:
            self.leader = self._store.lead(self._engine.name, now=at, ttl=LEADER_TTL, force=is_dead)
        except Conflict:
            self._stand_by()
        else:
            if not led:
                self._begin(before, now)

    def _begin(self, before: Leader | None, now: datetime) -> None:
        """Trust nothing that was known before this one led. One that ended in order is no leader any more."""
        if before is not None and before.engine != self._engine.name:
            self._store.tell(alerts.restarted(self._engine.name, before.engine, self._on_restart, now))
        self._catalog.forget()
        self._looked_at = self._saw_all_at = None

    def _stand_by(self) -> None:
        self.leader = None

    # --- runs that nobody owns -----------------------------------------------------------------------------------

    def _look(self, now: datetime) -> None:
        if self._looked_at is not None and timedelta(0) <= now - self._looked_at < LOOK:
            return
        self._looked_at = now
        for run in self._store.asked_ownerless():
            _unless_refused(self._engine.attend, run)
        if self._is_news(now):
            self._catalog.reread_standings()
            self._backfilling.step(self._leadership, now)
            self._close_abandoned()
            self._take(now)

    def _look_out(self, now: datetime) -> None:
        if self._looked_out_at is None or not timedelta(0) <= now - self._looked_out_at < LOOK_OUT:
            self._looked_out_at = now
            self._lookout.look(now)

    def _is_news(self, now: datetime) -> bool:
        """Whether something was written since the last look, or that look was long ago."""
        latest = self._store.latest_change()
        is_old = self._saw_all_at is None or not timedelta(0) <= now - self._saw_all_at < LOOK_ANYWAY
        if latest == self._seen and not is_old:
            return False
        self._seen, self._saw_all_at = latest, now
        return True

    def _close_abandoned(self) -> None:
        for run in self._engine.abandoned():
            self._engine.abandon(run)

    def _take(self, now: datetime) -> None:
        if self._engine.is_draining:
            return
        unfinished, owned = self._store.unfinished(), self._owned(now)
        # Whatever holds runs back by now, notebooks that run already are not left alone.
        going_on = self._store.handed_over() - owned
        for run in (*sorted(going_on), *admission.admitted(unfinished, owned | going_on, self._limits())):
            _unless_refused(self._engine.own, run)

    def _owned(self, now: datetime) -> set[RunId]:
        """The runs with an owner that is alive, and those of dead commands, which are not to be continued."""
        return {
            lease.run
            for lease in self._store.owned()
            if lease.is_foreground
            or lease.engine == self._engine.name
            or (self._owners.is_alive(lease, now) and now < lease.expires)
        }

    def _limits(self) -> Limits:
        return Limits(
            max_active=self._catalog.max_active(),
            paused=self._catalog.paused(),
            backfills=self._store.backfilled_runs(),
        )


def _unless_refused(take: Callable[[RunId], object], run: RunId) -> None:
    try:
        take(run)
    except Conflict:  # its owner lives after all, or only another machine can go on with it
        return
