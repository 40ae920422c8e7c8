"""The SQL store on SQLite and on a real PostgreSQL server."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from postgres_server import PostgresServer
from sql_contract import DEADLINE, Open, SqlContract
from sqlalchemy import event

from nbflow.errors import InvalidInput, Unavailable
from nbflow.model import RunId
from nbflow.stores.database import WRITERS_LOCK, Database
from nbflow.stores.migrations import HEAD
from nbflow.stores.schema import metadata
from nbflow.stores.sql import SqlStore
from nbflow.testing.samples import NOW, TTL, add, full_change, save
from nbflow.testing.store_contract import everything


@pytest.fixture
def open_store() -> Iterator[Open]:
    opened: list[SqlStore] = []

    def open_one(url: str, **about: Any) -> SqlStore:
        opened.append(SqlStore(url, **about))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture(scope="module")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "nbflow.db"
    SqlStore(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    """Name of the one that the tests share; a new one for each takes half a second."""
    name = postgres.new_database()
    SqlStore(postgres.url(name)).close()
    return name


class TestSqlite(SqlContract):
    @pytest.fixture
    def path(self, empty_file: Path, tmp_path: Path) -> Path:
        path = tmp_path / "nbflow.db"
        path.write_bytes(empty_file.read_bytes())
        return path

    @pytest.fixture
    def url(self, path: Path) -> str:
        return f"sqlite:///{path}"

    @pytest.fixture
    def new_url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/new/nbflow.db"

    @pytest.fixture
    def busy(self, path: Path) -> Callable[[], Any]:
        @contextmanager
        def writing() -> Iterator[None]:
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                yield

        return writing

    def test_a_new_one_is_only_for_its_owner(self, new_url: str, tmp_path: Path, open_store: Open) -> None:
        add(open_store(new_url))
        folder = tmp_path / "new"
        assert folder.stat().st_mode & 0o777 == 0o700
        modes = {each.name: each.stat().st_mode & 0o777 for each in folder.iterdir()}
        assert modes == {"nbflow.db": 0o600, "nbflow.db-wal": 0o600, "nbflow.db-shm": 0o600}

    def test_a_new_file_keeps_a_log_before_anybody_can_open_it(self, tmp_path: Path) -> None:
        """Of processes that open a new file at once and switch it then, some are told that it is locked."""
        Database(f"sqlite:///{tmp_path}/nbflow.db").close()
        assert [each.name for each in tmp_path.iterdir()] == ["nbflow.db"]
        with closing(sqlite3.connect(tmp_path / "nbflow.db")) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    def test_what_a_crash_left_of_a_new_file_is_in_nobodys_way(self, tmp_path: Path, open_store: Open) -> None:
        (tmp_path / ".nbflow.db.new").write_text("half a file")
        add(open_store(f"sqlite:///{tmp_path}/nbflow.db"))
        assert not (tmp_path / ".nbflow.db.new").exists()

    def test_a_folder_that_is_there_keeps_its_mode(self, tmp_path: Path, open_store: Open) -> None:
        folder = tmp_path / "shared"
        folder.mkdir(mode=0o755)
        open_store(f"sqlite:///{folder}/nbflow.db")
        assert folder.stat().st_mode & 0o777 == 0o755

    def test_a_full_disk_says_so_and_goes_on_later(self, store: SqlStore) -> None:
        lease = add(store)
        before = everything(store)
        large = [full_change("r1", None)] * 1000
        with store._database.engine.connect() as connection:  # the one that the next verb gets
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
        with pytest.raises(Unavailable, match=r"database or disk is full\. Make room"):
            save(store, lease, run={"state": "running"}, changes=large)
        assert everything(store) == before
        with store._database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        assert save(store, lease, changes=large).version == 1

    def test_leaders_go_by_the_clock_of_the_machine(self, store: SqlStore) -> None:
        assert store.now(NOW) == NOW

    def test_a_file_of_another_kind_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.db"
        path.write_text("not a database " * 100)
        with pytest.raises(InvalidInput, match="is no database"):
            SqlStore(f"sqlite:///{path}")

    def test_a_folder_that_cannot_be_made_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(Unavailable, match="cannot make"):
            SqlStore(f"sqlite:///{tmp_path}/file/nbflow.db")

    def test_a_file_that_vanished_is_told(self, store: SqlStore, path: Path) -> None:
        store.close()
        path.unlink()
        path.with_name("nbflow.db").mkdir()
        with pytest.raises(Unavailable, match="Check that its folder exists"):
            store.owned()

    def test_says_where_it_is(self, store: SqlStore, path: Path) -> None:
        assert str(store) == f"sqlite:///{path} (schema {HEAD})"


class TestPostgres(SqlContract):
    @pytest.fixture
    def url(self, postgres: PostgresServer, database: str) -> str:
        with postgres.connect(database) as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(f"DELETE FROM {table.name}".encode())
        return postgres.url(database)

    @pytest.fixture
    def new_url(self, postgres: PostgresServer) -> str:
        return postgres.url(postgres.new_database())

    @pytest.fixture
    def busy(self, postgres: PostgresServer, database: str) -> Callable[[], Any]:
        @contextmanager
        def writing() -> Iterator[None]:
            with postgres.connect(database) as connection:
                connection.execute("SELECT pg_advisory_lock(%s)", [WRITERS_LOCK])
                yield

        return writing

    def test_a_restarted_server_is_not_noticed_between_two_verbs(
        self, store: SqlStore, postgres: PostgresServer, database: str
    ) -> None:
        lease = add(store)
        postgres.cut_connections(database)
        assert save(store, lease).version == 1

    def test_a_connection_that_is_cut_in_a_transaction_leaves_nothing(
        self, store: SqlStore, postgres: PostgresServer, database: str
    ) -> None:
        lease = add(store)
        before = everything(store)

        @event.listens_for(store._database.engine, "commit", once=True)
        def cut(_: Any) -> None:
            postgres.cut_connections(database)

        with pytest.raises(Unavailable, match="terminating connection"):
            store.claim(RunId("r1"), "another", now=NOW, ttl=TTL, instead_of=lease.engine)
        assert everything(store) == before
        assert save(store, lease).version == 1

    def test_a_process_that_is_frozen_in_a_transaction_holds_nobody_up_for_long(
        self, store: SqlStore, url: str, open_store: Open
    ) -> None:
        lease = add(store)
        frozen = open_store(f"{url}&options=-c%20idle_in_transaction_session_timeout%3D300")
        is_written, is_over = Event(), Event()

        @event.listens_for(frozen._database.engine, "commit", once=True)
        def freeze(_: Any) -> None:
            is_written.set()
            is_over.wait(DEADLINE)

        with ThreadPoolExecutor(1) as pool:
            stopped = pool.submit(frozen.claim, lease.run, "frozen", now=NOW, ttl=TTL, instead_of=lease.engine)
            assert is_written.wait(DEADLINE)
            assert store.lead("another", now=NOW, ttl=TTL).epoch == 1
            is_over.set()
            with pytest.raises(Unavailable, match=r"silent for too long|terminating connection"):
                stopped.result(DEADLINE)
        assert save(store, lease).version == 1

    def test_a_server_that_is_away_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(Unavailable, match="Check that the server runs"):
            SqlStore(f"postgresql://ada:secret@/nbflow?host={tmp_path}")

    def test_a_database_that_does_not_exist_is_told(self, postgres: PostgresServer) -> None:
        with pytest.raises(Unavailable, match='database "nowhere" does not exist'):
            SqlStore(postgres.url("nowhere"))

    def test_a_user_without_rights_is_told(self, postgres: PostgresServer) -> None:
        postgres.execute("CREATE USER stranger")
        url = postgres.url(postgres.new_database()).replace("//postgres@", "//stranger@")
        with pytest.raises(Unavailable, match=r"permission denied for schema public\. Give its user"):
            SqlStore(url)

    def test_no_message_has_the_password(self, tmp_path: Path) -> None:
        with pytest.raises(Unavailable) as caught:
            SqlStore(f"postgresql://ada:secret@/nbflow?host={tmp_path}")
        assert "ada:***@" in str(caught.value)
        assert "secret" not in str(caught.value)

    def test_times_are_instants_for_the_server_too(
        self, store: SqlStore, postgres: PostgresServer, database: str
    ) -> None:
        add(store)
        with postgres.connect(database) as connection:
            [(kept,)] = connection.execute("SELECT created_at AT TIME ZONE 'UTC' FROM runs")
        assert kept == NOW.replace(tzinfo=None)
        assert store.load(RunId("r1")).run.created_at == NOW

    def test_leaders_go_by_the_clock_of_the_server(
        self, store: SqlStore, postgres: PostgresServer, database: str
    ) -> None:
        with postgres.connect(database) as connection:
            [(before,)] = connection.execute("SELECT clock_timestamp()")
            now = store.now(NOW)
            [(after,)] = connection.execute("SELECT clock_timestamp()")
        assert before <= now <= after
        assert now.tzinfo is UTC

    def test_options_of_the_address_are_kept(self, url: str, open_store: Open) -> None:
        store = open_store(f"{url}&options=-c%20application_name%3Dnightly")
        with store._database.read() as connection:
            shown = {
                name: connection.exec_driver_sql(f"SHOW {name}").scalar_one()
                for name in (
                    "application_name",
                    "lock_timeout",
                    "idle_in_transaction_session_timeout",
                    "transaction_read_only",
                    "transaction_isolation",
                )
            }
        assert shown == {
            "application_name": "nightly",
            "lock_timeout": "10s",
            "idle_in_transaction_session_timeout": "10s",
            "transaction_read_only": "on",
            "transaction_isolation": "repeatable read",
        }
