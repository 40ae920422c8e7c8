"""What is removed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from nbflow.model import PipelineName, RunId
from nbflow.notice import INCIDENT
from nbflow.ports import MessageState
from nbflow.ports.housekeeping import Leftover
from nbflow.retention import Finished
from nbflow.testing.dict_store.kept import Kept, Record


class Housekeeping(Kept):
    def pipelines_with_runs(self) -> Sequence[PipelineName]:
        return sorted({record.run.pipeline for record in self._records.values()})

    def finished(self, pipeline: PipelineName) -> Sequence[Finished]:
        of_pipeline = (record.run for record in self._newest() if record.run.pipeline == pipeline)
        return [
            Finished(run.id, run.state, run.ended_at or run.created_at) for run in of_pipeline if run.state.is_terminal
        ]

    def remove_runs(self, given: Sequence[RunId]) -> Sequence[RunId]:
        gone = sorted(run for run in given if run in self._records and self._is_removable(self._records[run]))
        for run in gone:
            self._remove(self._records.pop(run))
        self._changes = [change for change in self._changes if change.run not in gone]
        self._requests = {number: left for number, left in self._requests.items() if left.run not in gone}
        for number, items in self._items.items():
            self._items[number] = tuple(
                replace(each, request=None, item=replace(each.item, run=None)) if each.item.run in gone else each
                for each in items
            )
        return gone

    def leftovers(self) -> Sequence[Leftover]:
        return [self._leftovers[run] for run in sorted(self._leftovers)]

    def forget(self, given: Sequence[RunId]) -> None:
        for run in given:
            self._leftovers.pop(run, None)

    def remove_unused_texts(self) -> int:
        used = {record.frozen.sha256 for record in self._records.values()}
        used |= {standing.manifest for standing in self._standings.values()}
        unused = [sha256 for sha256 in self._texts if sha256 not in used]
        for sha256 in unused:
            del self._texts[sha256]
        return len(unused)

    def notebooks_in_use(self) -> Collection[str]:
        records = self._records.values()
        ran = {attempt.notebook for record in records for attempt in record.attempts.values()}
        return ran | {task.notebook.sha256 for record in records for task in record.tasks.values()}

    def remove_messages(self, before: datetime) -> int:
        told = {each.notice.pipeline: each.id for each in self._messages.values() if each.notice.kind in INCIDENT}
        old = [
            each.id
            for each in self._messages.values()
            if each.state is not MessageState.WAITING
            and each.ended_at
            and each.ended_at < before
            and each.id not in told.values()
        ]
        for name in old:
            del self._messages[name]
        return len(old)

    def _remove(self, record: Record) -> None:
        run = record.run
        self._active.pop(run.id, None)
        del self._keys[run.pipeline, run.run_key]
        for attempt in record.attempts.values():
            self._attempt_tokens.pop(attempt.token, None)
        self._leftovers[run.id] = Leftover(run.id, run.pipeline)

    def _is_removable(self, record: Record) -> bool:
        run = record.run.id
        active = {number for number, each in self._backfills.items() if each.state.is_active}
        is_backfilled = any(each.item.run == run for number in active for each in self._items[number])
        is_asked = any(left.run == run and left.answer is None for left in self._requests.values())
        return record.run.state.is_terminal and not is_backfilled and not is_asked
