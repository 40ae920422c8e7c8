"""Checks of an installation and a project, each with what to do about it. Only looks; mends nothing."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from nbflow.api import Check, SchedulerView
from nbflow.errors import InvalidInput, NbflowError
from nbflow.ports import MessageState, Outbox, Workspace
from nbflow.settings import STATE
from nbflow.text import counted, fault, join_names, seconds_text

LOW_DISK = 1024**3
"""Bytes below which `doctor` warns: a gibibyte holds the outputs of one careless cell."""

MEND = "Change its owner or mode."

MOST_MESSAGES = 100
"""Messages in trouble that are looked at."""

SKEW = 5.0
"""Seconds by which the machine's clock may differ from the database's."""


class Written(Protocol):
    """A database that is open. Its text says where it is."""

    def try_to_write(self) -> None: ...


class Store(Outbox, Protocol):
    """Messages, and the time that the database has."""

    def now(self, local: datetime) -> datetime: ...


def checks(
    *,
    project: Path,
    outputs: Path,
    open_store: Callable[[], Written],
    is_begun: Callable[[], bool],
    store: Store,
    find_scheduler: Callable[[], SchedulerView | None],
    workspace: Workspace,
    channels: Mapping[str, Sequence[str]] | None = None,
    find_place: Callable[[], str | None] = lambda: None,
) -> Sequence[Callable[[], Check]]:
    """The checks of one project, in the order in which a person would look.

    `find_place` gives what engines call the folder on this machine, if one ever ran here.
    """
    looks: dict[str, Callable[[], Check]] = {
        "system": _system,
        "project folder": lambda: _project(project, find_place),
        "database": lambda: _database(open_store, is_begun),
        "clock": lambda: _clock(store),
        "scheduler": lambda: _scheduler(find_scheduler()),
        "outputs folder": lambda: _private("outputs folder", outputs),
        "disk": lambda: _disk(outputs),
        "kernel sockets": _sockets,
        "secrets": lambda: _secrets(project / ".nbflow" / "secrets.toml"),
        "kernels": _python_kernel,
        "pipelines": lambda: _manifests(workspace),
        "alerts": lambda: _alerts(channels or {}, store),
    }
    return tuple(partial(_looked, name, look) for name, look in looks.items())


def _looked(name: str, look: Callable[[], Check]) -> Check:
    """What a look finds; whatever keeps it from its end is a finding as well, and hides no other."""
    try:
        return look()
    except NbflowError as error:
        return Check(name=name, is_fine=False, message=error.message, hint=error.hint)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        hint = MEND if isinstance(error, PermissionError) else ""
        return Check(name=name, is_fine=False, message=f"{place}{fault(error)}", hint=hint)
    except Exception as error:
        return Check(name=name, is_fine=False, message=f"{type(error).__name__}: {error}")


def _system() -> Check:
    return Check(name="system", is_fine=True, message=f"Python {platform.python_version()} on {platform.platform()}")


def _project(path: Path, find_place: Callable[[], str | None]) -> Check:
    """The project's folder, and below it those that nbflow keeps its own things in."""
    own = (_private("project folder", path / STATE / each) for each in ("", "engines", "frozen"))
    found = next((each for each in own if not each.is_fine), _folder("project folder", path))
    place = find_place() if found.is_fine else None
    return replace(found, message=f"{found.message}, known as {place}") if place else found


def _folder(name: str, path: Path) -> Check:
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    if os.access(existing, os.W_OK | os.X_OK):
        return Check(name=name, is_fine=True, message=str(path))
    return Check(name=name, is_fine=False, message=f"{existing} is not writable", hint=MEND)


def _private(name: str, path: Path) -> Check:
    """The same of a folder that nbflow makes for its own user alone; one that was there before has kept its mode."""
    found = _folder(name, path)
    if not found.is_fine or not _is_open(path):
        return found
    message = f"other users of this machine can look into {path}, where executed notebooks and keys lie"
    return Check(name=name, is_fine=False, message=message, hint=f"Close it: chmod o-rwx {shlex.quote(str(path))}")


def _is_open(path: Path) -> bool:
    """Whether users outside its group reach it, through all that lies above it."""
    if not path.exists():
        return False
    way = path.resolve()
    return bool(way.stat().st_mode & stat.S_IRWXO) and all(each.stat().st_mode & stat.S_IXOTH for each in way.parents)


def _database(open_store: Callable[[], Written], is_begun: Callable[[], bool]) -> Check:
    if not is_begun():
        return Check(name="database", is_fine=True, message="none yet; the first run makes it")
    store = open_store()
    store.try_to_write()
    return Check(name="database", is_fine=True, message=str(store))


