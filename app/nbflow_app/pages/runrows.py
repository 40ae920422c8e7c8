"""Runs as rows of a table: of one pipeline, or of all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from nbflow.run import Run
from nbflow.states import RunKind, RunState
from nbflow.text import took
from nbflow_app.visit import Visit

KINDS = {RunKind.SCHEDULED: "by schedule", RunKind.MANUAL: "by hand", RunKind.BACKFILL: "backfill"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    id: str
    pipeline: str
    state: RunState
    run_date: str
    began: str
    """How it came to be: `by schedule`, `by hand, ada`."""
    created: Markup
    took: str


def run_rows(visit: Visit, runs: Iterable[Run]) -> list[RunRow]:
    return [
        RunRow(
            id=run.id,
            pipeline=run.pipeline,
            state=run.state,
            run_date=run.run_date.isoformat(),
            began=origin(run),
            created=visit.time(run.started_at or run.created_at),
            took=took(run.started_at, run.ended_at, visit.now),
        )
        for run in runs
    ]


def origin(run: Run) -> str:
    by = f", {run.created_by}" if run.created_by and run.kind is RunKind.MANUAL else ""
    return f"{KINDS[run.kind]}{by}"
