"""The schema's history. Opening a database brings it up to date; Alembic is loaded only for one of an older nbflow.

An empty database gets the tables as the code has them; a test holds them equal to what all revisions together make.
Revisions are numbered in order: `v0001_runs.py`, `v0002_…`.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text

from nbflow.errors import InvalidInput
from nbflow.stores.database import Database
from nbflow.stores.schema import metadata

HEAD = "0009"
VERSION_TABLE = "nbflow_version"
"""Not Alembic's default, which another application in the same database may use."""


def upgrade(database: Database) -> None:
    """Bring the schema to HEAD. Of several processes that do this at once, one works and the others wait.

    Raises InvalidInput for a database of a newer nbflow, or of something else.
    """
    with database.read() as connection:
        if _revision(connection, database.name) == HEAD:
            return
    with database.write() as connection:
        revision = _revision(connection, database.name)
        if revision is None:
            make(connection)
        elif revision != HEAD:
            migrate(connection, "head")


def _revision(connection: Connection, name: str) -> str | None:
    """The revision the database is at, None for an empty one."""
    if not connection.dialect.has_table(connection, VERSION_TABLE):
        _refuse_foreign(connection, name)
        return None
    found = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    revision = None if found is None else str(found)
    if revision is not None and revision > HEAD:
        raise InvalidInput(
            f"{name} was made by a newer nbflow (its schema is {revision}, this nbflow knows {HEAD})",
            hint="Install that version of nbflow, or name another database.",
        )
    return revision


def _refuse_foreign(connection: Connection, name: str) -> None:
    taken = [table for table in metadata.tables if connection.dialect.has_table(connection, table)]
    if taken:
        raise InvalidInput(
            f"{name} has tables of another application: {', '.join(sorted(taken))}",
            where="store.database",
            hint="Give nbflow a database, or a schema on the search path, of its own.",
        )


def make(connection: Connection) -> None:
    """Make all tables at once in an empty database, in the transaction of whoever asks."""
    for table in metadata.tables.values():
        for index in table.indexes:
            if "where" in index.info:
                index.dialect_options[connection.dialect.name]["where"] = index.info["where"]
    metadata.create_all(connection)
    key = f"CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num)"
    connection.execute(text(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, {key})"))
    connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES (:head)"), {"head": HEAD})


def migrate(connection: Connection, revision: str) -> None:
    """Bring the schema to a revision, in the transaction of whoever asks."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    command.upgrade(config, revision)
