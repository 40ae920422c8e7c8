"""The migrations make, on both databases, the tables that the code speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, Enum, inspect, text

from nbflow.model import Keep, RunId
from nbflow.notice import NoticeKind
from nbflow.stores import migrations
from nbflow.stores.database import Database
from nbflow.stores.migrations import HEAD, VERSION_TABLE, upgrade
from nbflow.stores.schema import metadata
from nbflow.stores.sql import SqlStore
from nbflow.testing.samples import NOW, full_notice
from nbflow.testing.scheduling import NIGHTLY, a_skip, a_tick_run, see, tick_of


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgres":
        server = request.getfixturevalue("postgres")
        database = Database(server.url(server.new_database()))
    else:
        database = Database(f"sqlite:///{tmp_path}/nbflow.db")
    yield database
    database.close()


@pytest.fixture(params=["made", "migrated"])
def database(request: pytest.FixtureRequest, empty: Database) -> Database:
    """An empty one that was filled at once, as by opening it, or by all revisions one after the other."""
    if request.param == "migrated":
        with empty.write() as connection:
            migrations.migrate(connection, "head")
    upgrade(empty)
    return empty


def differences(connection: Connection) -> list[Any]:
    options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def test_agree_with_the_tables_in_code(database: Database) -> None:
    with database.read() as connection:
        assert differences(connection) == []


@pytest.mark.parametrize("change", ["DROP INDEX ix_changes_run_seq", "ALTER TABLE attempts ADD COLUMN colour TEXT"])
def test_a_difference_would_be_seen(database: Database, change: str) -> None:
    with database.write() as connection:
        connection.execute(text(change))
        assert differences(connection)


def quoted(sql: object) -> set[str]:
    return set(re.findall(r"'(\w+)'", str(sql)))


def test_a_state_is_one_of_the_words_in_code(database: Database) -> None:
    """The comparison passes over conditions."""
    with database.read() as connection:
        for table in metadata.sorted_tables:
            found = {each["name"]: each["sqltext"] for each in inspect(connection).get_check_constraints(table.name)}
            assert set(found) == {each.name for each in table.constraints if isinstance(each, CheckConstraint)}
            for column in table.columns:
                if isinstance(column.type, Enum):
                    assert quoted(found[f"ck_{table.name}_{column.name}"]) == set(column.type.enums)


def test_partial_indexes_have_the_conditions_in_code(database: Database) -> None:
    with database.read() as connection:
        kind = connection.dialect.name
        found = {
            str(index["name"]): str(index["dialect_options"][f"{kind}_where"])
            for table in metadata.sorted_tables
            for index in inspect(connection).get_indexes(table.name)
            if f"{kind}_where" in index.get("dialect_options", {})
        }
    meant = {
        str(index.name): str(index.info["where"].compile(compile_kwargs={"literal_binds": True}))
        for table in metadata.sorted_tables
        for index in table.indexes
        if "where" in index.info
    }
    assert set(found) == set(meant)
    for name, condition in meant.items():
        assert quoted(found[name]) == quoted(condition)
        assert ("NULL" in found[name], "NOT" in found[name]) == ("NULL" in condition, "NOT" in condition)


def a_config(**attributes: Any) -> Config:
    config = Config(attributes=attributes)
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config


def test_revisions_are_numbered_in_order() -> None:
    script = ScriptDirectory.from_config(a_config())
    revisions = [revision.revision for revision in script.walk_revisions()][::-1]
    assert revisions == [f"{number:04}" for number in range(1, len(revisions) + 1)]
    assert script.get_current_head() == HEAD


def described(connection: Connection) -> dict[str, Any]:
    """Everything but the order of columns, which a later one cannot choose."""
    about = inspect(connection)
    kinds = ("columns", "pk_constraint", "foreign_keys", "indexes", "unique_constraints", "check_constraints")
    return {
        f"{table} {kind}": sorted(map(_plain, each if isinstance(each, list) else [each]))
        for table in about.get_table_names()
        for kind in kinds
        for each in [getattr(about, f"get_{kind}")(table)]
    }


def _plain(item: Any) -> str:
    options = {name: str(value) for name, value in item.get("dialect_options", {}).items()}
    return str(sorted({**item, "type": str(item.get("type")), "dialect_options": options}.items(), key=str))


def test_a_new_database_is_what_all_revisions_together_make(empty: Database) -> None:
    with empty.write() as connection:
        migrations.migrate(connection, "head")
        migrated = described(connection)
        connection.rollback()
    with empty.read() as connection:
        assert described(connection) == {}
    upgrade(empty)
    with empty.read() as connection:
        assert described(connection) == migrated
        assert connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")) == HEAD


# --- data of older versions ---------------------------------------------------------------------------------------

WRITTEN_BY_0001 = """
INSERT INTO manifests VALUES ('m1', 'name: nightly');
INSERT INTO frozen_pipelines VALUES ('p1', '{"name":"nightly","tasks":{}}');
INSERT INTO runs VALUES
  ('r1', 'nightly', 'manual:r1', 'manual', 'failed', 'm1', 'p1', '{}', '2026-04-01 09:00:00.123456+00:00', '2026-04-01',
   '2026-03-31 09:00:00.123456+00:00', '2026-04-01 09:00:00.123456+00:00', '2026-04-01 09:00:00.123456+00:00', 'ada',
   '2026-04-01 09:00:01.000000+00:00', '2026-04-01 09:00:02.000000+00:00', '{}', 3, NULL, 1, NULL),
  ('r2', 'nightly', 'key:a', 'manual', 'running', 'm1', 'p1', '{}', '2026-04-02 09:00:00.000000+00:00', '2026-04-02',
   '2026-04-01 09:00:00.000000+00:00', '2026-04-02 09:00:00.000000+00:00', '2026-04-02 09:00:00.000000+00:00', 'ada',
   NULL, NULL, '{}', 1, 'run@host.1.aaaaaa', 1, '2026-04-02 09:00:15.000000+00:00');
