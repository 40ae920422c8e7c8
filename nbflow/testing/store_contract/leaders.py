"""The leader: one at a time, each with a higher epoch, and the only one whose writes count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from nbflow.backfill import BackfillState, ItemAction
from nbflow.errors import Conflict, LeaseLost
from nbflow.ports import Leader
from nbflow.testing.samples import ENGINE, NOW, TTL, Store
from nbflow.testing.scheduling import (
    NIGHTLY,
    a_backfill,
    a_skip,
    a_standing,
    a_tick_run,
    an_item_run,
    items_of,
    lead,
    see,
    tick_of,
)
from nbflow.testing.store_contract.looking import OTHER, everything, refused

LEAST = timedelta(microseconds=1)


Write = Callable[[Store, Leader, int], object]
"""A verb of the leader; the number is that of a backfill."""


def begin(store: Store, leader: Leader, number: int) -> bool:
    [item] = store.next_items(number, 1)
    new = an_item_run(item, "b1")
    return store.begin_item(leader, number, replace(item, action=ItemAction.CREATE, run=new.run.id), new=new, now=NOW)


WRITES: dict[str, Write] = {
    "see": lambda store, leader, _: store.see(leader, a_standing(cursor=tick_of(9)), None),
    "rewind": lambda store, leader, _: store.rewind(leader, NIGHTLY, tick_of(1)),
    "fire": lambda store, leader, _: store.fire(
        leader, NIGHTLY, cursor=tick_of(1), runs=[a_tick_run()], skips=[a_skip()], now=NOW
    ),
    "set_backfill": lambda store, leader, number: store.set_backfill(
        number, BackfillState.DONE, by="", note="", now=NOW, leader=leader
    ),
    "begin_item": begin,
}


class Leaders:
    def test_nobody_leads_an_empty_store(self, store: Store) -> None:
        assert store.leader() is None

    def test_the_first_to_ask_leads(self, store: Store) -> None:
        leader = store.lead(ENGINE, now=NOW, ttl=TTL)
        assert leader == Leader(engine=ENGINE, epoch=1, expires=NOW + TTL)
        assert store.leader() == leader

    def test_who_leads_stays_it_with_the_same_epoch(self, store: Store) -> None:
        lead(store)
        assert lead(store, now=NOW + TTL / 3) == Leader(engine=ENGINE, epoch=1, expires=NOW + TTL / 3 + TTL)

    def test_who_was_late_stays_it_while_nobody_took_it(self, store: Store) -> None:
        lead(store)
        assert lead(store, now=NOW + 9 * TTL).epoch == 1

    def test_a_second_one_stands_by(self, store: Store) -> None:
        lead(store)
        with refused(store, Conflict, match=f"{ENGINE} leads until 09:00:15 UTC"):
            lead(store, OTHER, now=NOW + TTL - LEAST)

    def test_a_second_one_takes_over_when_the_time_of_the_first_is_over(self, store: Store) -> None:
        lead(store)
        leader = lead(store, OTHER, now=NOW + TTL)
        assert (leader.engine, leader.epoch, leader.expires) == (OTHER, 2, NOW + 2 * TTL)
        with refused(store, Conflict, match=OTHER):
            lead(store, now=NOW + TTL)

    def test_a_second_one_takes_over_from_who_is_proved_dead(self, store: Store) -> None:
        lead(store)
        assert lead(store, OTHER, instead_of=ENGINE).epoch == 2

    def test_a_third_one_does_not_take_over_from_the_second(self, store: Store) -> None:
        lead(store)
        lead(store, OTHER, instead_of=ENGINE)
        with refused(store, Conflict, match=OTHER):
            lead(store, "run@host.3.cccccc", instead_of=ENGINE)

    def test_who_resigned_makes_way_at_once(self, store: Store) -> None:
        store.resign(lead(store))
        assert store.leader() is None
        assert lead(store, OTHER).epoch == 2

    def test_who_lost_it_cannot_resign(self, store: Store) -> None:
        old = lead(store)
        leader = lead(store, OTHER, instead_of=ENGINE)
        store.resign(old)
        assert store.leader() == leader

    def test_who_led_before_and_leads_again_has_a_higher_epoch(self, store: Store) -> None:
        old = lead(store)
        lead(store, OTHER, instead_of=ENGINE)
        assert lead(store, instead_of=OTHER).epoch == 3
        store.resign(old)
        assert store.leader() is not None

    @pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
    @pytest.mark.parametrize("how", ["another-leads", "it-resigned", "it-leads-anew"])
    def test_writes_of_who_leads_no_more_leave_nothing(self, store: Store, write: Write, how: str) -> None:
        old = see(store)
        number = store.add_backfill(a_backfill(), items_of(a_backfill())).id
        if how == "it-resigned":
            store.resign(old)
        else:
            lead(store, OTHER, now=NOW + TTL)
        if how == "it-leads-anew":
            lead(store, instead_of=OTHER)
        with refused(store, LeaseLost, match=ENGINE):
            write(store, old, number)

    @pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
    def test_who_is_late_writes_while_nobody_took_it(self, store: Store, write: Write) -> None:
        leader = see(store)
        number = store.add_backfill(a_backfill(), items_of(a_backfill())).id
        before = everything(store)
        write(store, replace(leader, expires=NOW - TTL), number)
        assert everything(store) != before

    def test_leads_by_a_clock_that_goes_forward(self, store: Store) -> None:
        first = store.now(NOW)
        assert first.tzinfo is not None
        assert store.now(NOW + TTL) >= first
