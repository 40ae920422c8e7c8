"""Addresses of databases, and the names of their faults. No database is needed for either."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import psycopg.errors
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from nbflow.errors import Conflict, InvalidInput, NbflowError, Unavailable
from nbflow.settings import Settings
from nbflow.stores.database import Database
from nbflow.stores.faults import named_faults


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://ada@host/db", "postgresql+psycopg://ada@host/db"),
        ("postgresql://ada:secret@host:5433/db", "postgresql+psycopg://ada:***@host:5433/db"),
        ("postgres://host/db", "postgresql+psycopg://host/db"),
    ],
)
def test_an_address_of_postgresql_needs_no_driver(url: str, shown: str) -> None:
    database = Database(url)
    assert database.url == shown
    database.close()


@pytest.mark.parametrize(
    "url",
    ["", "nbflow.db", "mysql://host/db", "sqlite://", "sqlite:///:memory:", "postgresql+psycopg2://host/db", "://"],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="SQLite file or in PostgreSQL") as caught:
        Database(url)
    assert caught.value.where == "store.database"
    assert "sqlite:///" in caught.value.hint


def test_no_file_is_made_for_a_refused_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput):
        Database("sqlite:///:memory:")
    assert list(tmp_path.iterdir()) == []


def test_the_path_of_a_file_may_have_any_characters(tmp_path: Path) -> None:
    """A `?` begins the query of a URL; the file must not land beside the project because a folder's name has one."""
    project = tmp_path / "what? 100% #1 %41 é"
    database = Database(Settings().database_url(project))
    database.close()
    assert (project / ".nbflow" / "nbflow.db").is_file()
    assert [each.name for each in tmp_path.iterdir()] == [project.name]
    assert database.url == f"sqlite:///{project}/.nbflow/nbflow.db"


def of_sqlite(name: str, kind: type[DBAPIError] = OperationalError) -> DBAPIError:
    fault = sqlite3.OperationalError("what the driver said")
    fault.sqlite_errorname = name
    return kind("INSERT", {}, fault)


def of_postgres(fault: psycopg.Error, kind: type[DBAPIError] = OperationalError) -> DBAPIError:
    return kind("INSERT", {}, fault)


@pytest.mark.parametrize(
    ("fault", "named", "says"),
    [
        (of_sqlite("SQLITE_BUSY"), Unavailable, "Another process"),
        (of_sqlite("SQLITE_BUSY_SNAPSHOT"), Unavailable, "Another process"),
        (of_sqlite("SQLITE_FULL"), Unavailable, "Make room"),
        (of_sqlite("SQLITE_IOERR_WRITE"), Unavailable, "disk"),
        (of_sqlite("SQLITE_READONLY_DIRECTORY"), Unavailable, "mode"),
        (of_sqlite("SQLITE_CORRUPT"), InvalidInput, "damaged"),
        (of_sqlite("SQLITE_CONSTRAINT_UNIQUE", IntegrityError), Conflict, "refuses the write: what the driver said"),
        (of_postgres(psycopg.OperationalError("the connection is closed")), Unavailable, "server runs"),
        (of_postgres(psycopg.errors.DiskFull("no space\nDETAIL: left")), Unavailable, "no space. The server is short"),
        (of_postgres(psycopg.errors.LockNotAvailable("timeout")), Unavailable, "Another process"),
        (of_postgres(psycopg.errors.AdminShutdown("terminating")), Unavailable, "try again"),
        (of_postgres(psycopg.errors.TooManyConnections("sorry")), Unavailable, "short of disk, memory or connections"),
        (of_postgres(psycopg.errors.ReadOnlySqlTransaction("cannot")), Unavailable, "primary"),
        (of_postgres(psycopg.errors.InsufficientPrivilege("not you"), ProgrammingError), Unavailable, "Give its user"),
        (of_postgres(psycopg.errors.UniqueViolation("twice"), IntegrityError), Conflict, "twice"),
        (NoConnectionFree("QueuePool limit"), Unavailable, "no connection free"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_fault_from_outside_is_named(fault: Exception, named: type[NbflowError], says: str) -> None:
    with pytest.raises(named, match=f"^database x .*{says}") as caught, named_faults("database x"):
        raise fault
    assert type(caught.value) is named
    assert caught.value.__cause__ is fault


@pytest.mark.parametrize(
    "fault",
    [
        of_sqlite("SQLITE_ERROR"),
        of_postgres(psycopg.errors.UndefinedTable("no table"), ProgrammingError),
        of_postgres(psycopg.ProgrammingError("wrong use"), ProgrammingError),
        of_postgres(psycopg.errors.InFailedSqlTransaction("aborted")),
        KeyError("x"),
    ],
    ids=lambda fault: type(getattr(fault, "orig", fault)).__name__,
)
def test_a_fault_of_our_own_is_not_dressed_up(fault: Exception) -> None:
    with pytest.raises(type(fault)) as caught, named_faults("database x"):
        raise fault
    assert caught.value is fault


def test_a_file_that_was_removed_or_replaced_is_not_written_to(tmp_path: Path) -> None:
    """What is written to a removed file is lost, and other processes would use another one meanwhile."""
    file, aside = tmp_path / "nbflow.db", tmp_path / "aside.db"
    database = Database(f"sqlite:///{file}")
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE words (word)")
    file.rename(aside)
    for access in (database.read, database.write):
        with pytest.raises(Unavailable, match="was removed or replaced"), access():
            pass
    Database(f"sqlite:///{file}").close()
    with pytest.raises(Unavailable, match="was removed or replaced"), database.read():
        pass
    aside.replace(file)
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO words VALUES ('back')")
    database.close()


def test_a_server_needs_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any, **__: Any) -> None:
        raise ModuleNotFoundError("No module named 'psycopg'")

    monkeypatch.setattr("nbflow.stores.database.create_engine", missing)
    with pytest.raises(InvalidInput, match=r'pip install "nbflow\[postgres\]"'):
        Database("postgresql://host/db")


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the sockets of this process through /proc")
def test_a_server_that_vanishes_without_a_word_is_noticed_within_seconds() -> None:
    """The promise is the system's; it is asked for with every connection."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(_open, f"postgresql://127.0.0.1:{server.getsockname()[1]}/db")
        connection, its_address = server.accept()
        with connection, closing(_socket_at(its_address)) as ours:
            limits = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
            asked_for = [ours.getsockopt(socket.IPPROTO_TCP, limit) for limit in limits]
        with pytest.raises(Unavailable):
            asking.result()
    assert asked_for == [5, 2, 3, 10_000]


def _open(url: str) -> None:
    with Database(url).read():
        pass


def _socket_at(address: object) -> socket.socket:
    """A second descriptor of this process's socket that has the address."""
    for number in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # closed since
            if stat.S_ISSOCK(number.stat().st_mode):
                found = socket.socket(fileno=os.dup(int(number.name)))
                if found.getsockname() == address:
                    return found
                found.close()
    raise LookupError(address)
