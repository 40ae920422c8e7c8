"""Backfills and their ticks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime

from nbflow.backfill import Backfill, BackfillItem, BackfillState, ItemAction, changed, check_overlap, progress_of
from nbflow.errors import NotFound
from nbflow.model import RunId
from nbflow.notice import Notice
from nbflow.ports import BackfillProgress, Leader, NewRun, changelog
from nbflow.run import Request
from nbflow.testing.dict_store.kept import Item, refuse
from nbflow.testing.dict_store.leaders import Leaders
from nbflow.testing.dict_store.runs import Runs


class Backfills(Leaders, Runs):
    def add_backfill(self, asked: Backfill, items: Sequence[BackfillItem]) -> Backfill:
        check_overlap(asked, self._backfills.values())
        refuse(len({item.position for item in items}) < len(items), "a position is given twice")
        refuse(len({item.logical_date for item in items}) < len(items), "a tick is given twice")
        added = replace(asked, id=len(self._backfills) + 1)
        self._backfills[added.id] = added
        self._items[added.id] = tuple(Item(item) for item in sorted(items, key=lambda item: item.position))
        self._log([changelog.added(added)])
        return added

    def backfills(self, *, only_active: bool = False) -> Sequence[Backfill]:
        return [each for each in reversed(self._backfills.values()) if each.state.is_active or not only_active]

    def backfill(self, number: int) -> Backfill:
        if number not in self._backfills:
            raise NotFound(f"there is no backfill {number}")
        return self._backfills[number]

    def backfill_items(self, number: int) -> Sequence[BackfillItem]:
        return [each.item for each in self._items.get(number, ())]

    def next_items(self, number: int, limit: int) -> Sequence[BackfillItem]:
        return [item for item in self.backfill_items(number) if item.action is None][:limit]

    def backfill_progress(self, number: int) -> BackfillProgress:
        self.backfill(number)
        found = Counter({field.name: 0 for field in fields(BackfillProgress)})
        for each in self._items[number]:
            state = self._records[each.item.run].run.state if each.item.run else None
            found.update(progress_of(each.item.action, state, self._is_asked(each)))
        return BackfillProgress(**found)

    def backfilled_runs(self) -> Mapping[RunId, Backfill]:
        return {
            run: backfill
            for backfill in self.backfills(only_active=True)
            for run in self._begun(backfill.id)
            if not self._records[run].run.state.is_terminal
        }

    def set_backfill(
        self,
        number: int,
        state: BackfillState,
        *,
        by: str,
        note: str,
        now: datetime,
        leader: Leader | None = None,
        request: Request | None = None,
        notices: Sequence[Notice] = (),
    ) -> Backfill:
        if leader is not None:
            self._require(leader)
        before = self.backfill(number)
        self._backfills[number] = after = changed(before, state, by=by, note=note, now=now)
        self._log([changelog.changed(before, after, by=by, note=note, now=now)])
        self._keep_notices(notices)
        if request is not None:
            for run in self._begun(number):
                self.ask(run, request, now=now)
        return after

    def _begun(self, number: int) -> Sequence[RunId]:
        """The runs that it created or reset, and that have not ended or have still to begin anew."""
        return sorted(
            each.item.run
            for each in self._items[number]
            if each.item.run and each.item.action in {ItemAction.CREATE, ItemAction.RESET}
            if not self._records[each.item.run].run.state.is_terminal or self._is_asked(each)
        )

    def _is_asked(self, tick: Item) -> bool:
        return tick.request is not None and self._requests[tick.request].answer is None

    def begin_item(
        self,
        leader: Leader,
        number: int,
        item: BackfillItem,
        *,
        new: NewRun | None = None,
        request: Request | None = None,
        now: datetime,
    ) -> bool:
        self._require(leader)
        if not self._is_next(number, item.position):
            return False
        with self._whole():
            if new is not None and not self.add_run(new.run, new.tasks, new.frozen, None):
                return False
            left = self.ask(item.run, request, now=now) if request is not None and item.run is not None else None
            refuse(item.run is not None and item.run not in self._records, f"there is no run {item.run}")
            self._items[number] = tuple(
                Item(replace(each.item, action=item.action, run=item.run, reason=item.reason), left)
                if each.item.position == item.position
                else each
                for each in self._items[number]
            )
        return True

    def _is_next(self, number: int, position: int) -> bool:
        """Whether the tick still waits, in a backfill that runs."""
        found = next((item for item in self.backfill_items(number) if item.position == position), None)
        if found is None:
            raise NotFound(f"there is no tick {position} of a backfill {number}")
        return self._backfills[number].state is BackfillState.RUNNING and found.action is None
