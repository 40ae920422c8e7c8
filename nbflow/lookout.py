"""Look for what no decision tells of: runs that are late, and tasks that run far beyond their usual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Protocol

from nbflow import lateness
from nbflow.model import Pipeline, PipelineName, TaskName
from nbflow.notice import Notice
from nbflow.ports import Outbox, ReadStore
from nbflow.run import Run
from nbflow.states import RunState


class Store(Outbox, ReadStore, Protocol):
    """The outbox, and the runs."""

    def unfinished(self) -> Sequence[Run]: ...


class Lookout:
    """Tells each lateness once. Reads running runs whole, and of the others one for each manifest."""

    def __init__(self, store: Store) -> None:
        self._store = store
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
        durations: Callable[[PipelineName], Mapping[TaskName, Sequence[float]]] = cache(self._store.durations)
        unfinished = self._store.unfinished()
        self._know({run.manifest: run for run in unfinished})
        for run in unfinished:
            pipeline = self._pipelines[run.manifest]
            if notice := lateness.late(pipeline, run, now):
                yield notice
            if run.state is RunState.RUNNING and pipeline.alerts.on_late:
                tasks = self._store.load(run.id).tasks
                yield from lateness.overruns(pipeline, run, tasks.values(), durations(run.pipeline), now)

    def _know(self, manifests: Mapping[str, Run]) -> None:
        """What a manifest says of alerts holds for every run of it, also for one of a part of its tasks."""
        self._pipelines = {
            manifest: self._pipelines.get(manifest) or self._store.load(run.id).pipeline
            for manifest, run in manifests.items()
        }