INSERT INTO task_runs VALUES
  ('r1', 'extract', -1, 'failed', '{}', 'error', 'ValueError: no', false, NULL, NULL, '{}', '{}', 1, 0, 1, NULL, NULL,
   '2026-04-01 09:00:01.000000+00:00', '2026-04-01 09:00:02.000000+00:00', 'warehouse', 2);
INSERT INTO attempts VALUES
  ('r1/extract/1', 'r1', 'extract', -1, 1, 'token', 'failed', 'n1', '2026-04-01 09:00:01.000000+00:00', 'error',
   'ValueError: no', NULL, 3, NULL, 1, 1024, 'warm', 'host', '2026-04-01 09:00:01.000000+00:00',
   '2026-04-01 09:00:02.000000+00:00');
INSERT INTO changes (at, run, pipeline, event, task, item, attempt, before, after, "by", note) VALUES
  ('2026-04-01 09:00:00.123456+00:00', 'r1', 'nightly', 'run', NULL, -1, NULL, NULL, 'queued', 'ada', NULL),
  ('2026-04-01 09:00:02.000000+00:00', 'r1', 'nightly', 'task', 'extract', -1, 1, 'running', 'failed', NULL, 'why'),
  ('2026-04-02 09:00:00.000000+00:00', 'r2', 'nightly', 'run', NULL, -1, NULL, NULL, 'queued', 'ada', NULL);
INSERT INTO requests (run, at, request, answer) VALUES
  ('r1', '2026-04-01 09:00:02.000000+00:00', '{"kind":"cancel","by":"ada"}', 'it has ended');
