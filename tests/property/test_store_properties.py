"""The dict store and the SQL store say the same to any sequence of verbs, and then hold the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbflow.backfill import BackfillState, ItemAction
from nbflow.errors import NbflowError
from nbflow.model import PipelineName, RunId
from nbflow.ports import FrozenPipeline, Leader, Lease
from nbflow.run import Answer, CancelRequested
from nbflow.states import RunState
from nbflow.stores.schema import metadata
from nbflow.stores.sql import SqlStore
from nbflow.testing.dict_store import DictStore
from nbflow.testing.samples import NOW, TTL, Store, a_frozen, a_run, an_attempt, full_change, save, task_runs
from nbflow.testing.scheduling import a_backfill, a_skip, a_standing, a_tick_run, an_item_run, items_of, tick_of
from nbflow.testing.store_contract import everything

ENGINES = ["one", "two"]
PIPELINES = ["nightly", "weekly"]
RUNS = ["r1", "r1", "nightly-1", "nightly-1", "nightly-2", "weekly-1", "b0"]


def fire(store: Store, leader: Leader, pipeline: str, days: list[int], skip: bool, asked: str | None) -> object:
    frozen = a_frozen("extract", pipeline=pipeline)
    return store.fire(
        leader,
        PipelineName(pipeline),
        cursor=tick_of(max(days, default=1)),
        runs=[a_tick_run(day, f"{pipeline}-{day}", frozen) for day in days],
        skips=[a_skip(1, pipeline)] if skip else [],
        requests=[(RunId(asked), CancelRequested(by="ada"))] if asked else [],
        now=NOW,
    )


def begin(store: Store, leader: Leader, number: int, position: int, action: ItemAction, run: str) -> object:
    item = replace(items_of(a_backfill())[position], action=action, run=RunId(run))
    if action is ItemAction.CREATE:
        return store.begin_item(leader, number, item, new=an_item_run(item, run), now=NOW)
    asked = CancelRequested(by="ada") if action is ItemAction.RESET else None
    return store.begin_item(leader, number, item, request=asked, now=NOW)


def see(store: Store, leader: Leader, pipeline: str, day: int, is_good: bool) -> object:
    frozen = a_frozen("extract", pipeline=pipeline, text=f"version {day}")
    standing = a_standing(pipeline, cursor=tick_of(day), manifest=frozen.sha256)
    return store.see(leader, standing, (frozen.pipeline, frozen.text) if is_good else None)


def write(store: Store, run: str, state: RunState, starts: bool, keeps: bool) -> object:
    """Claim, decide, answer what is asked, and keep the lease or let it go."""
    lease = store.claim(RunId(run), "one", now=NOW, ttl=TTL, instead_of="two")
    number = store.load(RunId(run)).run.version + 1
    answers = [Answer(id=asked.id) for asked in store.asked([RunId(run)]).get(RunId(run), ())]
    attempts = [an_attempt(run, "extract", number)] if starts else []
    changes = [full_change(run, None)]
    saved = save(store, lease, run={"state": state}, attempts=attempts, changes=changes, answers=answers)
    if not keeps:
        store.release(lease)
    return saved


def remove(store: Store, run: str) -> object:
    write(store, run, RunState.SUCCESS, starts=False, keeps=False)
    removed = store.remove_runs([RunId(run)])
    store.forget(removed)
    return removed


def add_run(store: Store, run: str, frozen: FrozenPipeline) -> object:
    lease = Lease(run=RunId(run), engine="one", epoch=1, expires=NOW + TTL)
    return store.add_run(a_run(run, frozen), task_runs(frozen), frozen, lease)


VERBS: dict[str, Callable[..., object]] = {
    "see": see,
    "fire": fire,
    "pause": lambda store, _, pipeline, by: store.pause(PipelineName(pipeline), by=by, note=by, now=NOW),
    "resume": lambda store, _, pipeline, day, skip: store.resume(
        PipelineName(pipeline), by="", note="", now=tick_of(day), skip=a_skip(1, pipeline) if skip else None
    ),
    "add_run": lambda store, _, run, pipeline: add_run(store, run, a_frozen("extract", pipeline=pipeline)),
    "ask": lambda store, _, run: store.ask(RunId(run), CancelRequested(by="ada"), now=NOW),
    "write": lambda store, _, *arguments: write(store, *arguments),
    "claim": lambda store, _, run, engine, late: store.claim(RunId(run), engine, now=NOW + late * TTL, ttl=TTL),
    "release": lambda store, _, run: [store.release(lease) for lease in store.owned() if lease.run == run],
    "remove": lambda store, _, run: remove(store, run),
    "list": lambda store, _, run, state, text: store.list_runs(before=RunId(run), state=state, text=text),
    "count": lambda store, _, pipeline: (store.count_runs(PipelineName(pipeline)), store.recent_runs(2)),
    "add_backfill": lambda store, _, start, pipeline: store.add_backfill(
        a_backfill(start, start + 2, pipeline=pipeline), items_of(a_backfill(start, start + 2))
    ),
    "set_backfill": lambda store, leader, number, state, by_leader: store.set_backfill(
        number, state, by="ada", note="", now=NOW, leader=leader if by_leader else None
    ),
    "begin": begin,
}
some_run, a_pipeline, yes_or_no = st.sampled_from(RUNS), st.sampled_from(PIPELINES), st.booleans()
a_day, a_number = st.integers(1, 2), st.sampled_from([1, 1, 1, 2])
ARGUMENTS: dict[str, tuple[st.SearchStrategy[Any], ...]] = {
    "see": (a_pipeline, a_day, yes_or_no),
    "fire": (a_pipeline, st.lists(a_day, max_size=3), yes_or_no, st.none() | some_run),
    "pause": (a_pipeline, st.sampled_from(["", "ada"])),
    "resume": (a_pipeline, a_day, yes_or_no),
    "add_run": (some_run, a_pipeline),
    "ask": (some_run,),
    "write": (some_run, st.sampled_from(RunState), yes_or_no, yes_or_no),
    "claim": (some_run, st.sampled_from(ENGINES), st.integers(0, 1)),
    "release": (some_run,),
    "remove": (some_run,),
    "list": (some_run, st.none() | st.sampled_from(RunState), st.sampled_from(["", "NIGHTLY", "1", "%"])),
    "count": (a_pipeline,),
    "add_backfill": (st.integers(1, 6), a_pipeline),
    "set_backfill": (a_number, st.sampled_from(BackfillState), yes_or_no),
    "begin": (a_number, st.integers(0, 2), st.sampled_from(ItemAction), some_run),
}
a_step = st.one_of(
    st.tuples(st.sampled_from(ENGINES), st.integers(0, 3), st.none() | st.sampled_from(ENGINES)),
    *(st.tuples(st.just(verb), *given) for verb, given in ARGUMENTS.items()),
)


def outcome(verb: Callable[..., object], *arguments: object, **named: object) -> object:
    try:
        return verb(*arguments, **named)
    except NbflowError as error:
        return type(error)


PRELUDE = [
    ("see", "nightly", 1, True),
    ("fire", "nightly", [1], False, None),
    ("add_run", "r1", "weekly"),
    ("add_backfill", 1, "nightly"),
]
"""Without it most verbs would be refused."""


def follow(stores: list[Store], steps: list[tuple[Any, ...]]) -> None:
    """Take each step with every store, and compare what they answer."""
    leader = stores[0].lead("one", now=NOW, ttl=TTL)
    assert stores[1].lead("one", now=NOW, ttl=TTL) == leader
    for step in [*PRELUDE, *steps]:
        if step[0] in ENGINES:
            engine, late, dead = step
            now = NOW + late * TTL / 2
            if late == 3:
                for store in stores:
                    store.resign(leader)
            answers = [outcome(store.lead, engine, now=now, ttl=TTL, instead_of=dead) for store in stores]
            leader = answers[0] if isinstance(answers[0], Leader) else leader
        else:
            answers = [outcome(VERBS[step[0]], store, leader, *step[1:]) for store in stores]
        assert answers[0] == answers[1], step


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    store = SqlStore(f"sqlite:///{tmp_path_factory.mktemp('store')}/nbflow.db")
    yield store
    store.close()


def emptied(store: SqlStore) -> SqlStore:
    """Without rows, and with numbers that start anew."""
    with store._database.write() as connection:
        for table in (*(table.name for table in reversed(metadata.sorted_tables)), "sqlite_sequence"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    return store


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(a_step, min_size=5, max_size=30))
def test_two_stores_answer_alike_and_hold_the_same(sql: SqlStore, steps: list[tuple[Any, ...]]) -> None:
    stores: list[Store] = [DictStore(), emptied(sql)]
    follow(stores, steps)
    assert everything(stores[0]) == everything(stores[1])
