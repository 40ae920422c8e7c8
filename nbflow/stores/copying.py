"""All rows of a database as plain values, and back: the same for SQLite and PostgreSQL, at any revision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Date, DateTime, MetaData, Table, func, insert, select, text, update

from nbflow.errors import Conflict, InvalidInput
from nbflow.stores.database import Database
from nbflow.stores.migrations import HEAD, VERSION_TABLE, migrate
from nbflow.stores.schema import leaders, metadata, runs

Plain = str | int | float | bool | None
Row = Sequence[Plain]
Dump = Callable[[str, Sequence[str], Iterator[Row]], None]
"""Gets each table: its name, its columns, its rows."""

BATCH = 1000


def dump(database: Database, write: Dump) -> str:
    """Give every table to `write`, all as of one moment; returns the schema's revision. No writer waits for it."""
    with database.read() as connection:
        for table in _tables(connection):
            query = select(table).order_by(*table.primary_key.columns)
            rows = connection.execution_options(yield_per=BATCH).execute(query)
            write(table.name, [column.name for column in table.columns], (tuple(map(_plain, row)) for row in rows))
    return HEAD


def load(database: Database, revision: str, read: Callable[[str], Iterable[Mapping[str, Plain]]]) -> None:
    """Fill a database without rows with those that `read` has of each table, in one transaction.

    They may be of an older revision. Nobody owns a run or leads afterwards. Raises Conflict where there are rows,
    InvalidInput for rows of a newer nbflow.
    """
    if revision > HEAD:
        raise InvalidInput(
            f"this was written by a newer nbflow (its schema is {revision}, this nbflow knows {HEAD})",
            hint="Install that version of nbflow.",
        )
    with database.write() as connection:
        _refuse_rows(connection, database.name)  # again: nobody may have written since
        metadata.drop_all(connection)
        connection.execute(text(f"DROP TABLE IF EXISTS {VERSION_TABLE}"))
        migrate(connection, revision)
        for table in _tables(connection):
            _fill(connection, table, read(table.name))
        migrate(connection, "head")
        connection.execute(update(runs).values(owner=None, lease_expires=None))
        connection.execute(update(leaders).values(engine=None, expires=None))


def require_empty(database: Database) -> None:
    """Raises Conflict where there are rows."""
    with database.read() as connection:
        _refuse_rows(connection, database.name)


def _tables(connection: Connection) -> Sequence[Table]:
    """The tables as the database has them, those referred to first."""
    found = MetaData()
    names = [name for name in metadata.tables if connection.dialect.has_table(connection, name)]
    found.reflect(connection, only=names)
    return [table for table in found.sorted_tables if table.name in names]


def _refuse_rows(connection: Connection, name: str) -> None:
    for table in _tables(connection):
        if connection.execute(select(table).limit(1)).first() is not None:
            raise Conflict(
                f"{name} is not empty: it has {table.name}",
                hint="Name an empty one under store.database, or a new file.",
            )


def _fill(connection: Connection, table: Table, rows: Iterable[Mapping[str, Plain]]) -> None:
    left = iter(rows)
    while batch := list(islice(left, BATCH)):
        connection.execute(
            insert(table), [{name: _of(table, name, each) for name, each in row.items()} for row in batch]
        )
    if connection.dialect.name == "postgresql":
        for column in table.primary_key.columns:
            _go_on_counting(connection, table, column.name)


def _go_on_counting(connection: Connection, table: Table, column: str) -> None:
    sequence = connection.scalar(select(func.pg_get_serial_sequence(table.name, column)))
    if sequence is not None:
        last = connection.scalar(select(func.max(table.c[column])))
        connection.execute(select(func.setval(sequence, last or 1, last is not None)))


def _plain(value: Any) -> Plain:
    match value:
        case datetime():
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise TypeError(f"a column holds {type(value).__name__}")


def _of(table: Table, name: str, value: Plain) -> Any:
    if not isinstance(value, str):
        return value
    match table.c[name].type:
        case DateTime():
            return datetime.fromisoformat(value)
        case Date():
            return date.fromisoformat(value)
        case _:
            return value
