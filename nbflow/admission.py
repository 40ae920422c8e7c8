"""Which runs an engine may take now, and which wait their turn, and why (semantics §5). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from nbflow.backfill import Backfill, BackfillState
from nbflow.model import PipelineName, RunId
from nbflow.run import Run
from nbflow.states import RunKind, RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What holds runs back."""

    max_active: Mapping[PipelineName, int] = field(default_factory=dict)
    """`max_active_runs` of each pipeline; 1 for one that is missing."""
    paused: Collection[PipelineName] = frozenset()
    backfills: Mapping[RunId, Backfill] = field(default_factory=dict)
    """The active backfill of each run that has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A queue of runs. So many of it run at once, one behind the other in the order of `place`."""

    pipeline: PipelineName
    backfill: int | None = None
    alone: RunId | None = None
    """The only run of its lane."""
    limit: int


def admitted(unfinished: Iterable[Run], owned: Collection[RunId], limits: Limits) -> tuple[RunId, ...]:
    """The runs without an owner that an engine may take now, the first one first.

    A run that has begun is taken whatever the limits say: it holds a place already, as every owned one does.
    """
    runs = sorted(unfinished, key=place)
    begun = [run for run in runs if run.state is RunState.RUNNING and run.id not in owned]
    taken = Counter(lane(run, limits) for run in runs if _holds_a_place(run, owned))
    next_ones = []
    for run in runs:
        where = lane(run, limits)
        if not _holds_a_place(run, owned) and not is_held(run, limits) and taken[where] < where.limit:
            taken[where] += 1
            next_ones.append(run)
    return tuple(run.id for run in [*begun, *next_ones])


def ahead(run: Run, unfinished: Iterable[Run], owned: Collection[RunId], limits: Limits) -> Sequence[Run]:
    """The runs of its lane that must end, or begin, before a queued run may: first those that hold a place."""
    mine = lane(run, limits)
    others = [other for other in sorted(unfinished, key=place) if other.id != run.id and lane(other, limits) == mine]
    holders = [other for other in others if _holds_a_place(other, owned)]
    waiting = [
        other
        for other in others
        if not _holds_a_place(other, owned) and not is_held(other, limits) and place(other) < place(run)
    ]
    return [*holders, *waiting] if len(holders) + len(waiting) >= mine.limit else []


def place(run: Run) -> tuple[datetime, datetime, RunId]:
    """The order of queued runs. Missed ticks are created together, so the older one is first."""
    return run.created_at, run.logical_date, run.id


def lane(run: Run, limits: Limits) -> Lane:
    """Scheduled and manual runs of a pipeline share one; each active backfill has its own.

    A backfill run without an active backfill was reset by a person, and waits for nobody.
    """
    if run.kind is not RunKind.BACKFILL:
        return Lane(pipeline=run.pipeline, limit=limits.max_active.get(run.pipeline, 1))
    backfill = limits.backfills.get(run.id)
    if backfill is None:
        return Lane(pipeline=run.pipeline, alone=run.id, limit=1)
    return Lane(pipeline=run.pipeline, backfill=backfill.id, limit=backfill.max_active)


def is_held(run: Run, limits: Limits) -> bool:
    """Whether a queued run waits for a person to resume its pipeline or its backfill.

    A pause holds back scheduled runs that never began; what a person started or reset goes on.
    """
    if run.kind is RunKind.SCHEDULED:
        return run.started_at is None and run.pipeline in limits.paused
    backfill = limits.backfills.get(run.id)
    return backfill is not None and backfill.state is BackfillState.PAUSED


def _holds_a_place(run: Run, owned: Collection[RunId]) -> bool:
    return run.state is RunState.RUNNING or run.id in owned
