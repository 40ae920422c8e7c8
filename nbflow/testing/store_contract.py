"""What every store does, as tests: subclass `StoreContract` and give it a fixture `store`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from nbflow.errors import Conflict, InvalidInput, LeaseLost, NbflowError, NotFound, PoolFull, StaleVersion
from nbflow.model import GRACE, PipelineName, RunId, TaskKey, TaskName
from nbflow.ports import Lease
from nbflow.run import (
    Answer,
    Attempt,
    CancelRequested,
    Change,
    Decision,
    MarkRequested,
    Request,
    ResetRequested,
    RetryNowRequested,
    TaskRun,
)
from nbflow.states import AttemptState, RunState, TaskState
from nbflow.testing.samples import (
    ENGINE,
    NOW,
    TTL,
    Store,
    a_frozen,
    a_notebook,
    a_run,
    add,
    an_attempt,
    full_attempt,
    full_change,
    full_run,
    full_task,
    full_task_run,
    save,
    task_runs,
)

OTHER = "run@host.2.bbbbbb"
EXTRACT, LOAD = TaskKey(TaskName("extract")), TaskKey(TaskName("load"))
A_CHANGE = full_change("r1", EXTRACT)


def everything(store: Store) -> tuple[object, ...]:
    """All that can be read of a store."""
    runs = store.list_runs(limit=1000)
    return (
        [store.load(run.id) for run in runs],
        [store.attempts(run.id) for run in runs],
        store.changes(0),
        store.asked([run.id for run in runs]),
        store.owned(),
        store.pool_holders(),
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


class NewRuns:
    def test_comes_back_as_it_was_made(self, store: Store) -> None:
        frozen = a_frozen("unused")
        frozen = replace(frozen, pipeline=replace(frozen.pipeline, tasks={EXTRACT.task: full_task()}))
        run, task = full_run(frozen), full_task_run(EXTRACT)
        assert_full(run)
        assert_full(task, "live")
        assert store.add_run(run, [task], frozen, None)
        stored = store.load(run.id)
        assert stored.run == run
        assert stored.pipeline == frozen.pipeline
        assert stored.tasks == {EXTRACT: task}
        assert store.manifest_text(frozen.sha256) == frozen.text

    def test_its_tasks_keep_the_order_of_the_manifest(self, store: Store) -> None:
        frozen = a_frozen("zebra", "apple", "mango", "extract")
        add(store, "r1", frozen)
        assert [key.task for key in store.load(RunId("r1")).tasks] == ["zebra", "apple", "mango", "extract"]

    def test_items_of_a_task_are_task_runs_of_their_own_in_the_order_of_their_index(self, store: Store) -> None:
        frozen = a_frozen("fit", "report")
        keys = [TaskKey(TaskName("fit"), item) for item in (2, 10, 0)]
        keys.append(TaskKey(TaskName("report")))
        tasks = [waiting(key, note=key.address) for key in keys]
        assert store.add_run(a_run("r1", frozen), tasks, frozen, None)
        stored = store.load(RunId("r1")).tasks
        assert [(key.address, task.note) for key, task in stored.items()] == [
            (address, address) for address in ("fit.0", "fit.2", "fit.10", "report")
        ]

    def test_of_a_key_is_created_once(self, store: Store) -> None:
        frozen = a_frozen("extract")
        assert store.add_run(a_run("r1", frozen, run_key="key:a"), task_runs(frozen), frozen, None)
        before = everything(store)
        other = a_frozen("extract", text="another text")
        assert not store.add_run(a_run("r2", other, run_key="key:a"), task_runs(other), other, None)
        assert everything(store) == before
        assert store.run_of_key(PipelineName("nightly"), "key:a") == "r1"
        with pytest.raises(NotFound):
            store.manifest_text(other.sha256)

    def test_of_a_key_that_another_pipeline_has(self, store: Store) -> None:
        one, two = a_frozen("extract"), a_frozen("extract", pipeline="weekly")
        assert store.add_run(a_run("r1", one, run_key="key:a"), task_runs(one), one, None)
        assert store.add_run(a_run("r2", two, run_key="key:a"), task_runs(two), two, None)
        assert store.run_of_key(PipelineName("weekly"), "key:a") == "r2"

    def test_an_id_is_given_once(self, store: Store) -> None:
        add(store, "r1")
        frozen = a_frozen("extract")
        with refused(store, Conflict):
            store.add_run(a_run("r1", frozen, run_key="key:b"), task_runs(frozen), frozen, None)

    def test_a_task_run_is_given_once(self, store: Store) -> None:
        frozen = a_frozen("extract")
        with refused(store, Conflict):
            store.add_run(a_run("r1", frozen), [*task_runs(frozen), *task_runs(frozen)], frozen, None)

    def test_two_pipelines_of_one_text_are_kept_apart(self, store: Store) -> None:
        """`nbflow run --task` runs a part of what the manifest declares."""
        whole, part = a_frozen("extract", "load", text="same"), a_frozen("load", text="same")
        add(store, "r1", whole)
        add(store, "r2", part)
        assert list(store.load(RunId("r1")).pipeline.tasks) == ["extract", "load"]
        assert list(store.load(RunId("r2")).pipeline.tasks) == ["load"]

    def test_creation_is_the_first_line_of_its_change_log(self, store: Store) -> None:
        frozen = a_frozen("extract")
        store.add_run(a_run("r1", frozen, created_by="ada"), task_runs(frozen), frozen, None)
        [change] = store.changes(0)
        assert replace(change, seq=0) == Change(
            at=NOW, run=RunId("r1"), pipeline=PipelineName("nightly"), event="run", after="queued", by="ada"
        )

    def test_times_keep_their_instant_and_come_back_in_utc(self, store: Store) -> None:
        frozen = a_frozen("extract")
        kathmandu = timezone(timedelta(hours=5, minutes=45))
        at = datetime(2026, 3, 29, 2, 30, 0, 1, tzinfo=kathmandu)
        store.add_run(a_run("r1", frozen, logical_date=at.astimezone(UTC), created_at=at), [], frozen, None)
        stored = store.load(RunId("r1")).run
        assert stored.created_at == stored.logical_date == at
        assert stored.logical_date.tzinfo is UTC
        assert stored.logical_date.isoformat() == "2026-03-28T20:45:00.000001+00:00"

    def test_text_that_no_database_holds_does_not_stop_the_run(self, store: Store) -> None:
        frozen = a_frozen("extract")
        text = "before \x00 \udc80 after"
        task = waiting(EXTRACT, reason=text, outputs={"message": text})
        assert store.add_run(a_run("r1", frozen, created_by=text), [task], frozen, None)
        stored = store.load(RunId("r1"))
        for kept in (stored.run.created_by, stored.tasks[EXTRACT].reason, stored.tasks[EXTRACT].outputs["message"]):
            assert kept.startswith("before ")
            assert kept.endswith(" after")


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
        store.claim(RunId("r1"), OTHER, now=NOW, ttl=TTL, force=True)
        with refused(store, LeaseLost):
            save(store, lease, tasks=[full_task_run(EXTRACT)], changes=[A_CHANGE])

    def test_a_lost_lease_is_told_before_a_stale_version(self, store: Store) -> None:
        lease = add(store, "r1")
        save(store, store.claim(RunId("r1"), OTHER, now=NOW, ttl=TTL, force=True))
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

    def test_a_live_one_is_taken_by_force(self, store: Store) -> None:
        add(store, "r1")
        assert store.claim(RunId("r1"), OTHER, now=NOW, ttl=TTL, force=True).epoch == 2

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
        store.renew(ENGINE, now=NOW + TTL, ttl=TTL)
        assert {lease.run: lease.expires - NOW for lease in store.owned()} == {"r1": 2 * TTL, "r2": 2 * TTL, "r3": TTL}

    def test_a_lost_one_is_not_renewed(self, store: Store) -> None:
        add(store, "r1")
        taken = store.claim(RunId("r1"), OTHER, now=NOW, ttl=TTL, force=True)
        store.renew(ENGINE, now=NOW + TTL, ttl=TTL)
        assert store.owned() == [taken]

    def test_the_release_of_a_lost_one_does_nothing(self, store: Store) -> None:
        lost = add(store, "r1")
        taken = store.claim(RunId("r1"), OTHER, now=NOW, ttl=TTL, force=True)
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


REQUESTS: list[Request] = [
    CancelRequested(by="ada", note="stop"),
    CancelRequested(by="ada", key=EXTRACT, grace=timedelta(0)),
    ResetRequested(
        by="ada",
        keys=(EXTRACT, TaskKey(TaskName("fit"), 3)),
        only=True,
        params={"region": "emea"},
        notebooks={TaskName("extract"): a_notebook("extract")},
        kill=True,
        note="again",
    ),
    MarkRequested(by="ada", key=LOAD, state=TaskState.SUCCESS, outputs={"rows": 3}, note="done by hand", kill=True),
    RetryNowRequested(by="ada", key=EXTRACT, note="now"),
]


class Requests:
    @pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.kind)
    def test_reaches_the_owner_as_it_was_made(self, store: Store, request_: Request) -> None:
        add(store, "r1")
        number = store.ask(RunId("r1"), request_, now=NOW)
        [asked] = store.asked([RunId("r1")])[RunId("r1")]
        assert (asked.id, asked.request) == (number, request_)
        assert type(asked.request) is type(request_)
        assert store.answer(number) is None

    def test_those_of_the_named_runs_are_found_oldest_first(self, store: Store) -> None:
        for name in ("r1", "r2", "r3", "r4"):
            add(store, name)
        asked = {
            RunId(run): [store.ask(RunId(run), CancelRequested(by=f"{run}{at}"), now=NOW) for at in range(3)]
            for run in ("r2", "r1", "r3")
        }
        found = store.asked([RunId("r1"), RunId("r2"), RunId("r4")])
        assert {run: [each.id for each in requests] for run, requests in found.items()} == {
            run: asked[run] for run in (RunId("r1"), RunId("r2"))
        }
        assert store.asked([]) == {}

    @pytest.mark.parametrize("error", ["", "it has ended"])
    def test_an_answered_one_is_no_longer_asked(self, store: Store, error: str) -> None:
        lease = add(store, "r1")
        first, second = (store.ask(RunId("r1"), CancelRequested(by="ada"), now=NOW) for _ in range(2))
        save(store, lease, answers=[Answer(id=first, error=error)])
        assert store.answer(first) == error
        assert [asked.id for asked in store.asked([RunId("r1")])[RunId("r1")]] == [second]

    def test_the_first_answer_stays(self, store: Store) -> None:
        lease = add(store, "r1")
        number = store.ask(RunId("r1"), CancelRequested(by="ada"), now=NOW)
        save(store, lease, answers=[Answer(id=number)])
        save(store, lease, answers=[Answer(id=number, error="later")])
        assert store.answer(number) == ""

    def test_only_the_owner_of_its_run_answers_it(self, store: Store) -> None:
        add(store, "r1")
        number = store.ask(RunId("r1"), CancelRequested(by="ada"), now=NOW)
        save(store, add(store, "r2"), answers=[Answer(id=number)])
        assert store.answer(number) is None

    def test_an_answer_to_nothing_in_the_store_is_passed_over(self, store: Store) -> None:
        """An engine asks itself when it is interrupted, with the number 0."""
        assert save(store, add(store, "r1"), answers=[Answer(id=0)]).version == 1

    def test_to_an_unknown_run(self, store: Store) -> None:
        with refused(store, NotFound, match="r9"):
            store.ask(RunId("r9"), CancelRequested(by="ada", grace=GRACE), now=NOW)

    def test_an_unknown_one_has_no_answer(self, store: Store) -> None:
        with pytest.raises(NotFound):
            store.answer(4711)


class FindRun:
    @pytest.fixture
    def ids(self, store: Store) -> list[str]:
        nightly, weekly = a_frozen("extract"), a_frozen("extract", pipeline="weekly")
        made = {
            "20260401-020000-3f9a1c": nightly,
            "20260401-020000-3f": nightly,
            "20260402-020000-aaaaaa": weekly,
            "a_b": nightly,
            "axb": nightly,
        }
        for at, (name, frozen) in enumerate(made.items()):
            run = a_run(name, frozen, created_at=NOW - timedelta(hours=at))
            assert store.add_run(run, task_runs(frozen), frozen, None)
        return list(made)

    @pytest.mark.parametrize(
        ("ref", "found"),
        [
            ("20260401-020000-3f9a1c", "20260401-020000-3f9a1c"),
            ("20260401-020000-3f", "20260401-020000-3f"),
            ("20260401-020000-3f9", "20260401-020000-3f9a1c"),
            ("20260402", "20260402-020000-aaaaaa"),
            ("a_", "a_b"),
            ("latest", "20260401-020000-3f9a1c"),
            ("latest:", "20260401-020000-3f9a1c"),
            ("latest:nightly", "20260401-020000-3f9a1c"),
            ("latest:weekly", "20260402-020000-aaaaaa"),
        ],
    )
    def test_finds(self, store: Store, ids: list[str], ref: str, found: str) -> None:
        assert store.find_run(ref) == found

    def test_several_candidates_are_named(self, store: Store, ids: list[str]) -> None:
        with pytest.raises(InvalidInput, match="several runs, such as 20260401-020000-3f9a1c and 20260401-020000-3f"):
            store.find_run("20260401")

    @pytest.mark.parametrize("ref", ["2025", "A_", "%", "a__", "20260401-020000-3f9a1c0", "\x00"])
    def test_nothing_is_told_with_the_latest_runs(self, store: Store, ids: list[str], ref: str) -> None:
        with pytest.raises(NotFound, match="20260401-020000-3f9a1c, 20260401-020000-3f, 2026"):
            store.find_run(ref)

    def test_an_empty_word_is_no_run(self, store: Store, ids: list[str]) -> None:
        with pytest.raises(InvalidInput):
            store.find_run("")

    def test_a_pipeline_without_runs_is_told_with_a_near_name(self, store: Store, ids: list[str]) -> None:
        with pytest.raises(NotFound, match=r"pipeline 'nightli' has no run\. Did you mean 'nightly'"):
            store.find_run("latest:nightli")

    @pytest.mark.parametrize("ref", ["latest", "latest:nightly", "r1"])
    def test_an_empty_store_is_told(self, store: Store, ref: str) -> None:
        with pytest.raises(NotFound):
            store.find_run(ref)

    def test_an_unknown_run_is_not_loaded(self, store: Store) -> None:
        with pytest.raises(NotFound, match="r9"):
            store.load(RunId("r9"))

    def test_an_unknown_key_has_no_run(self, store: Store) -> None:
        with pytest.raises(NotFound, match="key:a"):
            store.run_of_key(PipelineName("nightly"), "key:a")


class History:
    def test_lists_runs_newest_first(self, store: Store) -> None:
        frozen = a_frozen("extract")
        hours = {"b": 1, "a": 1, "old": 0, "B": 1, "new": 2}
        runs = {
            name: a_run(name, frozen, created_at=NOW + timedelta(hours=each), ended_at=NOW)
            for name, each in hours.items()
        }
        for run in runs.values():
            store.add_run(run, task_runs(frozen), frozen, None)
        listed = [runs[name] for name in ("new", "b", "a", "B", "old")]
        assert store.list_runs() == listed
        assert store.list_runs(limit=2) == listed[:2]

    def test_lists_runs_of_a_pipeline_and_of_a_state(self, store: Store) -> None:
        nightly, weekly = a_frozen("extract"), a_frozen("extract", pipeline="weekly")
        for name, frozen in {"n1": nightly, "n2": nightly, "w1": weekly}.items():
            lease = add(store, name, frozen)
            if name != "n2":
                save(store, lease, run={"state": RunState.FAILED})

        def listed(**about: Any) -> list[str]:
            return [run.id for run in store.list_runs(**about)]

        assert listed(pipeline=PipelineName("nightly")) == ["n2", "n1"]
        assert listed(state=RunState.FAILED) == ["w1", "n1"]
        assert listed(pipeline=PipelineName("nightly"), state=RunState.FAILED) == ["n1"]
        assert listed(pipeline=PipelineName("hourly")) == []

    def test_a_run_without_attempts_has_none_listed(self, store: Store) -> None:
        add(store, "r1")
        assert store.attempts(RunId("r1")) == {}

    def test_what_a_task_usually_takes_is_the_median_of_its_successes(self, store: Store) -> None:
        lease = add(store, "r1")
        tried = [succeeded("r1", "extract", number, seconds) for number, seconds in enumerate((1, 2.5, 400), 1)]
        tried.append(replace(succeeded("r1", "extract", 4, 9000), state=AttemptState.FAILED))
        tried.append(replace(succeeded("r1", "extract", 5, 9000), state=AttemptState.RUNNING, ended_at=None))
        tried += [succeeded("r1", "load", number, seconds) for number, seconds in enumerate((10, 20.5), 1)]
        save(store, lease, attempts=tried)
        assert store.usual_seconds(PipelineName("nightly")) == {"extract": 2.5, "load": 15.25}

    def test_only_the_last_twenty_successes_count(self, store: Store) -> None:
        lease = add(store, "r1")
        old = [succeeded("r1", "extract", number, 1000, NOW - timedelta(days=1)) for number in range(20, 40)]
        new = [succeeded("r1", "extract", number, number, NOW + timedelta(minutes=number)) for number in range(20)]
        save(store, lease, attempts=[replace(each, number=each.number + 1) for each in (*new, *old)])
        assert store.usual_seconds(PipelineName("nightly")) == {"extract": 9.5}

    def test_another_pipeline_says_nothing_about_it(self, store: Store) -> None:
        lease = add(store, "r1", a_frozen("extract", pipeline="weekly"))
        save(store, lease, attempts=[succeeded("r1", "extract", 1, 5)])
        assert store.usual_seconds(PipelineName("nightly")) == {}

    def test_the_change_log_is_read_from_where_one_was(self, store: Store) -> None:
        first, second = add(store, "r1"), add(store, "r2")
        save(store, first, changes=[replace(A_CHANGE, note=str(at)) for at in range(3)])
        save(store, second, changes=[full_change("r2", None)])
        log = store.changes(0)
        assert [change.seq for change in log] == sorted({change.seq for change in log})
        assert [change.note for change in log] == [None, None, "0", "1", "2", "because"]
        assert store.changes(log[2].seq) == log[3:]
        assert store.changes(0, limit=2) == log[:2]
        assert store.changes(log[0].seq, run=RunId("r1")) == log[2:5]
        assert store.changes(log[-1].seq) == []


class StoreContract(NewRuns, Decisions, Attempts, Pools, Leases, Requests, FindRun, History):
    """Every behaviour of ports.RunStore and ports.ReadStore."""

    @pytest.fixture
    def store(self) -> Store:
        """An empty store."""
        raise NotImplementedError