"""
TABLES_OF_0001 = ["manifests", "frozen_pipelines", "runs", "task_runs", "attempts", "changes", "requests"]


def everything_in(connection: Connection, tables: list[str]) -> dict[str, list[dict[str, Any]]]:
    return {
        table: [dict(row) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY 1")).mappings()]
        for table in tables
    }


@pytest.fixture
def written_by_0001(empty: Database) -> Database:
    with empty.write() as connection:
        command.upgrade(a_config(connection=connection), "0001")
        for statement in WRITTEN_BY_0001.strip().split(";\n"):
            connection.exec_driver_sql(statement)
    return empty


def test_data_of_the_first_version_is_kept(written_by_0001: Database) -> None:
    with written_by_0001.read() as connection:
        before = everything_in(connection, TABLES_OF_0001)
    assert all(before.values())
    upgrade(written_by_0001)
    with written_by_0001.read() as connection:
        assert differences(connection) == []
        after = everything_in(connection, TABLES_OF_0001)
    for table, rows in before.items():
        assert [{name: row[name] for name in rows[0]} for row in after[table]] == rows


def test_a_store_goes_on_where_the_first_version_stopped(written_by_0001: Database) -> None:
    url = written_by_0001.engine.url.render_as_string(hide_password=False)
    with closing(SqlStore(url)) as store:
        log = store.changes(0)
        store.fire(see(store), NIGHTLY, cursor=tick_of(1), runs=[a_tick_run()], skips=[a_skip()], now=NOW)
        assert store.run_of_key(NIGHTLY, "key:a") == "r2"
        assert [change.run for change in store.changes(0)] == ["r1", "r1", "r2", "t1", None]
        assert store.changes(0, limit=3) == log
        assert store.changes(log[-1].seq)[0].seq > log[-1].seq


def test_numbers_of_the_change_log_are_not_given_again(written_by_0001: Database) -> None:
    """Readers remember the last one they saw, also after the newest rows were removed."""
    upgrade(written_by_0001)
    url = written_by_0001.engine.url.render_as_string(hide_password=False)
    with closing(SqlStore(url)) as store:
        last = store.changes(0)[-1].seq
        with written_by_0001.write() as connection:
            connection.execute(text("DELETE FROM changes"))
        see(store)
        store.pause(NIGHTLY, by="ada", note="", now=NOW)
        assert store.changes(0)[0].seq > last


@pytest.mark.parametrize(("before", "after"), [("null", None), ('"P90D"', timedelta(days=90))])
def test_how_long_runs_are_kept_is_read_as_older_versions_wrote_it(
    empty: Database, before: str, after: timedelta | None
) -> None:
    with empty.write() as connection:
        command.upgrade(a_config(connection=connection), "0001")
        written = WRITTEN_BY_0001.replace('"tasks":{}', f'"tasks":{{}},"keep":{before}')
        for statement in written.split(";\n")[:3]:
            connection.exec_driver_sql(statement)
    with closing(SqlStore(empty.engine.url.render_as_string(hide_password=False))) as store:
        assert store.load(RunId("r1")).pipeline.keep == Keep(runs=after)


WRITTEN_BY_0007 = """
INSERT INTO backfills VALUES
  (1, 'nightly', '2026-03-01', '2026-03-09', false, 1, 'none', 'paused', '2026-04-01 09:00:00.000000+00:00', 'ada',
   'why'),
  (2, 'nightly', '2026-03-10', '2026-03-11', false, 1, 'none', 'running', '2026-04-01 09:00:00.000000+00:00', 'ada',
   NULL);
INSERT INTO changes (at, pipeline, event, item, backfill, before, after, "by", note) VALUES
  ('2026-04-01 09:00:00.000000+00:00', 'nightly', 'backfill', -1, 1, NULL, 'running', 'ada', 'why'),
  ('2026-04-01 09:00:00.000000+00:00', 'nightly', 'backfill', -1, 2, NULL, 'running', 'ada', NULL),
  ('2026-04-01 09:00:01.000000+00:00', 'nightly', 'backfill', -1, 1, 'running', 'paused', 'ada', 'lunch'),
  ('2026-04-01 09:00:02.000000+00:00', 'nightly', 'backfill', -1, 1, 'paused', 'running', 'ada', NULL),
  ('2026-04-01 09:00:03.000000+00:00', 'nightly', 'backfill', -1, 1, 'running', 'paused', 'scheduler', 'no such task');
"""


def test_why_a_backfill_was_paused_is_taken_from_the_change_log(empty: Database) -> None:
    with empty.write() as connection:
        command.upgrade(a_config(connection=connection), "0007")
        for statement in WRITTEN_BY_0007.strip().split(";\n"):
            connection.exec_driver_sql(statement)
    with closing(SqlStore(empty.engine.url.render_as_string(hide_password=False))) as store:
        paused, running = store.backfill(1), store.backfill(2)
    at = datetime(2026, 4, 1, 9, 0, 3, tzinfo=UTC)
    assert (paused.changed_at, paused.changed_by, paused.reason) == (at, "scheduler", "no such task")
    assert (running.changed_at, running.changed_by, running.reason) == (None, None, None)


WRITTEN_BY_0008 = """
INSERT INTO outbox (id, pipeline, channel, kind, notice, state, due, tries, done, error) VALUES
  ('a/ops', 'nightly', 'ops', 'skipped', '{"id":"a","kind":"skipped","channels":["ops"],"at":"2026-04-01T09:00:00Z"}',
   'waiting', '2026-04-01 09:00:00.000000+00:00', 0, '[]', '')
"""


def test_messages_that_wait_are_kept_and_a_paused_backfill_can_be_told(empty: Database) -> None:
    with empty.write() as connection:
        command.upgrade(a_config(connection=connection), "0008")
        connection.exec_driver_sql(WRITTEN_BY_0008)
    with closing(SqlStore(empty.engine.url.render_as_string(hide_password=False))) as store:
        store.tell([full_notice(id="b", kind=NoticeKind.PAUSED)])
        assert [(each.notice.id, each.notice.kind) for each in store.messages()] == [
            ("b", NoticeKind.PAUSED),
            ("a", NoticeKind.SKIPPED),
        ]
