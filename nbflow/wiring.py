"""Settings → live objects: the only module that knows every adapter."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from nbflow import doctor, settings
from nbflow.api import Api, Caller, Role
from nbflow.clock import SystemClock
from nbflow.engine import Engine
from nbflow.errors import InvalidInput
from nbflow.executors.launch import Warm
from nbflow.executors.local import LocalExecutor, cores
from nbflow.live import LiveRun
from nbflow.model import RunId
from nbflow.notebooks.logs import FolderLogs
from nbflow.owners import LockedOwners, new_engine_name, this_host
from nbflow.ports import Lease
from nbflow.run import Run
from nbflow.settings import Settings
from nbflow.workspace import FolderWorkspace

if TYPE_CHECKING:
    from nbflow.stores.sql import SqlStore


@dataclass
class Live:
    """One project, opened: use as a context manager, or `close` it."""

    project: Path
    settings: Settings
    api: Api
    driver: LazyDriver
    store: LazyStore

    @property
    def trouble(self) -> str:
        """What keeps the run that is driven here from going on, such as a database that is away; mostly empty."""
        return self.driver.trouble

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


class LazyStore:
    """The project's store, opened when it is first asked: what never asks makes no file and loads no database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: SqlStore | None = None

    def open(self) -> SqlStore:
        """Raises NbflowError where the database cannot be used."""
        if self._opened is None:
            from nbflow.stores.sql import SqlStore

            self._opened = SqlStore(self._url)
        return self._opened

    def __getattr__(self, name: str) -> Any:
        return getattr(self.open(), name)

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()


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

    @property
    def trouble(self) -> str:
        found = None if self._made is None else self._made[0].trouble
        return "" if found is None else f"{str(found).rstrip('.')}. It is tried again."

    def close(self) -> None:
        if self._made is not None:
            self._made[1].close()
        self._owners.close()


def _user() -> str:
    """Who calls; a container may run as a number that has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _require_home() -> None:
    """Jupyter looks for its kernels and settings there, and fails in odd ways where there is none."""
    try:
        Path.home()
    except RuntimeError:
        raise InvalidInput("there is no home folder", hint="Set HOME to a folder that you may write in.") from None


def open_project(project: Path | None = None, *, slots: int | None = None) -> Live:
    """Everything that one command needs, for the caller who runs it. Raises NbflowError for settings that are wrong.

    `project` is any folder of the project, by default the current one.
    """
    _require_home()
    root = settings.find_project((project or Path.cwd()).resolve())
    chosen = settings.load(root, os.environ)
    outputs = root / chosen.outputs
    workspace = FolderWorkspace(root, chosen)
    store = LazyStore(chosen.database_url(root))
    owners = LockedOwners(root / ".nbflow" / "engines")
    clock = SystemClock()
    user = _user()

    def make() -> tuple[Engine, LocalExecutor]:
        executor = LocalExecutor(
            outputs=outputs,
            frozen=workspace.frozen,
            project=root,
            slots=slots or chosen.slots,
            lifeline=True,
            warm=Warm(preload=chosen.kernel_preload, idle=chosen.kernel_idle)
            if chosen.kernel_start == "warm"
            else None,
        )
        engine = Engine(
            name=new_engine_name("run"),
            store=store,
            executor=executor,
            clock=clock,
            owners=owners,
            pools=chosen.pools,
            env=chosen.template_env(os.environ),
            host=this_host(),
        )
        return engine, executor

    driver = LazyDriver(make, owners, user)
    api = Api(
        caller=Caller(name=user, role=Role.ADMIN),
        store=store,
        workspace=workspace,
        logs=FolderLogs(outputs),
        clock=clock,
        driver=driver,
        owners=owners,
        pools=chosen.pools,
        slots=slots or chosen.slots or cores(),
        checks=doctor.checks(project=root, outputs=outputs, open_store=store.open, workspace=workspace),
    )
    return Live(project=root, settings=chosen, api=api, driver=driver, store=store)
