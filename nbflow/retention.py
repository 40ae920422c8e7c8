"""Which finished runs are no longer kept. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from nbflow.model import Pipeline, RunId
from nbflow.states import RunState


class Finished(NamedTuple):
    """A run that has ended."""

    run: RunId
    state: RunState
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long the finished runs of a pipeline are kept, and how many at most (None: any number)."""

    age: timedelta
    count: int | None = None

    def of(self, pipeline: Pipeline | None) -> Retention:
        """What the pipeline's manifest says, and the rest as here."""
        if pipeline is None:
            return self
        return Retention(age=pipeline.keep.runs or self.age, count=pipeline.keep.count or self.count)


def expired(finished: Sequence[Finished], keep: Retention, now: datetime) -> tuple[RunId, ...]:
    """The runs to remove, oldest first. `finished` are a pipeline's, newest first. The last good one always stays."""
    last_good = next((each.run for each in finished if each.state is RunState.SUCCESS), None)
    gone = [
        each.run
        for position, each in enumerate(finished)
        if each.run != last_good
        and (now - each.ended_at > keep.age or (keep.count is not None and position >= keep.count))
    ]
    return tuple(reversed(gone))
