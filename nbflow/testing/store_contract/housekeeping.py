"""What is removed, and what never is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from nbflow.backfill import BackfillState, ItemAction
from nbflow.model import PipelineName, RunId
from nbflow.notice import NoticeKind
from nbflow.ports.housekeeping import Leftover
from nbflow.retention import Finished
from nbflow.run import Answer, CancelRequested
from nbflow.states import RunState
from nbflow.testing.samples import NOW, Store, a_frozen, a_run, add, an_attempt, full_notice, save
from nbflow.testing.scheduling import a_backfill, items_of, see
from nbflow.testing.store_contract.looking import A_CHANGE, everything

NIGHTLY = PipelineName("nightly")


def finish(store: Store, name: str, at: int = 0, state: RunState = RunState.SUCCESS, text: str | None = None) -> None:
    """A run that began `at` hours after NOW, was asked for something, and has ended."""
    frozen = a_frozen("extract", "load", text=text)
    lease = add(store, a_run(name, frozen, created_at=NOW + timedelta(hours=at)), frozen)
    number = store.ask(RunId(name), CancelRequested(by="ada"), now=NOW)
    ended = {"state": state, "ended_at": NOW + timedelta(hours=at, minutes=1)}
    change = replace(A_CHANGE, run=RunId(name))
    save(store, lease, run=ended, attempts=[an_attempt(name, "extract")], changes=[change], answers=[Answer(id=number)])
    store.release(lease)


class HousekeepingContract:
    def test_finished_runs_are_told_newest_first(self, store: Store) -> None:
        finish(store, "old")
        finish(store, "new", 2, RunState.FAILED)
        add(store, "live")
        add(store, a_run("other", a_frozen("extract", pipeline="weekly")), a_frozen("extract", pipeline="weekly"))
        assert store.finished(NIGHTLY) == [
            Finished(RunId("new"), RunState.FAILED, NOW + timedelta(hours=2, minutes=1)),
            Finished(RunId("old"), RunState.SUCCESS, NOW + timedelta(minutes=1)),
        ]
        assert store.pipelines_with_runs() == ["nightly", "weekly"]

    def test_a_removed_run_leaves_nothing_but_its_folder_to_be_removed(self, store: Store) -> None:
        finish(store, "stays", 1)
        before = everything(store)
        finish(store, "goes")
        assert store.remove_runs([RunId("goes"), RunId("unknown")]) == ["goes"]
        assert everything(store) == before
        assert store.leftovers() == [Leftover(RunId("goes"), NIGHTLY)]
        store.forget([RunId("goes")])
        assert store.leftovers() == []
        finish(store, "goes")  # its id and its key are free again
        assert len(store.finished(NIGHTLY)) == 2

    def test_numbers_are_not_given_again(self, store: Store) -> None:
        """Readers of the change log remember the last one that they saw."""
        finish(store, "stays")
        finish(store, "goes")
        first, *_, last = (change.seq for change in store.changes(0))
        number = store.ask(RunId("stays"), CancelRequested(by="ada"), now=NOW)
        store.remove_runs([RunId("goes")])
        assert store.changes(last) == []
        finish(store, "new")
        assert {change.run for change in store.changes(last)} == {"new"}
        assert store.changes(first) == store.changes(0)[1:]
        assert store.ask(RunId("stays"), CancelRequested(by="ada"), now=NOW) > number

    def test_a_run_that_somebody_needs_is_not_removed(self, store: Store) -> None:
        add(store, "unfinished")
        finish(store, "asked")
        store.ask(RunId("asked"), CancelRequested(by="ada"), now=NOW)
        before = everything(store)
        assert store.remove_runs([RunId(name) for name in ("unfinished", "asked")]) == []
        assert everything(store) == before
        assert store.leftovers() == []

    def test_a_lease_that_a_dead_owner_left_keeps_no_ended_run(self, store: Store) -> None:
        finish(store, "r1")
        left = store.claim(RunId("r1"), "engine", now=NOW, ttl=timedelta(seconds=15))
        assert store.remove_runs([RunId("r1")]) == ["r1"]
        store.release(left)

    def test_a_run_of_an_active_backfill_stays_until_that_has_ended(self, store: Store) -> None:
        leader = see(store)
        backfill = store.add_backfill(a_backfill(), items_of(a_backfill(1, 1)))
        [item] = store.next_items(backfill.id, 1)
        finish(store, "r1")
        begun = replace(item, action=ItemAction.RESET, run=RunId("r1"))
        request = CancelRequested(by="ada")
        assert store.begin_item(leader, backfill.id, begun, request=request, now=NOW)
        assert store.remove_runs([RunId("r1")]) == []
        [asked] = store.asked([RunId("r1")])[RunId("r1")]
        lease = store.claim(RunId("r1"), "engine", now=NOW, ttl=timedelta(seconds=15))
        save(store, lease, answers=[Answer(id=asked.id)])
        store.release(lease)
        assert store.remove_runs([RunId("r1")]) == []
        store.set_backfill(backfill.id, BackfillState.CANCELLED, by="ada", note="", now=NOW)
        assert store.remove_runs([RunId("r1")]) == ["r1"]
        assert [each.run for each in store.backfill_items(backfill.id)] == [None]
        assert store.backfill_progress(backfill.id).ended == 1

    def test_numbers_of_the_log_are_not_given_again_when_its_newest_lines_go(self, store: Store) -> None:
        finish(store, "r1")
        seen = store.latest_change()
        store.remove_runs([RunId("r1")])
        assert store.changes(0) == []
        finish(store, "r2", 1)
        assert store.latest_change() > seen
        assert [change.run for change in store.changes(seen)] == [RunId("r2")] * len(store.changes(0))

    def test_texts_and_notebooks_stay_as_long_as_a_run_needs_them(self, store: Store) -> None:
        finish(store, "old", text="name: nightly  # old\n")
        finish(store, "new", 1, text="name: nightly  # new\n")
        assert store.remove_unused_texts() == 0
        assert "0" * 64 in store.notebooks_in_use()
        assert set(store.notebooks_in_use()) >= {each.sha256 for each in a_frozen("extract", "load").notebooks.values()}
        store.remove_runs([RunId("old")])
        assert store.remove_unused_texts() == 1
        assert store.remove_unused_texts() == 0
        store.remove_runs([RunId("new")])
        assert store.notebooks_in_use() == set()

    def test_old_messages_go_but_not_what_was_told_last_of_a_pipeline(self, store: Store) -> None:
        for name, kind in {"f1": NoticeKind.FAILED, "late": NoticeKind.LATE, "f2": NoticeKind.FAILED}.items():
            store.tell([full_notice(id=name, kind=kind, at=NOW)])
            claim = store.claim_message(now=NOW + timedelta(hours=len(store.messages())), ttl=timedelta(0))
            assert claim is not None
            store.mark_sent(claim.message, now=NOW + timedelta(hours=len(store.messages())))
        store.tell([full_notice(id="waits", kind=NoticeKind.LATE, at=NOW)])
        assert store.remove_messages(NOW) == 0
        assert store.remove_messages(NOW + timedelta(days=1)) == 2
        assert [message.notice.id for message in store.messages()] == ["waits", "f2"]
