"""Attempts and pools: one live attempt a task run, and no more of them than a pool has places."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from nbflow.errors import Conflict, PoolFull
from nbflow.model import RunId, TaskKey, TaskName
from nbflow.ports import Lease
from nbflow.states import AttemptState, TaskState
from nbflow.testing.samples import ENGINE, NOW, Store, a_frozen, a_run, add, an_attempt, save
from nbflow.testing.store_contract.looking import A_CHANGE, EXTRACT, OTHER, refused, waiting


class Attempts:
    def test_the_live_one_is_part_of_its_task_run(self, store: Store) -> None:
        lease = add(store, "r1")
        queued = an_attempt("r1", "extract")
        save(store, lease, attempts=[queued], tasks=[waiting(EXTRACT, state=TaskState.QUEUED, live=queued)])
        assert store.load(RunId("r1")).tasks[EXTRACT].live == queued
        running = replace(queued, state=AttemptState.RUNNING, started_at=NOW, host="host")
        save(store, lease, attempts=[running])
        assert store.load(RunId("r1")).tasks[EXTRACT].live == running
        save(store, lease, attempts=[replace(running, state=AttemptState.LOST)])
        assert store.load(RunId("r1")).tasks[EXTRACT].live is None

    def test_all_are_listed_oldest_first(self, store: Store) -> None:
        lease = add(store, "r1")
        tried = [an_attempt("r1", "extract", number, state=AttemptState.FAILED) for number in range(1, 12)]
        save(store, lease, attempts=tried[::-1])
        assert store.attempts(RunId("r1")) == {EXTRACT: tried}

    def test_of_items_are_kept_apart(self, store: Store) -> None:
        frozen = a_frozen("fit")
        keys = [TaskKey(TaskName("fit"), item) for item in range(2)]
        lease = Lease(run=RunId("r1"), engine=ENGINE, epoch=1, expires=NOW)
        assert store.add_run(a_run("r1", frozen), [waiting(key) for key in keys], frozen, lease)
        both = [an_attempt("r1", key.address) for key in keys]
        save(store, lease, attempts=both)
        assert [task.live for task in store.load(RunId("r1")).tasks.values()] == both

    def test_a_task_run_has_one_live_attempt(self, store: Store) -> None:
        lease = add(store, "r1")
        save(store, lease, attempts=[an_attempt("r1", "extract", 1)])
        with refused(store, Conflict):
            save(store, lease, attempts=[an_attempt("r1", "extract", 2)], changes=[A_CHANGE])

    def test_one_ends_and_the_next_begins_in_one_decision(self, store: Store) -> None:
        lease = add(store, "r1")
        first, second = an_attempt("r1", "extract", 1), an_attempt("r1", "extract", 2)
        save(store, lease, attempts=[first])
        save(store, lease, attempts=[second, replace(first, state=AttemptState.FAILED)])
        assert store.load(RunId("r1")).tasks[EXTRACT].live == second

    def test_a_number_is_given_once(self, store: Store) -> None:
        lease = add(store, "r1")
        save(store, lease, attempts=[an_attempt("r1", "extract", state=AttemptState.FAILED)])
        with refused(store, Conflict):
            save(store, lease, attempts=[an_attempt("r1", "extract", id="another", token="another")])

    def test_a_token_is_given_once(self, store: Store) -> None:
        lease = add(store, "r1")
        save(store, lease, attempts=[an_attempt("r1", "extract", token="secret")])
        with refused(store, Conflict):
            save(store, lease, attempts=[an_attempt("r1", "load", token="secret")])

    def test_a_live_one_is_written_only_with_its_token(self, store: Store) -> None:
        lease = add(store, "r1")
        attempt = an_attempt("r1", "extract")
        save(store, lease, attempts=[attempt])
        with refused(store, Conflict, match="token"):
            save(store, lease, attempts=[replace(attempt, token="old", state=AttemptState.SUCCESS)])

    @pytest.mark.parametrize("state", [AttemptState.SUCCESS, AttemptState.RUNNING])
    def test_an_ended_one_is_never_written_again(self, store: Store, state: AttemptState) -> None:
        lease = add(store, "r1")
        attempt = an_attempt("r1", "extract")
        save(store, lease, attempts=[attempt])
        save(store, lease, attempts=[replace(attempt, state=AttemptState.LOST)])
        with refused(store, Conflict):
            save(store, lease, attempts=[replace(attempt, state=state)])

    def test_belongs_to_a_task_run(self, store: Store) -> None:
        lease = add(store, "r1")
        with refused(store, Conflict):
            save(store, lease, attempts=[an_attempt("r1", "publish")])


class Pools:
    def test_are_counted_over_all_runs(self, store: Store) -> None:
        frozen = a_frozen("extract", "load", pool="warehouse")
        first, second = add(store, "r1", frozen), add(store, "r2", frozen, engine=OTHER)
        save(store, first, attempts=[an_attempt("r1", "extract")], pools={"warehouse": 2})
        save(store, second, attempts=[an_attempt("r2", "extract")], pools={"warehouse": 2})
        with refused(store, PoolFull, match="'warehouse' has 2 places, and 3 would be taken"):
            save(store, second, attempts=[an_attempt("r2", "load")], changes=[A_CHANGE], pools={"warehouse": 2})

    def test_a_task_takes_as_many_places_as_it_says(self, store: Store) -> None:
        lease = add(store, "r1", a_frozen("extract", "load", pool="warehouse", pool_slots=2))
        save(store, lease, attempts=[an_attempt("r1", "extract")], pools={"warehouse": 3})
        with refused(store, PoolFull, match="4 would be taken"):
            save(store, lease, attempts=[an_attempt("r1", "load")], pools={"warehouse": 3})

    def test_attempts_of_one_decision_count_together(self, store: Store) -> None:
        lease = add(store, "r1", a_frozen("extract", "load", pool="warehouse"))
        both = [an_attempt("r1", "extract"), an_attempt("r1", "load")]
        with refused(store, PoolFull):
            save(store, lease, attempts=both, pools={"warehouse": 1})

    def test_an_end_frees_the_place(self, store: Store) -> None:
        lease = add(store, "r1", a_frozen("extract", "load", pool="warehouse"))
        attempt = an_attempt("r1", "extract")
        save(store, lease, attempts=[attempt], pools={"warehouse": 1})
        ended = replace(attempt, state=AttemptState.SUCCESS)
        save(store, lease, attempts=[ended, an_attempt("r1", "load")], pools={"warehouse": 1})
        assert store.pool_holders() == {"warehouse": ["load"]}

    def test_that_nobody_named_has_no_place(self, store: Store) -> None:
        lease = add(store, "r1", a_frozen("extract", pool="warehouse"))
        with refused(store, PoolFull, match="0 places"):
            save(store, lease, attempts=[an_attempt("r1", "extract")])

    def test_that_shrank_lets_its_holders_go_on(self, store: Store) -> None:
        lease = add(store, "r1", a_frozen("extract", "load", pool="warehouse"))
        held = [an_attempt("r1", "extract"), an_attempt("r1", "load")]
        save(store, lease, attempts=held, pools={"warehouse": 2})
        running = [replace(attempt, state=AttemptState.RUNNING) for attempt in held]
        assert save(store, lease, attempts=running, pools={"warehouse": 1}).version == 2

    def test_a_full_pool_stops_only_its_own_tasks(self, store: Store) -> None:
        full, free = add(store, "r1", a_frozen("extract", pool="warehouse")), add(store, "r2")
        save(store, full, attempts=[an_attempt("r1", "extract")], pools={"warehouse": 1})
        assert save(store, free, attempts=[an_attempt("r2", "extract")], pools={"warehouse": 0}).version == 1

    def test_holders_are_named_once_for_each_place(self, store: Store) -> None:
        wide = a_frozen("wide", pool="warehouse", pool_slots=2)
        narrow = a_frozen("narrow", pool="warehouse", pipeline="weekly")
        alone = a_frozen("alone", pipeline="hourly")
        for at, (name, frozen) in enumerate({"wide": wide, "narrow": narrow, "alone": alone}.items()):
            lease = add(store, name, frozen)
            attempt = an_attempt(name, name, created_at=NOW + timedelta(seconds=at))
            save(store, lease, attempts=[attempt], pools={"warehouse": 3})
        assert store.pool_holders() == {"warehouse": ["wide", "wide", "narrow"]}
