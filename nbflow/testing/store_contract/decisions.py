"""Decisions: saved whole, by the owner, about the version that it has seen; or not at all."""

from __future__ import annotations

from dataclasses import replace

from nbflow.errors import LeaseLost, NotFound, StaleVersion
from nbflow.model import RunId, TaskKey, TaskName
from nbflow.ports import Lease
from nbflow.run import Answer, CancelRequested, Decision
from nbflow.testing.samples import (
    ENGINE,
    NOW,
    TTL,
    Store,
    a_frozen,
    a_run,
    add,
    an_attempt,
    full_attempt,
    full_run,
    full_task_run,
    save,
)
from nbflow.testing.store_contract.looking import A_CHANGE, EXTRACT, LOAD, OTHER, assert_full, refused, waiting


class Decisions:
    def test_is_saved_whole(self, store: Store) -> None:
        lease = add(store, "r1")
        number = store.ask(RunId("r1"), CancelRequested(by="ada"), now=NOW)
        attempt = full_attempt("r1", "extract")
        task = full_task_run(EXTRACT)
        assert_full(attempt)
        assert_full(A_CHANGE, "seq")
        changed = full_run(a_frozen("extract", "load"))
        saved = save(
            store,
            lease,
            run={name: getattr(changed, name) for name in ("state", "kind", "params", "started_at", "ended_at")},
            tasks=[task],
            attempts=[attempt],
            changes=[A_CHANGE, replace(A_CHANGE, key=None)],
            answers=[Answer(id=number, error="too late")],
        )
        stored = store.load(RunId("r1"))
        assert stored.run == saved
        assert (saved.version, saved.state, saved.params) == (1, changed.state, changed.params)
        assert stored.tasks == {EXTRACT: task, LOAD: waiting(LOAD)}
        assert store.attempts(RunId("r1")) == {EXTRACT: [attempt]}
        assert [replace(change, seq=0) for change in store.changes(0)[1:]] == [A_CHANGE, replace(A_CHANGE, key=None)]
        assert store.answer(number) == "too late"

    def test_the_version_grows_by_one_with_each(self, store: Store) -> None:
        lease = add(store, "r1")
        assert [save(store, lease).version for _ in range(3)] == [1, 2, 3]

    def test_of_an_old_version_is_refused(self, store: Store) -> None:
        lease = add(store, "r1")
        save(store, lease)
        with refused(store, StaleVersion, match="at version 1, not 0"):
            save(store, lease, seen=0, tasks=[full_task_run(EXTRACT)], changes=[A_CHANGE])

    def test_of_an_engine_that_lost_its_lease_is_refused(self, store: Store) -> None:
        lease = add(store, "r1")
        store.claim(RunId("r1"), OTHER, now=NOW, ttl=TTL, instead_of=ENGINE)
        with refused(store, LeaseLost):
            save(store, lease, tasks=[full_task_run(EXTRACT)], changes=[A_CHANGE])

    def test_a_lost_lease_is_told_before_a_stale_version(self, store: Store) -> None:
        lease = add(store, "r1")
        save(store, store.claim(RunId("r1"), OTHER, now=NOW, ttl=TTL, instead_of=ENGINE))
        with refused(store, LeaseLost):
            save(store, lease, seen=0)

    def test_after_the_release_is_refused(self, store: Store) -> None:
        lease = add(store, "r1")
        store.release(lease)
        with refused(store, LeaseLost):
            save(store, lease)

    def test_of_a_lease_that_ran_out_unclaimed_is_saved(self, store: Store) -> None:
        lease = add(store, "r1")
        assert save(store, replace(lease, expires=NOW - TTL)).version == 1

    def test_about_an_unknown_run(self, store: Store) -> None:
        lease = Lease(run=RunId("r9"), engine=ENGINE, epoch=1, expires=NOW)
        with refused(store, NotFound):
            store.apply(Decision(run=a_run("r9")), seen=0, lease=lease, pools={})

    def test_about_an_unknown_task(self, store: Store) -> None:
        lease = add(store, "r1")
        with refused(store, NotFound, match="publish"):
            save(store, lease, tasks=[full_task_run(EXTRACT), waiting(TaskKey(TaskName("publish")))])

    def test_touches_no_other_run(self, store: Store) -> None:
        lease = add(store, "r1")
        add(store, "r2")
        before = store.load(RunId("r2"))
        save(store, lease, tasks=[full_task_run(EXTRACT)], attempts=[an_attempt("r1", "extract")])
        assert store.load(RunId("r2")) == before
