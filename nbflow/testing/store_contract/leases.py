"""Leases: one owner at a time, and each with a higher epoch."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from nbflow.errors import Conflict, LeaseLost, NotFound
from nbflow.model import RunId
from nbflow.ports import Lease
from nbflow.states import RunState
from nbflow.testing.samples import ENGINE, NOW, TTL, Store, a_frozen, a_run, add, save, task_runs
from nbflow.testing.store_contract.looking import OTHER, refused


class Leases:
    def test_a_run_without_an_owner_is_claimed(self, store: Store) -> None:
        frozen = a_frozen("extract")
        store.add_run(a_run("r1", frozen), task_runs(frozen), frozen, None)
        assert store.owned() == []
        lease = store.claim(RunId("r1"), ENGINE, now=NOW, ttl=TTL)
        assert lease == Lease(run=RunId("r1"), engine=ENGINE, epoch=1, expires=NOW + TTL)
        assert store.owned() == [lease]
        assert save(store, lease).version == 1

    def test_a_live_one_is_not_taken(self, store: Store) -> None:
        add(store, "r1")
        with refused(store, Conflict, match=ENGINE):
            store.claim(RunId("r1"), OTHER, now=NOW + TTL - timedelta(microseconds=1), ttl=TTL)

    def test_one_that_ran_out_is_taken(self, store: Store) -> None:
        add(store, "r1")
        lease = store.claim(RunId("r1"), OTHER, now=NOW + TTL, ttl=TTL)
        assert (lease.engine, lease.epoch, lease.expires) == (OTHER, 2, NOW + 2 * TTL)

    def test_a_live_one_is_taken_from_who_is_proved_dead(self, store: Store) -> None:
        add(store, "r1")
        assert store.claim(RunId("r1"), OTHER, now=NOW, ttl=TTL, instead_of=ENGINE).epoch == 2

    def test_one_that_another_took_meanwhile_is_not_taken(self, store: Store) -> None:
        add(store, "r1")
        store.claim(RunId("r1"), OTHER, now=NOW, ttl=TTL, instead_of=ENGINE)
        with refused(store, Conflict, match=OTHER):
            store.claim(RunId("r1"), "run@host.3.cccccc", now=NOW, ttl=TTL, instead_of=ENGINE)

    def test_its_own_is_claimed_with_a_higher_epoch(self, store: Store) -> None:
        old = add(store, "r1")
        lease = store.claim(RunId("r1"), ENGINE, now=NOW, ttl=TTL)
        assert lease.epoch == 2
        with refused(store, LeaseLost):
            save(store, old)

    def test_the_epoch_grows_also_over_a_release(self, store: Store) -> None:
        store.release(add(store, "r1"))
        assert store.claim(RunId("r1"), ENGINE, now=NOW, ttl=TTL).epoch == 2

    def test_a_finished_run_is_claimed_too(self, store: Store) -> None:
        lease = add(store, "r1")
        save(store, lease, run={"state": RunState.SUCCESS})
        store.release(lease)
        assert store.claim(RunId("r1"), OTHER, now=NOW, ttl=TTL).epoch == 2

    def test_an_unknown_run_is_not_claimed(self, store: Store) -> None:
        with refused(store, NotFound, match="r9"):
            store.claim(RunId("r9"), ENGINE, now=NOW, ttl=TTL)

    def test_renewal_extends_all_of_one_engine(self, store: Store) -> None:
        for name in ("r1", "r2"):
            add(store, name)
        add(store, "r3", engine=OTHER)
        assert store.renew(ENGINE, now=NOW + TTL, ttl=TTL) == {"r1", "r2"}
        assert {lease.run: lease.expires - NOW for lease in store.owned()} == {"r1": 2 * TTL, "r2": 2 * TTL, "r3": TTL}

    def test_a_lost_one_is_not_renewed(self, store: Store) -> None:
        add(store, "r1")
        taken = store.claim(RunId("r1"), OTHER, now=NOW, ttl=TTL, instead_of=ENGINE)
        assert store.renew(ENGINE, now=NOW + TTL, ttl=TTL) == set()
        assert store.owned() == [taken]

    def test_the_release_of_a_lost_one_does_nothing(self, store: Store) -> None:
        lost = add(store, "r1")
        taken = store.claim(RunId("r1"), OTHER, now=NOW, ttl=TTL, instead_of=ENGINE)
        store.release(lost)
        store.release(replace(lost, run=RunId("r9")))
        assert store.owned() == [taken]

    def test_those_of_unfinished_runs_are_listed_oldest_run_first(self, store: Store) -> None:
        leases = {
            name: add(
                store, a_run(name, a_frozen("extract"), created_at=NOW + timedelta(hours=at)), a_frozen("extract")
            )
            for name, at in {"late": 2, "early": 1, "ended": 0, "running": 3}.items()
        }
        save(store, leases["ended"], run={"state": RunState.FAILED})
        save(store, leases["running"], run={"state": RunState.RUNNING})
        assert store.owned() == [leases["early"], leases["late"], leases["running"]]
        assert {run: store.lease(RunId(run)) for run in leases} == {**leases, "ended": None}
        assert {run: store.load(RunId(run)).lease for run in leases} == {**leases, "ended": None}
        assert store.lease(RunId("nobody")) is None
