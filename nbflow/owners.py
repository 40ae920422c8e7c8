"""Which engines of this machine are alive: each holds a lock on a file of its own name for as long as it lives."""

from __future__ import annotations

import fcntl
import os
import socket
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from nbflow.ports import Held


def this_host() -> str:
    return socket.gethostname()


def new_engine_name(kind: str) -> str:
    """Unique, and says who and where: `run@host.1234.3f9a1c`."""
    return f"{kind}@{this_host()}.{os.getpid()}.{uuid4().hex[:6]}"


class LockedOwners:
    """Locks in one folder. The kernel frees a lock however its holder dies, so a free lock proves death."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def hold(self, engine: str) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self._file(engine), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        self._held[engine] = fd

    def is_alive(self, held: Held, now: datetime) -> bool:
        if held.engine in self._held:
            return True
        if _host_of(held.engine) != this_host():
            return now < held.expires
        return self._is_locked(self._file(held.engine))

    def close(self) -> None:
        """Let go of all locks, and sweep the files that nobody holds."""
        for engine, fd in self._held.items():
            self._file(engine).unlink(missing_ok=True)
            os.close(fd)
        self._held.clear()

    def _file(self, engine: str) -> Path:
        return self._folder / f"{engine}.lock"

    def _is_locked(self, path: Path) -> bool:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False


def _host_of(engine: str) -> str:
    return engine.partition("@")[2].rsplit(".", 2)[0]
