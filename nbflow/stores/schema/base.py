"""What all tables share: their metadata, the names of constraints, and indexes of a part of the rows."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Index, Integer, MetaData, bindparam

from nbflow.stores.columns import Json

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

JSON_OBJECT = Json(dict[str, Any])
SERIAL = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts only in a column of its own INTEGER, which has 64 bits there."""


def partial_index(name: str, *columns: Column[Any], where: ColumnElement[bool], unique: bool = False) -> None:
    """An index of the rows that meet a condition; the migrations make it.

    `sqlite_where` and `postgresql_where` would say so too, but every command would then load PostgreSQL's dialect.
    """
    Index(name, *columns, unique=unique, info={"where": where})


def is_one_of(column: Column[Any], words: frozenset[StrEnum]) -> ColumnElement[bool]:
    """With the words written out: a partial index serves only queries whose condition is no parameter."""
    return column.in_(bindparam(None, sorted(words), expanding=True, literal_execute=True))
