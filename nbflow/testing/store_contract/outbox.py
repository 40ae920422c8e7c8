"""The outbox: what is told is kept once, sent at least once, and never in a flood."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from nbflow.errors import LeaseLost, StaleVersion
from nbflow.model import PipelineName
from nbflow.notice import Notice, NoticeKind
from nbflow.ports import Claim, Message, MessageState
from nbflow.testing.samples import NOW, Store, add, full_notice, save
from nbflow.testing.scheduling import NIGHTLY, see, tick_of
from nbflow.testing.store_contract.looking import assert_full, refused

TTL = timedelta(minutes=5)
HOUR = timedelta(hours=1)


def told(name: str, kind: NoticeKind = NoticeKind.FAILED, **about: Any) -> Notice:
    return Notice(**{"id": name, "kind": kind, "channels": ("ops",), "at": NOW, "pipeline": "nightly", **about})


def claim(store: Store, now: datetime = NOW) -> Claim:
    claimed = store.claim_message(now=now, ttl=TTL)
    assert claimed is not None
    return claimed


def send(store: Store, now: datetime = NOW) -> Claim:
    claimed = claim(store, now)
    store.mark_sent(claimed.message, now=now)
    return claimed


def states(store: Store) -> dict[str, MessageState]:
    return {message.id: message.state for message in store.messages()}


class OutboxContract:
    def test_a_decision_is_saved_with_what_it_tells(self, store: Store) -> None:
        notice = full_notice(channels=("ops", "sales"))
        assert_full(notice)
        save(store, add(store, "r1"), notices=[notice])
        kept = [
            Message(id=f"failed/r1/4/{channel}", channel=channel, notice=notice, due=notice.at)
            for channel in ("sales", "ops")
        ]
        assert store.messages() == kept
        assert store.messages(limit=1) == kept[:1]

    def test_ticks_are_kept_with_what_they_tell_or_not_at_all(self, store: Store) -> None:
        leader = see(store)
        store.fire(leader, NIGHTLY, cursor=tick_of(1), notices=[told("missed/nightly", NoticeKind.MISSED)], now=NOW)
        assert [message.id for message in store.messages()] == ["missed/nightly/ops"]
        store.lead("another", now=NOW, ttl=TTL, instead_of=leader.engine)
        with refused(store, LeaseLost):
            store.fire(leader, NIGHTLY, cursor=tick_of(2), notices=[told("b")], now=NOW)

    def test_a_decision_that_is_refused_tells_nothing(self, store: Store) -> None:
        lease = add(store, "r1")
        with refused(store, StaleVersion):
            save(store, lease, notices=[told("a")], seen=7)
        assert store.messages() == []

    def test_the_same_notice_is_kept_once(self, store: Store) -> None:
        store.tell([told("a"), told("a"), told("b")])
        send(store)
        store.tell([told("a", text="again")])
        assert states(store) == {"b/ops": MessageState.SENT, "a/ops": MessageState.JOINED}

    def test_a_recovery_follows_a_failure_of_the_same_pipeline(self, store: Store) -> None:
        recovered = NoticeKind.RECOVERED
        store.tell([told("early", recovered), told("f1"), told("late", NoticeKind.LATE)])
        store.tell([told("other", recovered, pipeline=PipelineName("weekly")), told("r1", recovered)])
        store.tell([told("r2", recovered), told("f2"), told("r3", recovered)])
        assert [message.notice.id for message in store.messages()] == ["r3", "f2", "r1", "late", "f1"]

    def test_nothing_is_claimed_where_nothing_waits(self, store: Store) -> None:
        assert store.claim_message(now=NOW, ttl=TTL) is None

    def test_a_claimed_message_is_nobody_elses_until_its_time_is_over(self, store: Store) -> None:
        store.tell([told("a")])
        first = claim(store)
        assert (first.message.id, first.message.tries, first.message.due) == ("a/ops", 1, NOW + TTL)
        assert store.claim_message(now=NOW + TTL - timedelta(seconds=1), ttl=TTL) is None
        again = claim(store, NOW + TTL)
        assert (again.message.id, again.message.tries, again.held) == ("a/ops", 2, ())

    def test_a_sent_message_is_done_with(self, store: Store) -> None:
        store.tell([told("a")])
        message = replace(claim(store).message, done=("1", "2"))
        store.mark_sent(message, now=NOW + timedelta(seconds=3))
        assert store.claim_message(now=NOW + HOUR, ttl=TTL) is None
        [kept] = store.messages()
        assert (kept.state, kept.ended_at, kept.done) == (MessageState.SENT, NOW + timedelta(seconds=3), ("1", "2"))
        store.mark_sent(message, now=NOW + HOUR)
        assert store.messages() == [kept]

    def test_channels_and_pipelines_do_not_wait_for_one_another(self, store: Store) -> None:
        store.tell([told("a", channels=("ops", "sales")), told("b", pipeline=PipelineName("weekly"))])
        store.tell([told("c", NoticeKind.RESTARTED, pipeline=None), told("d", NoticeKind.RESTARTED, pipeline=None)])
        sent = [send(store).message.id for _ in range(4)]
        assert sorted(sent) == ["a/ops", "a/sales", "b/ops", "d/ops"]

    def test_within_the_hour_messages_are_held_back_and_the_next_tells_of_them(self, store: Store) -> None:
        store.tell([told("a")])
        send(store)
        for minutes in range(5, 60, 5):
            at = NOW + timedelta(minutes=minutes)
            store.tell([told(f"b{minutes}", at=at)])
            assert store.claim_message(now=at, ttl=TTL) is None
        claimed = send(store, NOW + HOUR)
        assert claimed.message.id == "b55/ops"
        assert [notice.id for notice in claimed.held] == [f"b{minutes}" for minutes in range(5, 55, 5)]
        assert store.claim_message(now=NOW + 3 * HOUR, ttl=TTL) is None

    def test_a_message_whose_sender_died_comes_again_as_it_was(self, store: Store) -> None:
        """What came later waits, and is told by the next one."""
        store.tell([told("a"), told("b")])
        first = claim(store)
        store.tell([told("c")])
        assert store.claim_message(now=NOW, ttl=TTL) is None
        again = send(store, NOW + TTL)
        assert (again.message.id, again.held) == (first.message.id, first.held) == ("b/ops", (told("a"),))
        assert store.claim_message(now=NOW + TTL, ttl=TTL) is None
        assert send(store, NOW + TTL + HOUR).message.id == "c/ops"

    def test_a_message_that_failed_is_tried_again_when_it_is_due(self, store: Store) -> None:
        store.tell([told("a")])
        failed = replace(claim(store).message, error="no route", done=("1",))
        store.put_off_message(failed, due=NOW + timedelta(minutes=30))
        assert store.messages(only_troubled=True) == [replace(failed, due=NOW + timedelta(minutes=30))]
        assert store.claim_message(now=NOW + timedelta(minutes=29), ttl=TTL) is None
        again = send(store, NOW + timedelta(minutes=30)).message
        assert (again.tries, again.done, again.error) == (2, ("1",), "no route")
        assert store.messages(only_troubled=True) == []

    def test_a_message_that_was_dropped_is_never_tried_again(self, store: Store) -> None:
        store.tell([told("a")])
        failed = replace(claim(store).message, error="no route")
        store.drop_message(failed, now=NOW + HOUR)
        [kept] = store.messages(only_troubled=True)
        assert (kept.state, kept.error, kept.ended_at) == (MessageState.DROPPED, "no route", NOW + HOUR)
        assert store.claim_message(now=NOW + 24 * HOUR, ttl=TTL) is None

    def test_a_clock_that_was_ahead_holds_no_message_up(self, store: Store) -> None:
        """Neither a claim nor a message sent in times to come delays those of today."""
        years_ahead = NOW + 1000 * 24 * HOUR
        store.tell([told("a")])
        claim(store, years_ahead)
        assert send(store).message.id == "a/ops"
        store.tell([told("b")])
        send(store, years_ahead)
        store.tell([told("c")])
        assert claim(store, NOW).message.id == "c/ops"

    def test_a_slow_sender_does_not_put_off_what_another_has_claimed(self, store: Store) -> None:
        store.tell([told("a")])
        slow = replace(claim(store).message, error="slow")
        claim(store, NOW + TTL)
        before = store.messages()
        store.put_off_message(slow, due=NOW + 24 * HOUR)
        store.drop_message(slow, now=NOW + HOUR)
        assert store.messages() == before
