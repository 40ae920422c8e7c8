"""Ticks: each creates one run, and what goes with it is kept in the same transaction or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nbflow.errors import Conflict, NotFound
from nbflow.model import PipelineName, RunId
from nbflow.ports import NewRun
from nbflow.run import Answer, CancelRequested, Change
from nbflow.states import AttemptState, RunState
from nbflow.testing.samples import ENGINE, NOW, TTL, Store, a_run, add, an_attempt, save, task_runs
from nbflow.testing.scheduling import NIGHTLY, a_skip, a_tick_run, see, tick_of
from nbflow.testing.store_contract.looking import everything, refused


class Firing:
    def test_a_tick_creates_a_run_without_an_owner(self, store: Store) -> None:
        new = a_tick_run()
        assert store.fire(see(store), NIGHTLY, cursor=tick_of(1), runs=[new], now=NOW) == ["t1"]
        stored = store.load(RunId("t1"))
        assert stored.run == new.run
        assert list(stored.tasks.values()) == list(task_runs(new.frozen))
        assert store.run_of_key(NIGHTLY, new.run.run_key) == "t1"
        assert store.owned() == []
        assert store.claim(RunId("t1"), ENGINE, now=NOW, ttl=TTL).epoch == 1
        assert store.standings()[NIGHTLY].cursor == tick_of(1)
        assert [(change.run, change.event, change.by) for change in store.changes(0)] == [("t1", "run", "schedule")]

    def test_a_tick_that_fires_again_creates_nothing(self, store: Store) -> None:
        leader = see(store)
        store.fire(leader, NIGHTLY, cursor=tick_of(1), runs=[a_tick_run()], now=NOW)
        before = everything(store)
        assert store.fire(leader, NIGHTLY, cursor=tick_of(1), runs=[a_tick_run(run="another")], now=NOW) == []
        assert everything(store) == before

    def test_of_several_ticks_those_without_a_run_get_one(self, store: Store) -> None:
        leader = see(store)
        backfilled = a_tick_run(2, "by-backfill")
        assert store.add_run(backfilled.run, backfilled.tasks, backfilled.frozen, None)
        ticks = [a_tick_run(day) for day in (1, 2, 3)]
        assert store.fire(leader, NIGHTLY, cursor=tick_of(3), runs=ticks, now=NOW) == ["t1", "t3"]
        assert store.run_of_key(NIGHTLY, backfilled.run.run_key) == "by-backfill"

    def test_the_cursor_moves_without_a_run_too_but_never_back(self, store: Store) -> None:
        leader = see(store)
        for cursor in (tick_of(2), tick_of(1)):
            assert store.fire(leader, NIGHTLY, cursor=cursor, now=NOW) == []
            assert store.standings()[NIGHTLY].cursor == tick_of(2)

    def test_skipped_ticks_are_kept_and_logged(self, store: Store) -> None:
        leader = see(store, "nightly", "weekly")
        first, second, weekly = a_skip(1), a_skip(5, reason="overlap"), a_skip(1, "weekly")
        store.fire(leader, NIGHTLY, cursor=tick_of(7), skips=[first, second], now=NOW)
        store.fire(leader, PipelineName("weekly"), cursor=tick_of(7), skips=[weekly], now=NOW)
        assert store.skips() == [weekly, second, first]
        assert store.skips(NIGHTLY) == [second, first]
        assert store.skips(limit=1) == [weekly]
        log = store.changes(0)
        assert [change.note for change in log] == [first.reason, "overlap", weekly.reason]
        assert replace(log[0], seq=0) == Change(
            at=first.at,
            run=None,
            pipeline=NIGHTLY,
            event="skip",
            before="2026-04-02T02:00:00+00:00",
            after="2026-04-04T02:00:00+00:00",
            note=first.reason,
        )

    def test_lines_of_a_pipeline_are_not_those_of_a_run(self, store: Store) -> None:
        store.fire(see(store), NIGHTLY, cursor=tick_of(7), runs=[a_tick_run()], skips=[a_skip()], now=NOW)
        assert [change.event for change in store.changes(0)] == ["run", "skip"]
        assert [change.event for change in store.changes(0, run=RunId("t1"))] == ["run"]

    def test_requests_are_left_for_the_runs_that_make_way(self, store: Store) -> None:
        leader = see(store)
        add(store, "r1")
        request = CancelRequested(by="schedule", note="overlap")
        ticks = [a_tick_run()]
        store.fire(leader, NIGHTLY, cursor=tick_of(1), runs=ticks, requests=[(RunId("r1"), request)], now=NOW)
        [asked] = store.asked([RunId("r1")])[RunId("r1")]
        assert asked.request == request

    def test_a_paused_pipeline_does_not_fire(self, store: Store) -> None:
        leader = see(store)
        store.pause(NIGHTLY, by="ada", note="", now=NOW)
        with refused(store, Conflict, match="pipeline 'nightly' is paused"):
            store.fire(leader, NIGHTLY, cursor=tick_of(1), runs=[a_tick_run()], skips=[a_skip()], now=NOW)

    @pytest.mark.parametrize("fault", ["a-run-of-that-id", "an-unknown-run-is-asked"])
    def test_an_error_at_the_end_leaves_nothing(self, store: Store, fault: str) -> None:
        leader = see(store)
        add(store, "r1")
        last = a_tick_run(2, "r1" if fault == "a-run-of-that-id" else "t2")
        asked = RunId("r9" if fault == "an-unknown-run-is-asked" else "r1")
        with refused(store, NotFound if fault == "an-unknown-run-is-asked" else Conflict):
            store.fire(
                leader,
                NIGHTLY,
                cursor=tick_of(2),
                runs=[a_tick_run(1), last],
                skips=[a_skip()],
                requests=[(RunId("r1"), CancelRequested(by="schedule")), (asked, CancelRequested(by="schedule"))],
                now=NOW,
            )

    def test_what_has_not_ended_is_listed_the_oldest_first(self, store: Store) -> None:
        leader = see(store)

        def tick(run: str, day: int, created: int) -> NewRun:
            return a_tick_run(day, run, created_at=tick_of(created))

        ticks = [tick("c", 5, 9), tick("b", 6, 9), tick("a", 7, 9), tick("early", 8, 8), tick("ended", 4, 9)]
        store.fire(leader, NIGHTLY, cursor=tick_of(9), runs=ticks, now=NOW)
        assert store.add_run(a_run("d", created_at=tick_of(9), logical_date=tick_of(5)), (), ticks[0].frozen, None)
        save(store, store.claim(RunId("ended"), ENGINE, now=NOW, ttl=TTL), run={"state": RunState.FAILED})
        save(store, store.claim(RunId("b"), ENGINE, now=NOW, ttl=TTL), run={"state": RunState.RUNNING})
        assert [run.id for run in store.unfinished()] == ["early", "c", "d", "b", "a"]
        assert store.unfinished()[1] == ticks[0].run

    def test_runs_with_live_attempts_are_known(self, store: Store) -> None:
        for name, state in {"r1": AttemptState.QUEUED, "r2": AttemptState.RUNNING, "r3": AttemptState.LOST}.items():
            attempts = [an_attempt(name, task, state=state) for task in ("extract", "load")]
            save(store, add(store, name), attempts=attempts)
        add(store, "r4")
        assert store.handed_over() == {"r1", "r2"}

    def test_runs_that_are_asked_and_have_no_owner_are_listed_the_longest_asked_first(self, store: Store) -> None:
        for name in ("answered", "owned", "free", "later", "unasked"):
            add(store, name)
        for name in ("owned", "answered", "later", "free", "later"):
            store.ask(RunId(name), CancelRequested(by="ada"), now=NOW)
        [asked] = store.asked([RunId("answered")])[RunId("answered")]
        for lease in store.owned():
            if lease.run == "answered":
                save(store, lease, answers=[Answer(id=asked.id)])
            if lease.run != "owned":
                store.release(lease)
        assert store.asked_ownerless() == ["later", "free"]

    def test_a_finished_run_that_is_asked_is_listed_whoever_ended_it(self, store: Store) -> None:
        """Its owner may have died between the end and letting go of it."""
        save(store, add(store, "r1"), run={"state": RunState.SUCCESS, "ended_at": NOW})
        store.ask(RunId("r1"), CancelRequested(by="ada"), now=NOW)
        assert store.asked_ownerless() == ["r1"]
