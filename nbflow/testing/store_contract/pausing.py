"""Pausing a pipeline and resuming it: once, and with a line in the log."""

from __future__ import annotations

from dataclasses import replace

from nbflow.errors import Conflict
from nbflow.run import Change
from nbflow.testing.samples import NOW, TTL, Store
from nbflow.testing.scheduling import DAY, NIGHTLY, a_skip, a_standing, a_tick_run, see, tick_of
from nbflow.testing.store_contract.looking import refused


class Pausing:
    def test_is_kept_with_who_and_why_and_logged(self, store: Store) -> None:
        see(store, "nightly", "weekly")
        store.pause(NIGHTLY, by="ada", note="the source moves", now=NOW + TTL)
        assert list(store.standings().values()) == [
            a_standing(paused_at=NOW + TTL, paused_by="ada", note="the source moves"),
            a_standing("weekly"),
        ]
        [change] = store.changes(0)
        assert replace(change, seq=0) == Change(
            at=NOW + TTL, run=None, pipeline=NIGHTLY, event="pause", by="ada", note="the source moves"
        )

    def test_a_second_time_is_refused(self, store: Store) -> None:
        see(store)
        store.pause(NIGHTLY, by="ada", note="first", now=NOW)
        with refused(store, Conflict, match="is paused already"):
            store.pause(NIGHTLY, by="bob", note="second", now=NOW)

    def test_what_is_not_paused_is_not_resumed(self, store: Store) -> None:
        see(store)
        with refused(store, Conflict, match="is not paused"):
            store.resume(NIGHTLY, by="ada", note="", now=NOW + DAY, skip=a_skip())

    def test_resuming_starts_from_then_and_keeps_what_was_skipped(self, store: Store) -> None:
        leader = see(store)
        store.pause(NIGHTLY, by="ada", note="", now=NOW)
        store.resume(NIGHTLY, by="bob", note="it has moved", now=NOW + 4 * DAY, skip=a_skip(reason="was paused"))
        assert store.standings() == {NIGHTLY: a_standing(cursor=NOW + 4 * DAY)}
        assert store.skips() == [a_skip(reason="was paused")]
        assert [(change.event, change.by, change.note) for change in store.changes(0)] == [
            ("pause", "ada", None),
            ("resume", "bob", "it has moved"),
            ("skip", None, "was paused"),
        ]
        assert store.fire(leader, NIGHTLY, cursor=tick_of(5), runs=[a_tick_run(5)], now=NOW) == ["t5"]

    def test_resuming_where_no_tick_was_skipped(self, store: Store) -> None:
        see(store)
        store.pause(NIGHTLY, by="ada", note="", now=NOW)
        store.resume(NIGHTLY, by="ada", note="", now=NOW, skip=None)
        assert store.skips() == []
        store.pause(NIGHTLY, by="ada", note="again", now=NOW + TTL)
        assert store.standings()[NIGHTLY].note == "again"

    def test_a_save_of_the_manifest_is_logged_also_before_a_scheduler_has_seen_it(self, store: Store) -> None:
        store.log_save(NIGHTLY, by="ada", note="an hour later", now=NOW)
        store.log_save(NIGHTLY, by="bob", note="", now=NOW + TTL)
        assert [(change.at, change.event, change.by, change.note) for change in store.changes(0)] == [
            (NOW, "save", "ada", "an hour later"),
            (NOW + TTL, "save", "bob", None),
        ]
        assert store.standings() == {}
