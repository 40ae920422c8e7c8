"""How the contract looks at a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from nbflow.errors import NbflowError
from nbflow.model import TaskKey, TaskName
from nbflow.run import Attempt, TaskRun
from nbflow.states import AttemptState, TaskState
from nbflow.testing.samples import NOW, Store, a_notebook, an_attempt, full_change

OTHER = "run@host.2.bbbbbb"
EXTRACT, LOAD = TaskKey(TaskName("extract")), TaskKey(TaskName("load"))
A_CHANGE = full_change("r1", EXTRACT)


def everything(store: Store) -> tuple[object, ...]:
    """All that can be read of a store."""
    runs = store.list_runs(limit=1000)
    pipelines, backfills = store.standings(), store.backfills()
    return (
        [store.load(run.id) for run in runs],
        [store.attempts(run.id) for run in runs],
        store.changes(0),
        store.asked([run.id for run in runs]),
        store.owned(),
        store.pool_holders(),
        store.leader(),
        pipelines,
        [store.last_good(pipeline) for pipeline in pipelines],
        store.skips(limit=1000),
        backfills,
        [store.backfill_items(each.id) for each in backfills],
        [store.backfill_progress(each.id) for each in backfills],
        store.unfinished(),
        store.asked_ownerless(),
        store.users(),
        store.tokens(),
        store.messages(limit=1000),
        store.tallies(),
        store.unfinished_counts(),
    )


@contextmanager
def refused(store: Store, error: type[NbflowError], match: str | None = None) -> Iterator[None]:
    """The block raises this very error, and nothing of what it did is visible."""
    before = everything(store)
    with pytest.raises(error, match=match) as caught:
        yield
    assert caught.type is error
    assert everything(store) == before


def is_default(value: object, field: Field[Any]) -> bool:
    if field.default is not MISSING:
        return bool(getattr(value, field.name) == field.default)
    return field.default_factory is not MISSING and bool(getattr(value, field.name) == field.default_factory())


def assert_full(value: Any, *but: str) -> None:
    """A sample that leaves a field at its default would not show that the field is kept."""
    assert [field.name for field in fields(value) if is_default(value, field) and field.name not in but] == []


def waiting(key: TaskKey, **about: Any) -> TaskRun:
    return replace(TaskRun(key=key, state=TaskState.WAITING, notebook=a_notebook(key.task)), **about)


def succeeded(run: str, address: str, number: int, seconds: float, at: datetime = NOW, **about: Any) -> Attempt:
    ended = {"state": AttemptState.SUCCESS, "started_at": at - timedelta(seconds=seconds), "ended_at": at}
    return an_attempt(run, address, number, **{**ended, **about})
