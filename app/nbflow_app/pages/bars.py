"""The last runs of a pipeline as bars: height is duration, colour is state. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nbflow.run import Run
from nbflow.states import RunState

MOST = 30
LOWEST = 12
"""Per cent: what a run of no time at all still shows."""


@dataclass(frozen=True, slots=True)
class Bar:
    state: RunState
    height: int
    """Per cent of the longest."""


def bars(newest_first: Sequence[Run]) -> list[Bar]:
    """Oldest first, so that time runs to the right."""
    shown = newest_first[:MOST][::-1]
    longest = max((seconds_of(run) for run in shown), default=0.0) or 1.0
    return [Bar(run.state, max(LOWEST, round(100 * seconds_of(run) / longest))) for run in shown]


def seconds_of(run: Run) -> float:
    """How long it ran; 0 while it has not ended."""
    return (run.ended_at - run.started_at).total_seconds() if run.started_at and run.ended_at else 0.0


def success_rate(runs: Sequence[Run]) -> float | None:
    """The share of those that ended; None where none did."""
    ended = [run.state for run in runs if run.state.is_terminal]
    return ended.count(RunState.SUCCESS) / len(ended) if ended else None
