"""Backfills: a range once, each tick begun once, and how far they have come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from nbflow.backfill import Backfill, BackfillItem, BackfillState, ItemAction
from nbflow.errors import Conflict, NotFound
from nbflow.model import PipelineName, RunId
from nbflow.ports import BackfillProgress, Leader
from nbflow.run import Answer, CancelRequested, Change, ResetRequested
from nbflow.states import RunState
from nbflow.testing.samples import ENGINE, NOW, TTL, Store, add, full_notice, save
from nbflow.testing.scheduling import NIGHTLY, a_backfill, an_item_run, items_of, lead, see
from nbflow.testing.store_contract.looking import assert_full, everything, refused


def added(store: Store, start: int = 1, end: int = 3, **about: Any) -> Backfill:
    asked = a_backfill(start, end, **about)
    return store.add_backfill(asked, items_of(asked))


def set_state(store: Store, number: int, state: BackfillState, **about: Any) -> Backfill:
    return store.set_backfill(number, state, **{"by": "ada", "note": "", "now": NOW, **about})


def create(store: Store, leader: Leader, number: int, run: str) -> BackfillItem:
    """Begin the next tick with a new run."""
    [item] = store.next_items(number, 1)
    begun = replace(item, action=ItemAction.CREATE, run=RunId(run))
    assert store.begin_item(leader, number, begun, new=an_item_run(item, run), now=NOW)
    return begun


def end(store: Store, run: str, state: RunState) -> None:
    save(store, store.claim(RunId(run), ENGINE, now=NOW, ttl=TTL), run={"state": state})


class Backfills:
    def test_comes_back_as_it_was_asked_for(self, store: Store) -> None:
        paused: dict[str, Any] = {
            "state": BackfillState.PAUSED,
            "changed_at": NOW,
            "changed_by": "bob",
            "reason": "no source",
        }
        asked = a_backfill(is_reverse=True, max_active=3, reprocess="failed", note="why", **paused)
        assert_full(asked, "id")
        kept = store.add_backfill(asked, items_of(asked))
        assert kept == replace(asked, id=kept.id)
        assert kept.id > 0
        assert store.backfill(kept.id) == kept
        assert store.backfills() == [kept]
        assert store.backfill_items(kept.id) == items_of(asked)

    def test_is_logged(self, store: Store) -> None:
        kept = added(store, note="the source was wrong")
        [change] = store.changes(0)
        assert replace(change, seq=0) == Change(
            at=NOW,
            run=None,
            pipeline=NIGHTLY,
            event="backfill",
            backfill=kept.id,
            after="running",
            by="ada",
            note="the source was wrong",
        )

    def test_are_listed_newest_first(self, store: Store) -> None:
        kept = [added(store, day, day) for day in (1, 2, 3)]
        set_state(store, kept[1].id, BackfillState.CANCELLED)
        assert [each.id for each in store.backfills()] == [each.id for each in kept[::-1]]
        assert [each.id for each in store.backfills(only_active=True)] == [kept[2].id, kept[0].id]

    def test_an_unknown_one_is_told(self, store: Store) -> None:
        for verb in (
            lambda: store.backfill(9),
            lambda: store.backfill_progress(9),
            lambda: set_state(store, 9, BackfillState.PAUSED),
        ):
            with refused(store, NotFound, match="9"):
                verb()
        assert store.backfill_items(9) == []
        assert store.next_items(9, 5) == []

    @pytest.mark.parametrize(("start", "last"), [(5, 9), (9, 12), (1, 5), (1, 30), (7, 7)])
    @pytest.mark.parametrize("state", [BackfillState.RUNNING, BackfillState.PAUSED])
    def test_dates_of_an_active_one_are_refused_by_its_name(
        self, store: Store, start: int, last: int, state: BackfillState
    ) -> None:
        kept = added(store, 5, 9, state=state)
        with refused(store, Conflict, match=f"backfill {kept.id} of pipeline 'nightly' is {state}.*2026-03-05 to"):
            added(store, start, last)

    def test_dates_beside_an_active_one_and_of_another_pipeline_and_of_one_that_ended(self, store: Store) -> None:
        kept = added(store, 5, 9)
        added(store, 1, 4)
        added(store, 10, 12)
        added(store, 5, 9, pipeline="weekly")
        set_state(store, kept.id, BackfillState.CANCELLED)
        added(store, 6, 8)

    @pytest.mark.parametrize("twice", ["position", "logical_date"])
    def test_a_tick_is_in_it_once(self, store: Store, twice: str) -> None:
        first, second, third = items_of(a_backfill())
        items = [first, second, replace(third, **{twice: getattr(first, twice)})]
        with refused(store, Conflict):
            store.add_backfill(a_backfill(), items)

    def test_ticks_keep_their_order_whatever_their_dates(self, store: Store) -> None:
        items = [replace(item, position=2 - item.position) for item in items_of(a_backfill())]
        kept = store.add_backfill(a_backfill(), items)
        assert store.backfill_items(kept.id) == items[::-1]
        assert store.next_items(kept.id, 2) == items[:0:-1]


class BackfillStates:
    def test_is_paused_resumed_and_ended_each_with_a_line_in_the_log(self, store: Store) -> None:
        leader, number = lead(store), added(store).id
        for state, by in ((BackfillState.PAUSED, "ada"), (BackfillState.RUNNING, "bob"), (BackfillState.DONE, "")):
            given = leader if state is BackfillState.DONE else None
            changed = set_state(store, number, state, by=by, note=f"{state}!", leader=given)
            why: dict[str, Any] = {"changed_at": NOW, "changed_by": by or None, "reason": f"{state}!"}
            assert changed == store.backfill(number) == replace(a_backfill(), id=number, state=state, **why)
        assert [(each.backfill, each.before, each.after, each.by, each.note) for each in store.changes(0)[1:]] == [
            (number, "running", "paused", "ada", "paused!"),
            (number, "paused", "running", "bob", "running!"),
            (number, "running", "done", None, "done!"),
        ]

    def test_what_a_pause_tells_is_kept_with_it_and_not_without(self, store: Store) -> None:
        number, told = added(store).id, [full_notice(id="a")]
        set_state(store, number, BackfillState.PAUSED, notices=told)
        with refused(store, Conflict):
            set_state(store, number, BackfillState.PAUSED, notices=[full_notice(id="b")])
        assert {message.notice for message in store.messages()} == set(told)

    @pytest.mark.parametrize("ended", [BackfillState.CANCELLED, BackfillState.DONE])
    def test_one_that_has_ended_stays_so(self, store: Store, ended: BackfillState) -> None:
        number = added(store).id
        set_state(store, number, ended)
        for state in BackfillState:
            with refused(store, Conflict, match=f"backfill {number} is {ended}"):
                set_state(store, number, state)

    @pytest.mark.parametrize("state", [BackfillState.RUNNING, BackfillState.PAUSED])
    def test_what_it_is_already_is_refused(self, store: Store, state: BackfillState) -> None:
        number = added(store, state=state).id
        with refused(store, Conflict, match=f"backfill {number} is {state}"):
            set_state(store, number, state)


class BackfillItems:
    @pytest.fixture
    def leader(self, store: Store) -> Leader:
        return see(store)

    @pytest.fixture
    def number(self, store: Store) -> int:
        return added(store).id

    @pytest.fixture
    def items(self, store: Store, number: int) -> Sequence[BackfillItem]:
        return store.backfill_items(number)

    def test_a_tick_of_it_creates_a_run_without_an_owner(self, store: Store, leader: Leader, number: int) -> None:
        begun = create(store, leader, number, "b0")
        waiting = store.next_items(number, 9)
        assert store.backfill_items(number) == [begun, *waiting]
        assert store.load(RunId("b0")).run == an_item_run(begun, "b0").run
        assert store.owned() == []
        assert [item.position for item in waiting] == [1, 2]
        assert store.changes(0)[-1].run == "b0"

    def test_a_tick_is_begun_once(self, store: Store, leader: Leader, number: int) -> None:
        begun = create(store, leader, number, "b0")
        before = everything(store)
        again = an_item_run(replace(begun, logical_date=datetime(2020, 1, 1, tzinfo=UTC)), "another")
        assert not store.begin_item(leader, number, replace(begun, run=RunId("another")), new=again, now=NOW)
        assert everything(store) == before

    def test_a_tick_that_has_a_run_by_now_is_not_begun(
        self, store: Store, leader: Leader, number: int, items: Sequence[BackfillItem]
    ) -> None:
        new = an_item_run(items[0], "scheduled")
        store.fire(leader, NIGHTLY, cursor=NOW, runs=[new], now=NOW)
        before = everything(store)
        begun = replace(items[0], action=ItemAction.CREATE, run=RunId("b0"))
        assert not store.begin_item(leader, number, begun, new=an_item_run(items[0], "b0"), now=NOW)
        assert everything(store) == before

    @pytest.mark.parametrize("state", [BackfillState.PAUSED, BackfillState.CANCELLED, BackfillState.DONE])
    def test_nothing_is_begun_while_it_does_not_run(
        self, store: Store, leader: Leader, number: int, items: Sequence[BackfillItem], state: BackfillState
    ) -> None:
        set_state(store, number, state)
        before = everything(store)
        begun = replace(items[0], action=ItemAction.CREATE, run=RunId("b0"))
        assert not store.begin_item(leader, number, begun, new=an_item_run(items[0], "b0"), now=NOW)
        assert everything(store) == before

    def test_a_paused_pipeline_can_be_filled(self, store: Store, leader: Leader, number: int) -> None:
        store.pause(NIGHTLY, by="ada", note="", now=NOW)
        create(store, leader, number, "b0")

    def test_a_tick_that_is_passed_over_says_why(
        self, store: Store, leader: Leader, number: int, items: Sequence[BackfillItem]
    ) -> None:
        add(store, "r1")
        passed = replace(items[0], action=ItemAction.PASS, run=RunId("r1"), reason="run r1 is running")
        assert_full(passed, "position")
        assert store.begin_item(leader, number, passed, now=NOW)
        assert store.backfill_items(number) == [passed, *items[1:]]

    def test_a_tick_that_is_reset_asks_its_run(
        self, store: Store, leader: Leader, number: int, items: Sequence[BackfillItem]
    ) -> None:
        add(store, "r1")
        request = ResetRequested(by="ada", is_backfill=True)
        begun = replace(items[0], action=ItemAction.RESET, run=RunId("r1"))
        assert store.begin_item(leader, number, begun, request=request, now=NOW)
        [asked] = store.asked([RunId("r1")])[RunId("r1")]
        assert asked.request == request
        assert not store.begin_item(leader, number, begun, request=request, now=NOW)
        assert len(store.asked([RunId("r1")])[RunId("r1")]) == 1

    @pytest.mark.parametrize("fault", ["no-such-tick", "no-such-backfill", "no-such-run", "a-run-of-that-id"])
    def test_an_error_leaves_nothing(
        self, store: Store, leader: Leader, number: int, items: Sequence[BackfillItem], fault: str
    ) -> None:
        add(store, "r1")
        run = "r9" if fault == "no-such-run" else "r1"
        begun = replace(items[0], action=ItemAction.RESET, run=RunId(run))
        if fault == "no-such-tick":
            begun = replace(begun, position=9)
        new = an_item_run(items[0], "r1") if fault == "a-run-of-that-id" else None
        of = number + 1 if fault == "no-such-backfill" else number
        with refused(store, Conflict if new else NotFound):
            store.begin_item(leader, of, begun, new=new, request=ResetRequested(by="ada"), now=NOW)

    def test_progress_counts_ticks(self, store: Store, leader: Leader) -> None:
        number = added(store, 1, 9).id
        for run in ("created", "running", "failed", "success", "cancelled"):
            create(store, leader, number, run)
        end(store, "running", RunState.RUNNING)
        for state in (RunState.FAILED, RunState.SUCCESS, RunState.CANCELLED):
            end(store, state, state)
        [item] = store.next_items(number, 1)
        assert store.begin_item(leader, number, replace(item, action=ItemAction.PASS, run=RunId("created")), now=NOW)
        expected = BackfillProgress(waiting=3, active=2, ended=3, failed=2, passed=1)
        assert store.backfill_progress(number) == expected

    def test_a_run_that_is_asked_to_begin_anew_is_active_until_it_has_ended_again(
        self, store: Store, leader: Leader, number: int, items: Sequence[BackfillItem]
    ) -> None:
        """It stands as it ended before until its owner reads the request; the next tick must not begin meanwhile."""
        add(store, "r1")
        end(store, "r1", RunState.FAILED)
        begun = replace(items[0], action=ItemAction.RESET, run=RunId("r1"))
        assert store.begin_item(leader, number, begun, request=ResetRequested(by="ada"), now=NOW)
        active = BackfillProgress(waiting=2, active=1, ended=0, failed=0, passed=0)
        assert store.backfill_progress(number) == active
        [asked] = store.asked([RunId("r1")])[RunId("r1")]
        lease = store.claim(RunId("r1"), ENGINE, now=NOW, ttl=TTL)
        save(store, lease, run={"state": RunState.QUEUED}, answers=[Answer(id=asked.id)])
        assert store.backfill_progress(number) == active
        save(store, lease, run={"state": RunState.SUCCESS})
        assert store.backfill_progress(number) == replace(active, active=0, ended=1)

    def test_a_run_that_refuses_to_begin_anew_counts_as_it_stands(
        self, store: Store, leader: Leader, number: int, items: Sequence[BackfillItem]
    ) -> None:
        lease = add(store, "r1")
        save(store, lease, run={"state": RunState.FAILED})
        begun = replace(items[0], action=ItemAction.RESET, run=RunId("r1"))
        assert store.begin_item(leader, number, begun, request=ResetRequested(by="ada"), now=NOW)
        [asked] = store.asked([RunId("r1")])[RunId("r1")]
        save(store, lease, answers=[Answer(id=asked.id, error="refused")])
        assert store.backfill_progress(number) == BackfillProgress(waiting=2, active=0, ended=1, failed=1, passed=0)

    def test_the_runs_under_way_are_known_with_their_backfill(self, store: Store) -> None:
        leader = see(store)
        kept = added(store)
        create(store, leader, kept.id, "b1")
        create(store, leader, kept.id, "b2")
        end(store, "b1", RunState.SUCCESS)
        [item] = store.next_items(kept.id, 1)
        add(store, "other")
        passed = replace(item, action=ItemAction.PASS, run=RunId("other"), reason="it is queued")
        assert store.begin_item(leader, kept.id, passed, now=NOW)
        assert store.backfilled_runs() == {"b2": kept}
        set_state(store, kept.id, BackfillState.CANCELLED)
        assert store.backfilled_runs() == {}

    def test_all_that_it_has_under_way_is_asked_with_its_change(
        self, store: Store, leader: Leader, number: int, items: Sequence[BackfillItem]
    ) -> None:
        for run in ("ended", "begun"):
            create(store, leader, number, run)
        for run in ("anew", "other"):
            add(store, run)
        for run in ("ended", "anew"):
            end(store, run, RunState.FAILED)
        anew = replace(items[2], action=ItemAction.RESET, run=RunId("anew"))
        reset, cancel = ResetRequested(by="ada"), CancelRequested(by="ada")
        assert store.begin_item(leader, number, anew, request=reset, now=NOW)
        set_state(store, number, BackfillState.CANCELLED, request=cancel)
        asked = store.asked([RunId(run) for run in ("ended", "begun", "anew", "other")])
        assert {run: [each.request for each in all_] for run, all_ in asked.items()} == {
            "begun": [cancel],
            "anew": [reset, cancel],
        }
        with refused(store, Conflict):
            set_state(store, number, BackfillState.CANCELLED, request=cancel)

    def test_runs_are_found_by_their_keys(self, store: Store) -> None:
        leader = see(store)
        kept = added(store)
        begun = create(store, leader, kept.id, "b1")
        found = store.runs_of_keys(NIGHTLY, [begun.run_key, "sched:never"])
        assert {key: run.id for key, run in found.items()} == {begun.run_key: "b1"}
        assert store.runs_of_keys(PipelineName("other"), [begun.run_key]) == {}
        assert store.runs_of_keys(NIGHTLY, []) == {}