def _clock(store: Store) -> Check:
    local = datetime.now(UTC)
    ahead = (local - store.now(local)).total_seconds()
    if abs(ahead) < SKEW:
        return Check(name="clock", is_fine=True, message=f"{local.astimezone():%Y-%m-%d %H:%M:%S %Z}")
    message = f"{seconds_text(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the database's"
    return Check(
        name="clock", is_fine=False, message=message, hint="Runs start by the scheduler's clock: set both right."
    )


def _scheduler(found: SchedulerView | None) -> Check:
    if found is None:
        message = "none is running; nbflow up starts the runs of schedules"
        return Check(name="scheduler", is_fine=True, message=message)
    if not found.is_alive:
        message = f"{found.engine} is gone without a word, last seen {found.expires:%Y-%m-%d %H:%M} UTC"
        return Check(name="scheduler", is_fine=False, message=message, hint="Start another: nbflow up.")
    if found.silence is not None:
        message = f"{found.engine} gave its last sign of life {seconds_text(found.silence.total_seconds())} ago"
        hint = "It is stopped, or cannot write to the database: look at its process and its log."
        return Check(name="scheduler", is_fine=False, message=message, hint=hint)
    return Check(name="scheduler", is_fine=True, message=f"{found.engine} leads")


def _disk(outputs: Path) -> Check:
    existing = next(parent for parent in (outputs, *outputs.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    message = f"{free / 1024**3:.1f} GiB free"
    if free > LOW_DISK:
        return Check(name="disk", is_fine=True, message=message)
    return Check(name="disk", is_fine=False, message=message, hint="Make room: a run whose disk is full fails.")


def _sockets() -> Check:
    from nbflow.notebooks import sockets

    folder = sockets.make("doctor")
    sockets.remove("doctor")
    return Check(name="kernel sockets", is_fine=True, message=str(folder.parent))


def _secrets(path: Path) -> Check:
    from nbflow.notebooks.environment import read_secrets_file

    if not path.exists():
        return Check(name="secrets", is_fine=True, message=f"none ({path} does not exist)")
    try:
        read_secrets_file(path)
    except InvalidInput as error:
        return Check(name="secrets", is_fine=False, message=f"{path}: {error.message}", hint=error.hint)
    return Check(name="secrets", is_fine=True, message=str(path))


def _python_kernel() -> Check:
    from nbflow.notebooks.kernelspecs import find_spec, installed, interpreter_of

    found, install = installed(), f"{sys.executable} -m ipykernel install --sys-prefix"
    if "python3" not in found:
        return Check(name="kernels", is_fine=False, message="there is no kernel 'python3'", hint=install)
    spec = find_spec("python3")
    program = interpreter_of(spec)
    try:
        trouble, hint = _trouble_with(program), f"{program} -m pip install ipykernel"
    except OSError as error:  # mostly the interpreter of an environment that was removed
        trouble, hint = f"{error.strerror}, says {spec.resource_dir}", f"Remove that folder, or: {install}"
    if trouble:
        return Check(name="kernels", is_fine=False, message=f"{program}: {trouble}", hint=hint)
    return Check(name="kernels", is_fine=True, message=", ".join(found))


def _trouble_with(program: str) -> str:
    """Why an interpreter cannot be a kernel's; empty where it can. Raises OSError where it is not there."""
    with tempfile.TemporaryDirectory() as empty:
        tried = subprocess.run(
            [program, "-c", "import ipykernel"], cwd=empty, capture_output=True, text=True, check=False
        )
    lines = tried.stderr.strip().splitlines() or ["it does not start"]
    return lines[-1] if tried.returncode else ""


def _manifests(workspace: Workspace) -> Check:
    definitions = workspace.definitions()
    broken = [each for each in definitions if each.pipeline is None]
    if broken:
        names = ", ".join(str(each.path) for each in broken)
        return Check(name="pipelines", is_fine=False, message=f"cannot be used: {names}", hint="nbflow validate")
    return Check(name="pipelines", is_fine=True, message=f"{len(definitions)} found")


def _alerts(channels: Mapping[str, Sequence[str]], store: Store) -> Check:
    """Whether every address can be used, and every message could be sent."""
    from nbflow.notify import unknown_addresses

    if wrong := unknown_addresses(channels):
        message = f"Apprise does not understand {join_names(wrong)}"
        return Check(name="alerts", is_fine=False, message=message, hint="Correct the addresses in nbflow.toml.")
    troubled = store.messages(only_troubled=True, limit=MOST_MESSAGES)
    if troubled:
        lost = sum(each.state is MessageState.DROPPED for each in troubled)
        latest = troubled[0]
        message = (
            f"{counted(len(troubled) - lost, 'message')} could not be sent yet, {lost} were given up; "
            f"the latest, {latest.id}: {latest.error}"
        )
        hint = f"Mend the channel, and try it: nbflow alerts test {latest.channel}"
        return Check(name="alerts", is_fine=False, message=message, hint=hint)
    return Check(name="alerts", is_fine=True, message=join_names(sorted(channels)) or "no channel")
