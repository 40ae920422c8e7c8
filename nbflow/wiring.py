"""Settings → live objects: the only module that knows every adapter."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import unquote, urlsplit

from nbflow import doctor, readiness, run_ref, settings
from nbflow.api import Api, Caller, Entrance, Role
from nbflow.clock import SystemClock
from nbflow.errors import InvalidInput, advised
from nbflow.executors.cores import cores
from nbflow.git import Git
from nbflow.live import LiveRun
from nbflow.model import RunId
from nbflow.notebooks.environment import PROJECT, known_secrets
from nbflow.owners import LockedOwners
from nbflow.ports import SCHEDULER, Drafts, Driver, Leader, Lease, Library, Logs, Message, Notifier, Say
from nbflow.ports.housekeeping import Backups
from nbflow.run import Run
from nbflow.settings import Settings
from nbflow.workspace import FolderWorkspace

if TYPE_CHECKING:  # imported where they are made: commands that only look start sooner without them
    from nbflow.courier import Courier
    from nbflow.engine import Engine
    from nbflow.executors.launch import Warm
    from nbflow.executors.local import LocalExecutor
    from nbflow.housekeeping import Housekeeper
    from nbflow.service import Service
    from nbflow.stores.sql import SqlStore

T = TypeVar("T")

COMMAND = "run"
"""The first part of the names of engines that commands own."""
PATIENCE = timedelta(seconds=10)
"""How long a command that drove a run waits at its end for messages to be sent."""


@dataclass
class Live:
    """One project, opened for one command: use as a context manager, or `close` it."""

    doors: Doors
    api: Api
    driver: LazyDriver

    @property
    def project(self) -> Path:
        return self.doors.project

    @property
    def settings(self) -> Settings:
        return self.doors.settings

    @property
    def trouble(self) -> str:
        """What keeps the run that is driven here from going on, such as a database that is away; mostly empty."""
        return self.driver.trouble

    def interrupt(self) -> None:
        """Cancel the run that is driven here: gracefully, then at once; the third time raises KeyboardInterrupt."""
        self.driver.interrupt()

    def close(self) -> None:
        """End what is held: foreground runners, locks, connections. What a run told people is sent before."""
        if self.driver.has_driven and not self.trouble:
            self._send_messages()
        self.driver.close()
        self.doors.close()

    def _send_messages(self) -> None:
        """For a short while only: what is not sent by then, the scheduler sends, or the next command."""
        stop = Event()
        work, last = self.doors.courier().work, {"is_last": True}
        sending = Thread(target=work, args=(self.doors.clock, stop), kwargs=last, daemon=True)
        sending.start()
        sending.join(PATIENCE.total_seconds())
        stop.set()

    def __enter__(self) -> Live:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Nothing:
    """What there is to see in a store that was never written to; to look there makes none."""

    @staticmethod
    def now(local: datetime) -> datetime:
        return local

    @staticmethod
    def owned() -> Sequence[Lease]:
        return ()

    @staticmethod
    def list_runs(**_: object) -> Sequence[Run]:
        return ()

    @staticmethod
    def find_run(ref: str) -> RunId:
        wants_latest, pipeline = run_ref.latest_of(ref)
        if wants_latest:
            raise run_ref.no_latest(pipeline, ())
        return run_ref.the_one(ref, (), ())

    @staticmethod
    def leader() -> Leader | None:
        return None

    @staticmethod
    def messages(**_: object) -> Sequence[Message]:
        return ()


class LazyStore:
    """The project's store, opened when it is first asked: what never asks makes no file and loads no database.

    `file` is where it is kept; None for a server.
    """

    def __init__(self, url: str, file: Path | None) -> None:
        self._url, self._file = url, file
        self._opened: SqlStore | None = None

    def open(self) -> SqlStore:
        """Raises NbflowError where the database cannot be used."""
        if self._opened is None:
            from nbflow.stores.sql import SqlStore

            self._opened = SqlStore(self._url)
        return self._opened

    def is_begun(self) -> bool:
        """Whether there may be anything in it."""
        return self._file is None or self._file.exists()

    def __getattr__(self, name: str) -> Any:
        return partial(self._ask, name)

    def _ask(self, verb: str, *about: Any, **more: Any) -> Any:
        is_nothing = self._opened is None and hasattr(Nothing, verb) and not self.is_begun()
        return getattr(Nothing if is_nothing else self.open(), verb)(*about, **more)

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()


class LazyDriver:
    """An engine that is made when it is first needed: commands that only look never start an executor."""

    def __init__(self, make: Callable[[], tuple[Engine, LocalExecutor]], by: str) -> None:
        self._make, self._by = make, by
        self._made: tuple[Engine, LocalExecutor] | None = None

    @property
    def engine(self) -> Engine:
        if self._made is None:
            self._made = self._make()
        return self._made[0]

    @property
    def has_driven(self) -> bool:
        """Whether it was needed at all."""
        return self._made is not None

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
        return "" if found is None else advised(str(found), "It is tried again.")

    def close(self) -> None:
        if self._made is not None:
            self._made[1].close()


class Later:
    """Something that is made when it is first used: what never uses it loads nothing for it."""

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make

    @cached_property
    def _made(self) -> object:
        return self._make()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)


def later(make: Callable[[], T]) -> T:
    """What is made, as far as anybody can tell."""
    return cast("T", Later(make))


class Doors:
    """The adapters of one project, from which everything that works on it is made. Close it, or use it by `with`.

    `project` is any folder of the project, by default the current one. Raises NbflowError for settings that are wrong.
    """

    def __init__(self, project: Path | None = None, *, slots: int | None = None) -> None:
        _require_home()
        self.project = settings.find_project((project or Path.cwd()).resolve())
        self.settings = settings.load(self.project, os.environ)
        self.outputs = self.project / self.settings.outputs
        self.workspace = FolderWorkspace(self.project, self.settings)
        self._by_name = FolderWorkspace(self.project, self.settings, takes_paths=False)
        self.store = LazyStore(self.settings.database_url(self.project), self.settings.database_file(self.project))
        self.owners = LockedOwners(self.project / settings.STATE / "engines")
        self.logs, self.notifier = later(self._logs), later(self._notifier)
        self.drafts, self.library, self.backups = later(self._drafts), later(self._library), later(self._backups)
        self.clock = SystemClock()
        self._slots = slots or self.settings.slots

    def api(self, caller: Caller, driver: Driver | None = None) -> Api:
        """What the caller may ask and order.

        Without a driver, as in a web server, nothing is executed in this process, and pipelines go by name alone.
        """
        api = Api(
            caller=caller,
            store=self.store,
            workspace=self.workspace if driver else self._by_name,
            logs=self.logs,
            clock=self.clock,
            driver=driver,
            owners=self.owners,
            pools=self.settings.pools,
            slots=self._slots or cores(),
            notifier=self.notifier,
            channels=self.settings.channels,
            project=self.project.name,
            housekeeper=later(self.housekeeper),
            backups=self.backups,
            is_begun=self.store.is_begun,
            drafts=self.drafts,
            library=self.library,
            versions=Git(),
            checks=doctor.checks(
                project=self.project,
                outputs=self.outputs,
                open_store=self.store.open,
                is_begun=self.store.is_begun,
                store=self.store,
                find_scheduler=lambda: api.scheduler(),
                workspace=self.workspace,
                channels=self.settings.channels,
                find_place=self.owners.known_place,
            ),
        )
        return api

    def _logs(self) -> Logs:
        from nbflow.notebooks.logs import FolderLogs

        return FolderLogs(self.outputs)

    def _notifier(self) -> Notifier:
        from nbflow.notify import AppriseNotifier

        return AppriseNotifier(self.settings.channels, server_url=self.settings.server_url)

    def _drafts(self) -> Drafts:
        from nbflow.workspace.drafts import FolderDrafts

        return FolderDrafts(self.project / settings.STATE / "drafts")

    def _library(self) -> Library:
        from nbflow.workspace.library import FolderLibrary

        return FolderLibrary(self.project, self.settings)

    def _backups(self) -> Backups:
        from nbflow.backup import TarBackups

        return TarBackups(lambda: self.store.open().database, self.outputs, self.workspace.frozen)

    def secrets(self) -> set[str]:
        """Values that no log may show: those of notebooks, addresses of channels, the database's password."""
        from nbflow.notify import secrets_of

        urls = (url for urls in self.settings.channels.values() for url in urls)
        of_channels = {part for url in urls for part in secrets_of(url)}
        password = urlsplit(self.settings.database).password
        of_notebooks = known_secrets({**os.environ, PROJECT: str(self.project)})
        return {*of_notebooks, *of_channels, *([unquote(password), password] if password else [])}

    def housekeeper(self, wait: Callable[[float], object] = time.sleep) -> Housekeeper:
        """What removes runs that are no longer kept."""
        from nbflow.attic import FolderAttic
        from nbflow.housekeeping import Housekeeper
        from nbflow.retention import Retention

        return Housekeeper(
            store=self.store,
            workspace=self.workspace,
            attic=FolderAttic(self.outputs, self.workspace.frozen),
            keep=Retention(age=self.settings.keep_runs, count=self.settings.keep_count),
            wait=wait,
        )

    def courier(self) -> Courier:
        """What sends the messages that wait."""
        from nbflow.courier import Courier

        return Courier(
            store=self.store,
            logs=self.logs,
            notifier=self.notifier,
            server_url=self.settings.server_url,
            slots=self._slots or cores(),
            pools=self.settings.pools,
        )

    def entrance(self) -> Entrance:
        """How strangers become callers, for a process that serves them."""
        return Entrance(self.store, self.clock)

    def probes(self) -> Mapping[str, Callable[[], str]]:
        """Why nbflow is not ready for work, by name; any of them may hang."""
        watch = self.api(Caller(name="readiness", role=Role.VIEWER))
        return readiness.probes(watch, self.outputs, self.settings.database_file(self.project))

    def engine(self, kind: str) -> tuple[Engine, LocalExecutor]:
        """An engine that is known as alive from now on. The notebooks of a scheduler's outlive it."""
        from nbflow.engine import Engine
        from nbflow.executors.local import LocalExecutor

        executor = LocalExecutor(
            outputs=self.outputs,
            frozen=self.workspace.frozen,
            project=self.project,
            slots=self._slots,
            lifeline=kind != SCHEDULER,
            warm=self._warm(),
        )
        engine = Engine(
            name=self.owners.new_name(kind),
            store=self.store,
            executor=executor,
            clock=self.clock,
            owners=self.owners,
            pools=self.settings.pools,
            env=self.settings.template_env(os.environ),
            host=self.owners.place,
        )
        self.owners.hold(engine.name)
        return engine, executor

    def service(self, *, say: Say, is_orphan: Callable[[], bool]) -> Service:
        """The work of a scheduler's process."""
        from nbflow.scheduler import Scheduler
        from nbflow.service import Service

        engine, executor = self.engine(SCHEDULER)
        scheduler = Scheduler(
            store=self.store,
            workspace=self.workspace,
            engine=engine,
            owners=self.owners,
            on_restart=self.settings.on_restart,
        )
        return Service(
            scheduler=scheduler,
            engine=engine,
            executor=executor,
            clock=self.clock,
            courier=self.courier(),
            housekeeper=self.housekeeper(),
            say=say,
            is_orphan=is_orphan,
        )

    def _warm(self) -> Warm | None:
        if self.settings.kernel_start == "cold":
            return None
        from nbflow.executors.launch import Warm

        return Warm(
            preload=self.settings.kernel_preload, idle=self.settings.kernel_idle, spare=self.settings.kernel_spare or 0
        )

    def close(self) -> None:
        """Let go of locks and connections."""
        self.owners.close()
        self.store.close()

    def __enter__(self) -> Doors:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def this_user() -> Caller:
    """The system's user, who may do everything with files that are his own."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that has no name
        name = f"uid {os.getuid()}"
    return Caller(name=name, role=Role.ADMIN)


def _require_home() -> None:
    """Jupyter looks for its kernels and settings there, and fails in odd ways where there is none."""
    try:
        Path.home()
    except RuntimeError:
        raise InvalidInput("there is no home folder", hint="Set HOME to a folder that you may write in.") from None


def open_project(project: Path | None = None, *, slots: int | None = None) -> Live:
    """Everything that one command needs, for the caller who runs it. Raises NbflowError for settings that are wrong."""
    doors = Doors(project, slots=slots)
    caller = this_user()
    driver = LazyDriver(lambda: doors.engine(COMMAND), caller.name)
    return Live(doors=doors, api=doors.api(caller, driver), driver=driver)
