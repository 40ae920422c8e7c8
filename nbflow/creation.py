"""A run of a frozen pipeline, planned and ready to be kept: the one way in which runs come to be. Saves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from nbflow import lifecycle
from nbflow.model import RunId, TaskName
from nbflow.ports import FrozenPipeline, NewRun
from nbflow.schedule import RunDates
from nbflow.states import RunKind


def new_run(
    frozen: FrozenPipeline,
    dates: RunDates,
    *,
    kind: RunKind,
    now: datetime,
    by: str,
    run_key: str = "",
    given: Mapping[str, Any] | None = None,
    lent: Mapping[TaskName, Mapping[str, Any]] | None = None,
) -> NewRun:
    """Without a `run_key` it gets one of its own. Raises InvalidInput as `lifecycle.plan` does."""
    run_id = RunId(_new_id(now))
    run, tasks = lifecycle.plan(
        frozen.pipeline,
        frozen.notebooks,
        run_id=run_id,
        manifest=frozen.sha256,
        given=given or {},
        kind=kind,
        run_key=run_key or f"manual:{run_id}",
        logical_date=dates.logical_date,
        run_date=dates.run_date,
        interval=dates.interval,
        now=now,
        by=by,
        lent=lent,
    )
    return NewRun(run=run, tasks=tasks, frozen=frozen)


def _new_id(now: datetime) -> str:
    """Sorts by time and reads as one: `20260401-020000-3f9a1c07de`; a thousand at midnight never meet in a lifetime."""
    return f"{now:%Y%m%d-%H%M%S}-{uuid4().hex[:10]}"
