"""Column types: what SQLite and PostgreSQL keep the same way, and give back as the values that went in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, get_origin

from sqlalchemy import TEXT, DateTime, Dialect, Enum, Integer, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from nbflow.codec import from_json, to_json


def storable(text: str) -> str:
    """The text with a mark for each character that a database refuses: NUL, and halves of surrogate pairs.

    An exception's message may hold such characters, and must not stop the run that it is about.
    """
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


class Words(TypeDecorator[str]):
    """Text in the order of its code points on both databases: `COLLATE "C"`, which SQLite has by nature."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return TEXT(collation="C" if dialect.name == "postgresql" else None)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class Json(TypeDecorator[Any]):
    """A value of the type `of`, as JSON text by the codec.

    Text, because PostgreSQL's own JSON types refuse the escape of NUL, and `jsonb` also forgets the order of keys.
    """

    impl = Text
    cache_ok = True

    def __init__(self, of: Any) -> None:
        super().__init__()
        self.of = of
        self._is_plain = get_origin(of) is dict
        self._read = lru_cache(maxsize=4096)(lambda text: from_json(of, json.loads(text)))
        """Values of ours are frozen, and the rows of a large run have the same ones again and again."""

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else dump_json(value, self.of)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value == "{}" and self._is_plain:  # as most rows of a large run have it
            return {}
        return json.loads(value) if self._is_plain else self._read(value)


def dump_json(value: Any, of: Any) -> str:
    """The JSON text of a value of the type `of`; equal values give equal texts."""
    return storable(json.dumps(to_json(value, of), ensure_ascii=False, separators=(",", ":")))


class Instant(TypeDecorator[datetime]):
    """An aware time, kept in UTC with its microseconds and given back in UTC.

    PostgreSQL has a type for it. SQLite keeps text of a fixed width, year first, whose order is the order of time.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Item(TypeDecorator[int | None]):
    """The item of a task run: -1 stands for None, because a part of a primary key cannot be null."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int:
        return -1 if value is None else value

    def process_result_value(self, value: int | None, dialect: Dialect) -> int | None:
        return None if value == -1 else value


def one_of(words: type[StrEnum], name: str) -> Enum:
    """A word of `words`, checked by the database."""
    return Enum(
        words, name=name, native_enum=False, create_constraint=True, length=32, values_callable=lambda all_: [*all_]
    )
