"""Look for what no decision tells of: runs that are late, and tasks that run far beyond their usual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Protocol

from nbflow import lateness
from nbflow.aside import Aside
from nbflow.model import Pipeline, PipelineName, RunId, TaskName
from nbflow.notice import Notice
from nbflow.ports import Outbox, ReadStore
from nbflow.run import Run
from nbflow.states import RunState

Durations = Callable[[PipelineName], Mapping[TaskName, Sequence[float]]]


class Store(Outbox, ReadStore, Protocol):
    """The outbox, and the runs."""

    def unfinished(self) -> Sequence[Run]: ...


class Lookout:
    """Tells each lateness once. Reads running runs whole, and of the others one for each manifest.

    A run that cannot be read keeps no other from being told of.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._aside = Aside[RunId]("lateness of")
        self._pipelines: dict[str, Pipeline] = {}
        self._told: frozenset[str] = frozenset()

    def look(self, now: datetime) -> None:
        """To be called every half a minute or so."""
        found = {notice.id: notice for notice in self._notices(now)}
        news = [notice for name, notice in found.items() if name not in self._told]
        if news:
            self._store.tell(news)
        self._told = frozenset(found)

    def _notices(self, now: datetime) -> Iterator[Notice]:
        durations: Durations = cache(self._store.durations)
        unfinished = self._store.unfinished()
        manifests = {run.manifest for run in unfinished}
        self._pipelines = {manifest: known for manifest, known in self._pipelines.items() if manifest in manifests}
        none: list[Notice] = []
        for run in unfinished:
            yield from self._aside.try_with(run.id, now, partial(self._of, run, durations, now), otherwise=none)

    def _of(self, run: Run, durations: Durations, now: datetime) -> list[Notice]:
        pipeline = self._pipeline(run)
        late = lateness.late(pipeline, run, now)
        found = [late] if late else []
        if run.state is RunState.RUNNING and pipeline.alerts.on_late:
            tasks = self._store.load(run.id).tasks
            found += lateness.overruns(pipeline, run, tasks.values(), durations(run.pipeline), now)
        return found

    def _pipeline(self, run: Run) -> Pipeline:
        """What a manifest says of alerts holds for every run of it, also for one of a part of its tasks."""
        known = self._pipelines.get(run.manifest) or self._store.load(run.id).pipeline
        return self._pipelines.setdefault(run.manifest, known)
