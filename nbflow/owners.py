"""Which engines of one place are alive: each holds a lock on a file of its own name for as long as it lives.

A place is a project folder on a machine. Two checkouts may share a database, and two machines a name; what an engine of
another place does cannot be seen here, whatever its machine is called.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from nbflow.files import make_private, write_new
from nbflow.ports import Held, host_of


class LockedOwners:
    """Locks in one folder. The kernel frees a lock however its holder dies, so a free lock proves death."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._mark = folder, folder / "place"
        self._known: str | None = None
        self._held: dict[str, int] = {}

    @property
    def place(self) -> str:
        """The machine's name, and some letters for the folder: `web-1:3f9a1c`. Kept with the folder from now on."""
        while (found := self.known_place()) is None:
            make_private(self._folder)
            with contextlib.suppress(FileExistsError):  # another process was quicker
                write_new(self._mark, uuid4().hex)
        return found

    def known_place(self) -> str | None:
        """None where no engine ever was. A copy of the folder is another place, and so is one on another machine."""
        if self._known is None:
            with contextlib.suppress(FileNotFoundError):
                mark = sha256(f"{self._mark.read_text()} {self._folder.resolve()}".encode())
                self._known = f"{socket.gethostname()}:{mark.hexdigest()[:6]}"
        return self._known

    def new_name(self, kind: str) -> str:
        """Unique, and says who and where: `run@web-1:3f9a1c.1234.b07c55` (see `ports.host_of`)."""
        return f"{kind}@{self.place}.{os.getpid()}.{uuid4().hex[:6]}"

    def hold(self, engine: str) -> None:
        make_private(self._folder)
        path = self._file(engine)
        while engine not in self._held:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(os.fstat(fd), path.stat()):
                self._held[engine] = fd
            else:  # it was swept before it was locked
                os.close(fd)

    def is_alive(self, held: Held, now: datetime) -> bool:
        if held.engine in self._held:
            return True
        try:
            if host_of(held.engine) == self.known_place():
                return self._is_locked(self._file(held.engine))
        except OSError:  # another user's file, or no descriptor left: it cannot be known from here
            pass
        return now < held.expires

    def close(self) -> None:
        """Let go of all locks, and sweep the files that nobody holds."""
        for engine, fd in self._held.items():
            self._file(engine).unlink(missing_ok=True)
            os.close(fd)
        self._held.clear()
        with contextlib.suppress(OSError):  # a folder that another user made
            for path in self._folder.glob("*.lock"):
                self._sweep(path)

    def _sweep(self, path: Path) -> None:
        """Remove the file of an engine that was killed."""
        with contextlib.suppress(OSError):  # a living one holds it, or somebody else has removed it
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(fd)

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
