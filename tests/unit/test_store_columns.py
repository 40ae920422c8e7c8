"""Column types: what goes in comes back, and sorts as it should."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from nbflow.model import TaskKey, TaskName
from nbflow.run import CancelRequested, Request
from nbflow.stores.columns import Instant, Item, Json, Words, dump_json, storable

SQLITE, POSTGRES = sqlite.dialect(), postgresql.dialect()


def stored(kind: Any, value: Any) -> Any:
    """As the driver of SQLite gets it."""
    to_driver = kind.dialect_impl(SQLITE).bind_processor(SQLITE)
    return to_driver(value) if to_driver else value


def test_times_in_sqlite_sort_as_text() -> None:
    zone = timezone(timedelta(hours=-7))
    start = datetime(2026, 3, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    times = [start, start + timedelta(microseconds=1), start.astimezone(zone) + timedelta(seconds=1)]
    texts = [stored(Instant(), time) for time in times]
    assert texts == ["2026-03-31 23:59:59.999999", "2026-04-01 00:00:00.000000", "2026-04-01 00:00:00.999999"]


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        stored(Instant(), datetime(2026, 4, 1))  # noqa: DTZ001  # the naive time is the point


@pytest.mark.parametrize(("item", "kept"), [(None, -1), (0, 0), (999, 999)])
def test_an_item_is_a_number_in_the_store_only(item: int | None, kept: int) -> None:
    assert stored(Item(), item) == kept
    assert Item().process_result_value(kept, SQLITE) == item


@pytest.mark.parametrize(
    ("text", "kept"), [("", ""), ("é☃😀\n", "é☃😀\n"), ("a\x00b", "a\ufffdb"), ("a\udc80b", "a?b"), ("\ud83d", "?")]
)
def test_text_that_no_database_holds_is_marked(text: str, kept: str) -> None:
    assert storable(text) == kept
    assert stored(Words(), text) == kept


def test_names_sort_alike_on_both_databases() -> None:
    assert Words().compile(dialect=POSTGRES) == 'TEXT COLLATE "C"'
    assert Words().compile(dialect=SQLITE) == "TEXT"


def test_a_value_is_kept_as_json() -> None:
    request = CancelRequested(by="ada", key=TaskKey(TaskName("fit"), 3), grace=timedelta(seconds=1.5))
    column = Json(Request)
    assert column.process_result_value(stored(column, request), SQLITE) == request
    assert stored(column, None) is None


def test_equal_values_give_equal_json() -> None:
    assert dump_json({"b": 1, "a": "é\x00"}, dict[str, Any]) == '{"b":1,"a":"é\\u0000"}'
