"""What a decision adds to the counts that are kept for ever: runs, task runs and attempts that ended, and how long.

Pure. The counts are saved with the decision, so that they are exact, never go back, and outlive the runs themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from nbflow.model import PipelineName
from nbflow.run import Attempt, Change, Decision
from nbflow.states import RunState, TaskState

BOUNDS = (1, 5, 15, 60, 300, 900, 3600, 14_400)
"""Upper bounds in seconds by which durations of attempts are counted; what is longer counts under `+Inf`."""

_ENDS: Mapping[str, frozenset[str]] = {
    "run": frozenset(state for state in RunState if state.is_terminal),
    "task": frozenset(state for state in TaskState if state.is_terminal),
}


class Series(NamedTuple):
    """What is counted: `run`, `task` and `attempt` by state, `attempt` by cause too, `seconds` by upper bound.

    `seconds_sum` is the sum of all durations.
    """

    name: str
    pipeline: PipelineName
    word: str = ""
    cause: str = ""


def added(decision: Decision) -> Mapping[Series, float]:
    """What the decision adds to each count; empty for most decisions."""
    counts: Counter[Series] = Counter()
    for change in decision.changes:
        if change.after in _ENDS.get(change.event, ()):
            counts[_ended(change)] += 1
    pipeline = decision.run.pipeline
    for attempt in decision.attempts:
        if attempt.state.is_terminal:
            counts[Series("attempt", pipeline, attempt.state, attempt.cause or "")] += 1
            for series, value in _durations(pipeline, attempt):
                counts[series] += value  # type: ignore[assignment]  # a Counter adds floats as well
    return counts


def _ended(change: Change) -> Series:
    return Series(change.event, change.pipeline, change.after or "")


def _durations(pipeline: PipelineName, attempt: Attempt) -> Iterator[tuple[Series, float]]:
    if attempt.started_at and attempt.ended_at:
        seconds = max(0.0, (attempt.ended_at - attempt.started_at).total_seconds())
        yield Series("seconds", pipeline, bucket(seconds)), 1
        yield Series("seconds_sum", pipeline), seconds


def bucket(seconds: float) -> str:
    """The name of the smallest bound that is not below."""
    return next((str(bound) for bound in BOUNDS if seconds <= bound), "+Inf")
