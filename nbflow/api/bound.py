"""A caller with the doors behind the api; every part of the api is made on it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from nbflow.api.roles import Caller
from nbflow.api.views import Check
from nbflow.errors import Conflict
from nbflow.live import LiveRun
from nbflow.model import RunId
from nbflow.ports import (
    Clock,
    Delivery,
    Drafts,
    Driver,
    Letter,
    Library,
    Logs,
    Notifier,
    Outbox,
    Owners,
    PeopleStore,
    ReadStore,
    RunStore,
    ScheduleStore,
    StoredRun,
    Versions,
    Workspace,
)
from nbflow.ports.housekeeping import Backups

if TYPE_CHECKING:
    from nbflow.housekeeping import Housekeeper

START_IT = "Start one with nbflow up."


class Store(RunStore, ReadStore, ScheduleStore, PeopleStore, Outbox, Protocol):
    """All sides of one store."""


class NoNotifier:
    """Where nothing can be sent (ports.Notifier)."""

    def send(self, channel: str, letter: Letter, done: Sequence[str] = ()) -> Delivery:
        return Delivery(done=tuple(done), errors=(f"nothing is there to send to channel '{channel}'",))


class Bound:
    """One caller, and the doors that its reads and commands go through.

    `driver` is None in a process that must not execute anything, such as a web server: the scheduler then does it.
    `is_begun` says whether the store was ever used: who only looks at definitions makes none.
    """

    def __init__(
        self,
        *,
        caller: Caller,
        store: Store,
        workspace: Workspace,
        logs: Logs,
        clock: Clock,
        driver: Driver | None,
        owners: Owners,
        pools: Mapping[str, int] | None = None,
        slots: int = 1,
        notifier: Notifier | None = None,
        channels: Collection[str] = (),
        project: str = "",
        housekeeper: Housekeeper | None = None,
        backups: Backups | None = None,
        checks: Sequence[Callable[[], Check]] = (),
        is_begun: Callable[[], bool] = lambda: True,
        drafts: Drafts | None = None,
        library: Library | None = None,
        versions: Versions | None = None,
    ) -> None:
        self.caller = caller
        self._store, self._workspace, self._logs, self._clock = store, workspace, logs, clock
        self._driver, self._owners = driver, owners
        self._notifier, self._channels, self._project = notifier or NoNotifier(), channels, project
        self._housekeeper, self._backups = housekeeper, backups
        self._pools, self._slots, self._checks = pools or {}, slots, checks
        self._is_begun, self._drafts, self._library, self._versions = is_begun, drafts, library, versions

    def _here(self) -> Driver:
        """What carries runs to their end in this process. Raises Conflict where nothing does."""
        if self._driver is None:
            raise Conflict("nothing is executed in this process, and no scheduler is running", hint=START_IT)
        return self._driver

    def _stored(self, ref: str) -> StoredRun:
        """The run that `ref` means. Raises as `find_run`."""
        return self._store.load(self._store.find_run(ref))

    def _has_owner(self, run: RunId) -> bool:
        """Whether a live engine has the run."""
        lease = self._store.lease(run)
        return lease is not None and self._owners.is_alive(lease, self._store.now(self._clock.now()))

    def _has_scheduler(self) -> bool:
        """Whether a live engine takes the runs that nobody owns."""
        leader = self._store.leader()
        return leader is not None and self._owners.is_alive(leader, self._store.now(self._clock.now()))


def live_run(stored: StoredRun) -> LiveRun:
    """A stored run as the rules read it."""
    return LiveRun(stored.run, stored.pipeline, stored.tasks)
