"""The lines of the change log that a store writes by itself, in the same words for every store."""

from __future__ import annotations

from datetime import UTC, datetime

from nbflow.backfill import Backfill
from nbflow.model import PipelineName, RunId
from nbflow.run import Change, Run
from nbflow.timetable import Skip

SET_ASIDE = "set_aside"


def created(run: Run) -> Change:
    """The first line of a run."""
    return Change(
        at=run.created_at, run=run.id, pipeline=run.pipeline, event="run", after=run.state, by=run.created_by or None
    )


def set_aside(run: RunId, pipeline: PipelineName, *, note: str, now: datetime) -> Change:
    """Its scheduler leaves it alone for a minute."""
    return Change(at=now, run=run, pipeline=pipeline, event=SET_ASIDE, note=note)


def skipped(skip: Skip) -> Change:
    """Ticks that started no run: `before` and `after` are the first and the last instant."""
    return Change(
        at=skip.at,
        run=None,
        pipeline=skip.pipeline,
        event="skip",
        before=_instant(skip.first),
        after=_instant(skip.last),
        note=skip.reason,
    )


def paused(pipeline: PipelineName, *, by: str, note: str, now: datetime) -> Change:
    return Change(at=now, run=None, pipeline=pipeline, event="pause", by=by or None, note=note or None)


def resumed(pipeline: PipelineName, *, by: str, note: str, now: datetime) -> Change:
    return Change(at=now, run=None, pipeline=pipeline, event="resume", by=by or None, note=note or None)


def saved(pipeline: PipelineName, *, by: str, note: str, now: datetime) -> Change:
    """Somebody saved its manifest in the app."""
    return Change(at=now, run=None, pipeline=pipeline, event="save", by=by or None, note=note or None)


def added(backfill: Backfill) -> Change:
    """The first line of a backfill."""
    return _backfill(backfill, None, by=backfill.created_by, note=backfill.note or "", now=backfill.created_at)


def changed(before: Backfill, after: Backfill, *, by: str, note: str, now: datetime) -> Change:
    """A backfill went from one state to another."""
    return _backfill(after, before.state, by=by, note=note, now=now)


def _backfill(backfill: Backfill, before: str | None, *, by: str, note: str, now: datetime) -> Change:
    return Change(
        at=now,
        run=None,
        pipeline=backfill.pipeline,
        event="backfill",
        backfill=backfill.id,
        before=before,
        after=backfill.state,
        by=by or None,
        note=note or None,
    )


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
