"""Everything that is only read."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from nbflow import run_ref
from nbflow.errors import NotFound
from nbflow.model import PipelineName, RunId, TaskKey, TaskName
from nbflow.ports import StoredRun
from nbflow.run import Attempt, Change, Run
from nbflow.states import AttemptState, RunKind, RunState
from nbflow.tally import Series
from nbflow.testing.dict_store.kept import Kept
from nbflow.text import fold


class History(Kept):
    def load(self, run: RunId) -> StoredRun:
        record = self._record(run)
        live, position = record.live(), {name: at for at, name in enumerate(record.frozen.pipeline.tasks)}
        keys = sorted(record.tasks, key=lambda key: (position[key.task], -1 if key.item is None else key.item))
        tasks = {key: replace(record.tasks[key], live=live[key]) if key in live else record.tasks[key] for key in keys}
        return StoredRun(run=record.run, pipeline=record.frozen.pipeline, tasks=tasks, lease=record.lease_of_unfinished)

    def find_run(self, ref: str) -> RunId:
        newest = [record.run for record in self._newest()]
        wants_latest, pipeline = run_ref.latest_of(ref)
        if wants_latest:
            latest = next((run.id for run in newest if pipeline in {None, run.pipeline}), None)
            if latest is None:
                raise run_ref.no_latest(pipeline, sorted({run.pipeline for run in newest}))
            return latest
        ids = [run.id for run in newest]
        found = [RunId(ref)] if ref in ids else sorted((each for each in ids if each.startswith(ref)), reverse=True)
        return run_ref.the_one(ref, found[: run_ref.CANDIDATES], ids[: run_ref.CANDIDATES])

    def attempts(self, run: RunId) -> Mapping[TaskKey, Sequence[Attempt]]:
        found: dict[TaskKey, list[Attempt]] = defaultdict(list)
        record = self._records.get(run)
        for attempt in sorted(record.attempts.values(), key=lambda each: each.number) if record else ():
            found[attempt.key].append(attempt)
        return dict(found)

    def list_runs(
        self,
        *,
        pipeline: PipelineName | None = None,
        state: RunState | None = None,
        kind: RunKind | None = None,
        text: str = "",
        before: RunId | None = None,
        limit: int = 50,
    ) -> Sequence[Run]:
        newest = [record.run for record in self._newest()]
        behind = newest.index(self._record(before).run) + 1 if before is not None else 0
        return [
            run
            for run in newest[behind:]
            if pipeline in {None, run.pipeline} and state in {None, run.state} and kind in {None, run.kind}
            if any(fold(text) in fold(each) for each in (run.id, run.pipeline, run.run_key, run.created_by))
        ][:limit]

    def count_runs(self, pipeline: PipelineName | None = None) -> Mapping[RunState, int]:
        runs = (record.run for record in self._records.values())
        return {**dict.fromkeys(RunState, 0), **Counter(run.state for run in runs if pipeline in {None, run.pipeline})}

    def recent_runs(self, limit: int) -> Mapping[PipelineName, Sequence[Run]]:
        found: dict[PipelineName, list[Run]] = defaultdict(list)
        for record in self._newest():
            found[record.run.pipeline].append(record.run)
        return {name: found[name][:limit] for name in sorted(found)}

    def durations(self, pipeline: PipelineName) -> Mapping[TaskName, Sequence[float]]:
        of_pipeline = [record for record in self._newest() if record.run.pipeline == pipeline]
        attempts = (attempt for record in of_pipeline[:100] for attempt in record.attempts.values())
        seconds: dict[TaskName, list[tuple[datetime, float]]] = defaultdict(list)
        for each in attempts:
            if each.state is not AttemptState.SUCCESS or not each.started_at or not each.ended_at:
                continue
            if each.started_at <= each.ended_at:
                seconds[each.key.task].append((each.ended_at, (each.ended_at - each.started_at).total_seconds()))
        return {task: [each for _, each in sorted(samples)[-20:][::-1]] for task, samples in seconds.items()}

    def changes(self, after: int, *, run: RunId | None = None, limit: int = 1000) -> Sequence[Change]:
        first = bisect_right(self._changes, after, key=lambda change: change.seq)
        later = (self._changes[at] for at in range(first, len(self._changes)))
        return [*islice((change for change in later if run in {None, change.run}), limit)]

    def newest_change(self, run: RunId) -> Change | None:
        return next((change for change in reversed(self._changes) if change.run == run), None)

    def latest_change(self) -> int:
        return self._changes[-1].seq if self._changes else 0

    def tallies(self) -> Mapping[Series, float]:
        return dict(self._tallies)

    def unfinished_counts(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        unfinished = [record for record in self._records.values() if not record.run.state.is_terminal]
        tasks = (task.state.value for record in unfinished for task in record.tasks.values())
        return Counter(record.run.state.value for record in unfinished), Counter(tasks)

    def manifest_text(self, sha256: str) -> str:
        if sha256 not in self._texts:
            raise NotFound(f"there is no manifest '{sha256}'")
        return self._texts[sha256]
