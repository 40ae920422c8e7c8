"""One database, SQLite or PostgreSQL: how it is reached, and what a transaction is. Knows no table."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from nbflow.errors import InvalidInput, MissingExtra, Unavailable
from nbflow.failpoints import failpoint
from nbflow.files import make_private
from nbflow.stores.faults import named_faults
from nbflow.text import fault

PATIENCE = timedelta(seconds=10)
"""How long a writer waits for the one before it. Less than a lease lives, so that waiting alone loses none."""

SILENCE = timedelta(seconds=10)
"""After this the server ends a transaction whose process is frozen or cut off, and with it the writers' lock. Less than
a leader leads without a sign of life, so that one that was stopped in a transaction is followed like any other."""

WRITERS_LOCK = int.from_bytes(b"nbflow")

KEEP_LOG = "PRAGMA journal_mode = WAL"
"""A write-ahead log lets readers and the writer go on side by side; the file itself remembers it."""

_BEGIN_WRITE = {"sqlite": "BEGIN IMMEDIATE", "postgresql": f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})"}
_BEGIN_READ = {"sqlite": "BEGIN"}


class Database:
    """Safe to use from several threads; each transaction has a connection to itself."""

    def __init__(self, url: str, *, patience: timedelta = PATIENCE) -> None:
        parsed = _parse(url)
        shown = parsed.render_as_string(hide_password=True)
        self.url = f"sqlite:///{parsed.database}" if _is_sqlite(parsed) else shown
        self.name = f"database {self.url}"
        self.engine = _sqlite(parsed, patience) if _is_sqlite(parsed) else _postgres(parsed, patience)
        self._kind = self.engine.dialect.name
        self._file = _OpenFile(Path(parsed.database or "")) if _is_sqlite(parsed) else None
        self._reading = (
            self.engine
            if _is_sqlite(parsed)
            else self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        )

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, one writer at a time in the whole database: the numbers of rows are in commit order.

        Raises Unavailable when the wait for the writer before takes longer than the patience.
        """
        self._require_file()
        with named_faults(self.name), self.engine.begin() as connection:
            connection.exec_driver_sql(_BEGIN_WRITE[self._kind])
            yield connection
            failpoint("store.before_commit")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One transaction, whose queries all see the same moment. Never waits for a writer."""
        self._require_file()
        with named_faults(self.name), self._reading.begin() as connection:
            if begin := _BEGIN_READ.get(self._kind):
                connection.exec_driver_sql(begin)
            yield connection

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    def _require_file(self) -> None:
        if self._file is not None and not self._file.is_there:
            raise Unavailable(
                f"{self.name} was removed or replaced while it was open",
                hint="Put the file back, or start nbflow again.",
            )


class _OpenFile:
    """The file of a database as it was opened. SQLite goes on with one that was removed, where nobody finds it."""

    def __init__(self, path: Path) -> None:
        self._path, self._opened = path, _identity(path)

    @property
    def is_there(self) -> bool:
        return _identity(self._path) == self._opened


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = URL.create("")
    if _is_sqlite(parsed) and parsed.database not in {None, "", ":memory:"}:
        path = url.partition(":///")[2].partition("?")[0]
        return parsed.set(database=unquote(path))  # SQLAlchemy decodes the path only since 2.1
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return parsed.set(drivername="postgresql+psycopg")
    raise InvalidInput(
        "runs are kept in a SQLite file or in PostgreSQL",
        where="store.database",
        hint="Write sqlite:///path/to/nbflow.db or postgresql+psycopg://user@host/database.",
    )


def _is_sqlite(url: URL) -> bool:
    return url.drivername in {"sqlite", "sqlite+pysqlite"}


def _sqlite(url: URL, patience: timedelta) -> Engine:
    _make_file(Path(url.database or ""))
    wait = patience.total_seconds()
    # The driver begins no transaction by itself; `Database` does.
    engine = create_engine(url, connect_args={"timeout": wait, "isolation_level": None}, pool_timeout=wait)
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _make_file(path: Path) -> None:
    """Make an empty database that keeps a log, in one step: SQLite may refuse to begin one while others look on."""
    if path.exists():
        return
    try:
        make_private(path.parent)
        with _held(path.parent):
            if not path.exists():
                new = path.with_name(f".{path.name}.new")
                new.unlink(missing_ok=True)
                os.close(os.open(new, os.O_CREAT | os.O_CLOEXEC, 0o600))  # it will have the tokens of live attempts
                with closing(sqlite3.connect(new)) as connection:
                    connection.execute(KEEP_LOG)
                new.rename(path)
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(
            f"cannot make {path}: {fault(error)}", hint="Check the folder's mode, and the disk."
        ) from error


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """One process at a time."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.execute(KEEP_LOG)
    connection.execute("PRAGMA synchronous = FULL")  # an effect follows its commit: that must outlive a power cut
    connection.execute("PRAGMA foreign_keys = ON")


def _postgres(url: URL, patience: timedelta) -> Engine:
    limits = {"lock_timeout": patience, "idle_in_transaction_session_timeout": SILENCE}
    options = [f"-c {name}={each / timedelta(milliseconds=1):.0f}" for name, each in limits.items()]
    given = url.query.get("options", "")
    defaults = {"connect_timeout": f"{patience.total_seconds():.0f}", **_noticing(patience)}
    try:
        return create_engine(
            url,
            connect_args={
                "options": " ".join([*options, *([given] if isinstance(given, str) else given)]),
                **{name: url.query.get(name, each) for name, each in defaults.items()},
            },
            pool_pre_ping=True,  # a server that was restarted is noticed before a transaction, not in it
            pool_timeout=patience.total_seconds(),
        )
    except ModuleNotFoundError:
        raise MissingExtra("a PostgreSQL database", "postgres") from None


def _noticing(patience: timedelta) -> dict[str, str]:
    """A server that is gone without a word, such as one whose machine lost its power, is noticed after the patience:
    the system itself would wait for a quarter of an hour, and for hours where it had all that was sent."""
    probes = {"keepalives_idle": "5", "keepalives_interval": "2", "keepalives_count": "3"}
    return {**probes, "tcp_user_timeout": f"{patience / timedelta(milliseconds=1):.0f}"}
