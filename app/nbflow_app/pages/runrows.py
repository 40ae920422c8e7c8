"""Runs as rows of a table: of one pipeline, or of all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from nbflow.run import Run
from nbflow.states import RunKind, RunState
from nbflow.text import took
from nbflow_app.pages.taskrows import since, started
from nbflow_app.visit import Visit

KINDS = {RunKind.SCHEDULED: "by schedule", RunKind.MANUAL: "by hand", RunKind.BACKFILL: "backfill"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    id: str
    pipeline: str
    state: RunState
    run_date: str
    trigger: str
    """How it came to be: `by schedule`, `by hand, ada`."""
    started: Markup
    took: Markup


def run_rows(visit: Visit, runs: Iterable[Run]) -> list[RunRow]:
    return [
        RunRow(
            id=run.id,
            pipeline=run.pipeline,
            state=run.state,
            run_date=run.run_date.isoformat(),
            trigger=origin(run),
            started=started(visit, run),
            took=run_took(run, visit.now),
        )
        for run in runs
    ]


def run_took(run: Run, now: datetime) -> Markup:
    """Of one that goes on, a number that the page counts on."""
    if run.started_at and not run.ended_at:
        return since(run.started_at, now)
    return Markup(took(run.started_at, run.ended_at))


def origin(run: Run) -> str:
    by = f", {run.created_by}" if run.created_by and run.kind is RunKind.MANUAL else ""
    return f"{KINDS[run.kind]}{by}"
