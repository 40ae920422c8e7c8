"""The migrations make, on both databases, the tables that the code speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, Enum, inspect, text

from nbflow.stores import migrations
from nbflow.stores.database import Database
from nbflow.stores.migrations import HEAD, VERSION_TABLE, upgrade
from nbflow.stores.schema import metadata


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgres":
        server = request.getfixturevalue("postgres")
        database = Database(server.url(server.new_database()))
    else:
        database = Database(f"sqlite:///{tmp_path}/nbflow.db")
    upgrade(database)
    yield database
    database.close()


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


def test_revisions_are_numbered_in_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    script = ScriptDirectory.from_config(config)
    revisions = [revision.revision for revision in script.walk_revisions()][::-1]
    assert revisions == [f"{number:04}" for number in range(1, len(revisions) + 1)]
    assert script.get_current_head() == HEAD
