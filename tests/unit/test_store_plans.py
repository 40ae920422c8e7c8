"""What an engine or a view asks all the time is found by an index, whatever the length of the history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from nbflow.errors import NotFound
from nbflow.model import PipelineName, RunId
from nbflow.notice import NoticeKind
from nbflow.states import RunState
from nbflow.stores.sql import SqlStore
from nbflow.testing.samples import NOW, TTL, add, an_attempt, full_notice, save
from nbflow.testing.scheduling import a_backfill, items_of

R1, NIGHTLY = RunId("r1"), PipelineName("nightly")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    store = SqlStore(f"sqlite:///{tmp_path}/nbflow.db")
    yield store
    store.close()


def plans(store: SqlStore, verb: Callable[[SqlStore], object]) -> list[str]:
    """What SQLite says it does for the queries and updates of a verb."""
    sent: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, values: Any, *rest: Any) -> None:
        if statement.startswith(("SELECT", "UPDATE", "WITH")):
            sent.append((statement, values))

    event.listen(store._database.engine, "before_cursor_execute", note)
    with suppress(NotFound):
        verb(store)
    event.remove(store._database.engine, "before_cursor_execute", note)
    with store._database.engine.connect() as connection:
        explained = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {each}", values) for each, values in sent]
        return [str(step.detail) for steps in explained for step in steps]


def a_filled(store: SqlStore) -> int:
    return store.add_backfill(a_backfill(), items_of(a_backfill())).id


@pytest.mark.parametrize(
    ("verb", "step"),
    [
        (lambda store: store.pool_holders(), "SCAN attempts USING INDEX uq_attempts_live"),
        (lambda store: store.owned(), "SEARCH runs USING INDEX ix_runs_state_created_at_id (state=?)"),
        (lambda store: store.renew("e", now=NOW, ttl=TTL), "SEARCH runs USING COVERING INDEX ix_runs_owner (owner=?)"),
        (lambda store: store.asked([R1]), "SEARCH requests USING INDEX ix_requests_"),  # of two equal ones
        (lambda store: store.list_runs(), "SCAN runs USING INDEX ix_runs_created_at_id"),
        (
            lambda store: store.list_runs(pipeline=NIGHTLY),
            "SEARCH runs USING INDEX ix_runs_pipeline_created_at_id (pipeline=?)",
        ),
        (
            lambda store: store.list_runs(state=RunState.RUNNING),
            "SEARCH runs USING INDEX ix_runs_state_created_at_id (state=?)",
        ),
        (
            lambda store: store.list_runs(state=RunState.FAILED),
            "SEARCH runs USING INDEX ix_runs_state_created_at_id (state=?)",
        ),
        (
            lambda store: store.list_runs(before=add(store).run),
            "SEARCH runs USING INDEX ix_runs_created_at_id ((created_at,id)<(?,?))",
        ),
        (
            lambda store: store.list_runs(pipeline=NIGHTLY, before=add(store).run),
            "SEARCH runs USING INDEX ix_runs_pipeline_created_at_id (pipeline=? AND (created_at,id)<(?,?))",
        ),
        (lambda store: store.count_runs(), "SCAN runs USING COVERING INDEX ix_runs_state_created_at_id"),
        (
            lambda store: store.recent_runs(30),
            "SEARCH runs USING INDEX ix_runs_pipeline_created_at_id (pipeline=? AND created_at>?)",
        ),
        (
            lambda store: store.recent_runs(30),
            "SEARCH runs_1 USING COVERING INDEX ix_runs_pipeline_created_at_id (pipeline=?)",
        ),
        (
            lambda store: store.find_run("latest:nightli"),
            "SEARCH runs USING COVERING INDEX ix_runs_pipeline_created_at_id (pipeline>?)",
        ),
        (
            lambda store: store.durations(NIGHTLY),
            "SEARCH runs USING COVERING INDEX ix_runs_pipeline_created_at_id (pipeline=?)",
        ),
        (lambda store: store.changes(7), "SEARCH changes USING INTEGER PRIMARY KEY (rowid>?)"),
        (lambda store: store.changes(7, run=R1), "SEARCH changes USING INDEX ix_changes_run_seq (run=? AND seq>?)"),
        (lambda store: store.claim_message(now=NOW, ttl=TTL), "SCAN outbox USING INDEX ix_outbox_unsent"),
        (
            lambda store: store.tell([full_notice(), full_notice(id="b")]) or store.claim_message(now=NOW, ttl=TTL),
            "SEARCH outbox USING INDEX ix_outbox_sent (pipeline=? AND channel=?)",
        ),
        (
            lambda store: store.tell([full_notice(kind=NoticeKind.RECOVERED)]),
            "SEARCH outbox USING INDEX ix_outbox_pipeline_seq (pipeline=?)",
        ),
        (
            lambda store: store.find_run("2026"),
            "SEARCH runs USING COVERING INDEX sqlite_autoindex_runs_1 (id>? AND id<?)",
        ),
        (
            lambda store: save(store, add(store, "r1"), attempts=[an_attempt("r1", "extract")]),
            "SEARCH attempts USING INDEX uq_attempts_live (run=?)",
        ),
        (lambda store: store.unfinished(), "SEARCH runs USING INDEX ix_runs_state_created_at_id (state=?)"),
        (lambda store: store.handed_over(), "SCAN attempts USING INDEX uq_attempts_live"),
        (lambda store: store.asked_ownerless(), "SCAN requests USING INDEX ix_requests_open"),
        (lambda store: store.asked_ownerless(), "SEARCH runs USING INDEX sqlite_autoindex_runs_1 (id=?)"),
        (lambda store: store.skips(NIGHTLY), "SEARCH skips USING INDEX ix_skips_pipeline_id (pipeline=?)"),
        (
            lambda store: store.next_items(1, 5),
            "SEARCH backfill_items USING INDEX ix_backfill_items_waiting (backfill=?)",
        ),
        (
            lambda store: store.backfill_progress(a_filled(store)),
            "SEARCH backfill_items USING INDEX sqlite_autoindex_backfill_items_2 (backfill=?)",
        ),
        (
            lambda store: store.backfill_progress(a_filled(store)),
            "SEARCH runs USING INDEX sqlite_autoindex_runs_1 (id=?) LEFT-JOIN",
        ),
        (
            lambda store: store.backfill_progress(a_filled(store)),
            "SEARCH requests USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN",
        ),
    ],
    ids=lambda value: value.split(" USING ")[-1] if isinstance(value, str) else "",
)
def test_uses_the_index(store: SqlStore, verb: Callable[[SqlStore], object], step: str) -> None:
    assert any(each.startswith(step) for each in plans(store, verb))


@pytest.mark.parametrize(
    ("verb", "only_step"),
    [
        (lambda store: store.list_runs(), "SCAN runs USING INDEX ix_runs_created_at_id"),
        (
            lambda store: store.list_runs(state=RunState.FAILED),
            "SEARCH runs USING INDEX ix_runs_state_created_at_id (state=?)",
        ),
        (lambda store: store.skips(), "SCAN skips"),
        (
            lambda store: store.next_items(1, 5),
            "SEARCH backfill_items USING INDEX ix_backfill_items_waiting (backfill=?)",
        ),
    ],
    ids=["list_runs", "list_runs-state", "skips", "next_items"],
)
def test_is_read_in_order_and_not_sorted(store: SqlStore, verb: Callable[[SqlStore], object], only_step: str) -> None:
    assert plans(store, verb) == [only_step]
