"""Two ways to start a guard: as a new program, or forked by a server that has everything imported. The same guard."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Protocol

import nbflow
from nbflow.executors.worker import command
from nbflow.notebooks.environment import IDLE, PRELOAD, PROJECT, SPARE, START

UNKNOWN = 255
"""Exit code of a guard whose server died before it could tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    """Guards and kernels are forked: what the kernels' server imports besides, how long a server stays unused, and how
    many processes it forks ahead."""

    preload: tuple[str, ...] = ()
    idle: timedelta = timedelta(minutes=10)
    spare: int = 0

    def variables(self) -> dict[str, str]:
        about = {PRELOAD: ",".join(self.preload), IDLE: f"{self.idle.total_seconds():g}", SPARE: str(self.spare)}
        return {START: "warm", **about}


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What a guard is started with. `status` and `lifeline` are descriptors of ours that it shall have."""

    folder: Path
    project: Path
    log: Path
    environment: Mapping[str, str]
    status: int
    lifeline: int | None = None
    is_closing: bool = False
    """End an attempt instead of running it."""


class Guard(Protocol):
    """A started guard. `returncode` is None until `poll` has seen its end."""

    returncode: int | None

    def poll(self) -> int | None: ...

    def wait(self, timeout: float) -> int | None:
        """Until its end was seen. Raises TimeoutExpired."""
        ...


def by_exec(launch: Launch) -> subprocess.Popen[bytes]:
    """Raises OSError."""
    options = ["--status", str(launch.status), *(["--close"] if launch.is_closing else [])]
    inherited = [launch.status]
    if launch.lifeline is not None:
        options += ["--lifeline", str(launch.lifeline)]
        inherited.append(launch.lifeline)
    with launch.log.open("ab") as log:
        return subprocess.Popen(
            command(launch.folder, *options),
            pass_fds=inherited,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=launch.project,
            env=dict(launch.environment),
        )


def by_fork(launch: Launch, warm: Warm) -> ForkedGuard:
    """Raises OSError. Does not wait: a server that is just starting forks when it has done its imports."""
    from nbflow.notebooks import servers

    limits = ["--idle", f"{warm.idle.total_seconds():g}", "--spare", str(warm.spare)]
    server = [sys.executable, "-P", "-m", "nbflow.executors.attemptserver", *limits]
    env = {name: value for name, value in launch.environment.items() if not name.startswith("NBFLOW_")}
    connection = servers.reach(servers.address("attempt", [*server, _edition()], env), server, env)
    try:
        with launch.log.open("ab") as log:
            given = [log.fileno(), launch.status, *([] if launch.lifeline is None else [launch.lifeline])]
            servers.ask(
                connection,
                launch.environment,
                given,
                folder=str(launch.folder),
                project=str(launch.project),
            )
    except BaseException:
        connection.close()
        raise
    connection.setblocking(False)
    return ForkedGuard(connection)


@cache
def _edition() -> str:
    """Of the code that this process runs: a server of another edition is another server."""
    package = Path(nbflow.__file__).parent
    return str(max(file.stat().st_mtime_ns for file in package.rglob("*.py")))


@dataclass(slots=True)
class ForkedGuard:
    """A guard that is no child of ours: its server tells of its end, unless it has done so itself."""

    connection: socket.socket
    returncode: int | None = None
    _heard: bytes = field(default=b"", init=False)

    def poll(self) -> int | None:
        while self.returncode is None:
            try:
                data = self.connection.recv(4096)
            except BlockingIOError:
                return None
            except OSError:
                data = b""
            self._hear(data)
        return self.returncode

    def wait(self, timeout: float) -> int | None:
        deadline, news = time.monotonic() + timeout, select.poll()
        while self.poll() is None:
            news.register(self.connection, select.POLLIN)
            left = deadline - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired("guard", timeout)
            news.poll(1000 * left)
        return self.returncode

    def _hear(self, data: bytes) -> None:
        *lines, self._heard = (self._heard + data).split(b"\n")
        exits = [answer["exit"] for answer in map(json.loads, lines) if "exit" in answer]
        if exits or not data:
            self.end(exits[0] if exits else UNKNOWN)

    def end(self, code: int) -> None:
        """It has ended with this exit code, or is about to: nothing more is waited for."""
        self.returncode = code
        self.connection.close()


def environment(project: Path, warm: Warm | None) -> dict[str, str]:
    """What every guard gets of ours."""
    mode = {START: "cold"} if warm is None else warm.variables()
    return {**os.environ, PROJECT: str(project), **mode}
