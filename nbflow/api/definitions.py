"""Pipelines as their manifests are on disk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from nbflow import schedule
from nbflow.api.bound import Bound
from nbflow.api.roles import Role, needs
from nbflow.api.views import PipelineView
from nbflow.errors import InvalidInput, InvalidManifest
from nbflow.model import Pipeline, PipelineName
from nbflow.ports import (
    Definition,
)
from nbflow.run import Run
from nbflow.schedule import Tick
from nbflow.timetable import Standing, undecided


class Definitions(Bound):
    """Reads of pipelines."""

    @needs(Role.VIEWER)
    def validate(self, paths: Sequence[str] = ()) -> tuple[Definition, ...]:
        """Every manifest, or those named, each with all its problems; the store is not asked."""
        named = tuple(self._workspace.load(path, thorough=True) for path in paths)
        return named or tuple(self._workspace.definitions(thorough=True))

    @needs(Role.VIEWER)
    def definition(self, name_or_path: str) -> Definition:
        """One pipeline as it is written; the store is not asked."""
        return self._workspace.load(name_or_path)

    @needs(Role.VIEWER)
    def pipelines(self, runs: int = 1) -> tuple[PipelineView, ...]:
        """Every manifest of the project, broken ones too, with the last `runs` runs of each."""
        definitions = self._workspace.definitions()
        if not definitions or not self._is_begun():
            return tuple(self._view(each, (), None) for each in definitions)
        recent, standings = self._store.recent_runs(runs), self._store.standings()
        names = [PipelineName(each.name) for each in definitions]
        return tuple(
            self._view(each, recent.get(name, ()), standings.get(name))
            for each, name in zip(definitions, names, strict=True)
        )

    @needs(Role.VIEWER)
    def pipeline(self, name_or_path: str, runs: int = 10) -> PipelineView:
        """One pipeline with its last `runs` runs."""
        definition = self._workspace.load(name_or_path)
        name = PipelineName(definition.name)
        if not name or not self._is_begun():
            return self._view(definition, (), None)
        recent = self._store.list_runs(pipeline=name, limit=runs)
        return self._view(definition, recent, self._store.standings().get(name))

    def _view(self, definition: Definition, runs: Sequence[Run], standing: Standing | None) -> PipelineView:
        timing = definition.pipeline.schedule if definition.pipeline else None
        after = undecided(standing, self._clock.now())
        tick = next(iter(schedule.ticks(timing, after)), None) if timing else None
        return PipelineView(definition=definition, last_runs=tuple(runs), next_tick=tick, standing=standing)


def next_ticks(definition: Definition, after: datetime, count: int) -> tuple[Tick, ...]:
    """The next `count` ticks of a pipeline's schedule. Raises InvalidInput where it has none."""
    pipeline = usable(definition)
    if pipeline.schedule is None:
        raise InvalidInput(f"pipeline '{pipeline.name}' has no schedule", hint="It starts only by hand.")
    found = schedule.ticks(pipeline.schedule, after)
    return tuple(tick for tick, _ in zip(found, range(count), strict=False))


def usable(definition: Definition) -> Pipeline:
    """Raises InvalidManifest with everything that is wrong."""
    if definition.pipeline is None:
        raise InvalidManifest(definition.problems)
    return definition.pipeline
