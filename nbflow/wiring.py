"""Settings → live objects: the only module that knows every adapter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from nbflow.api import Api
from nbflow.engine import Engine
from nbflow.executors.local import LocalExecutor
from nbflow.live import LiveRun
from nbflow.model import RunId
from nbflow.owners import LockedOwners
from nbflow.ports import Lease
from nbflow.run import Run
from nbflow.settings import Settings
from nbflow.stores.sql import SqlStore


@dataclass
class Live:
    """One project, opened: use as a context manager, or `close` it."""

    project: Path
    settings: Settings
    api: Api
    driver: LazyDriver
    store: SqlStore

    def interrupt(self) -> None:
        """Cancel the run that is driven here: gracefully, then at once; the third time raises KeyboardInterrupt."""
        self.driver.interrupt()

    def close(self) -> None:
        """End what is held: foreground runners, locks, connections."""
        self.driver.close()
        self.store.close()

    def __enter__(self) -> Live:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LazyDriver:
    """An engine that is made when it is first needed: commands that only look never start an executor."""

    def __init__(self, make: Callable[[], tuple[Engine, LocalExecutor]], owners: LockedOwners, by: str) -> None:
        self._make, self._owners, self._by = make, owners, by
        self._made: tuple[Engine, LocalExecutor] | None = None

    @property
    def engine(self) -> Engine:
        if self._made is None:
            self._made = self._make()
            self._owners.hold(self._made[0].name)
        return self._made[0]

    def lease(self, run: RunId, now: datetime) -> Lease:
        return self.engine.lease(run, now)

    def drive(self, run: RunId, watch: Callable[[LiveRun], None] | None = None) -> Run:
        return self.engine.drive(run, watch)

    def close_abandoned(self) -> Sequence[RunId]:
        return self.engine.close_abandoned()

    def interrupt(self) -> None:
        if self._made is not None:
            self._made[0].interrupt(self._by)

    def close(self) -> None:
        if self._made is not None:
            self._made[1].close()
        self._owners.close()
