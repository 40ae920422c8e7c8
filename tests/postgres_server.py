"""A PostgreSQL server for tests: a temporary folder, a Unix socket in it, no network, and gone at the end.

The fixture `postgres` is the session's server. Where PostgreSQL is not installed, tests that need it are skipped on a
laptop and fail in CI.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    import psycopg

ACCOUNT = "postgres"
"""PostgreSQL refuses to run as root; then it runs as this user."""

SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "timezone": "Asia/Kathmandu",  # no result may depend on the server's zone
}


@dataclass
class PostgresServer:
    """A running server, used as its superuser."""

    folder: Path
    process: subprocess.Popen[bytes]
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{ACCOUNT}@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """Make an empty database; returns its name. It goes with the server."""
        name = f"nbflow_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    def cut_connections(self, database: str) -> None:
        """End every connection to a database, as a restart of the server would."""
        self.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{database}'")

    def execute(self, statement: str) -> None:
        with self.connect("postgres") as connection:
            connection.execute(statement)

    @contextmanager
    def connect(self, database: str) -> Iterator[psycopg.Connection]:
        """A connection of the test's own, where each statement is a transaction."""
        import psycopg

        with psycopg.connect(host=str(self.folder), user=ACCOUNT, dbname=database, autocommit=True) as connection:
            yield connection


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The session's PostgreSQL server."""
    programs = find_programs() or refuse()
    with tempfile.TemporaryDirectory(prefix="nbflow-pg-", ignore_cleanup_errors=True) as folder:
        server = start(programs, Path(folder))
        try:
            yield server
        finally:
            stop(server)


def refuse() -> NoReturn:
    message = "PostgreSQL is not installed: apt install postgresql"
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(message)
    pytest.skip(message)


def find_programs() -> Path | None:
    """The folder of `initdb` and `postgres`, of the newest version."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    found = [*debian, *([Path(on_path).resolve().parent] if on_path else [])]
    return next((folder for folder in found if (folder / "initdb").exists()), None)


def start(programs: Path, folder: Path) -> PostgresServer:
    """Make a database cluster in `folder` and start its server; returns when it answers."""
    if os.getuid() == 0:
        shutil.chown(folder, ACCOUNT, ACCOUNT)
    data = folder / "data"
    initdb = [str(programs / "initdb"), f"--pgdata={data}", f"--username={ACCOUNT}", "--auth=trust"]
    subprocess.run(
        [*_as_account(), *initdb, "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"],
        check=True, capture_output=True, cwd=folder, timeout=120,
    )  # fmt: skip
    settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
    command = [str(programs / "postgres"), "-D", str(data), f"--unix_socket_directories={folder}", *settings]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*_as_account("--pdeathsig", "QUIT"), *command], stdout=log, stderr=log, cwd=folder)
    server = PostgresServer(folder, process)
    try:
        _wait_for(server)
    except BaseException:
        stop(server)
        raise
    return server


def stop(server: PostgresServer) -> None:
    """End the server, first in an orderly way; it is this process's own child."""
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        server.process.send_signal(how)
        try:
            server.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            continue
        return


def _as_account(*options: str) -> Sequence[str]:
    """A command prefix. Where this process dies unasked, `--pdeathsig` ends the server too."""
    if os.getuid() == 0:
        return ("setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--init-groups", *options, "--")
    return ("setpriv", *options, "--") if options and shutil.which("setpriv") else ()


def _wait_for(server: PostgresServer) -> None:
    import psycopg

    deadline = time.monotonic() + 60
    while True:
        try:
            server.execute("SELECT 1")
        except psycopg.OperationalError:
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((server.folder / "log").read_text()) from None
            time.sleep(0.05)
        else:
            return
