"""`/pipelines`: a row for each manifest, with its last runs. Filter and search are in the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from nbflow.api import PipelineView
from nbflow.model import Pipeline, PipelineName
from nbflow.schedule.words import schedule_text
from nbflow.states import RunState
from nbflow.text import counted, took
from nbflow.timetable import Standing
from nbflow_app.format import percent
from nbflow_app.pages.bars import MOST, Bar, bars, success_rate
from nbflow_app.visit import Page, Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One pipeline as lists show it."""

    name: str
    """Of a manifest without one: its file."""
    has_page: bool = True
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    tasks: str = ""
    run: str = ""
    """The id of the last one."""
    state: RunState | None = None
    bars: Sequence[Bar] = ()
    said: str = ""
    """The bars in words."""
    started: str = ""
    took: str = ""
    schedule: str = ""
    next: str = ""
    rate: str = ""
    problems: int = 0
    is_paused: bool = False
    can_trigger: bool = False


def show(visit: Visit) -> Page:
    rows = rows_of(visit)
    wanted, state, tag = visit.field("q"), visit.field("state"), visit.field("tag")
    return Page(
        template="pipelines.html",
        title="Pipelines",
        section="pipelines",
        watch="runs",
        data={
            "rows": [row for row in rows if _fits(row, wanted.casefold(), state, tag)],
            "total": len(rows),
            "q": wanted,
            "state": state,
            "tag": tag,
            "tags": sorted({tag for row in rows for tag in row.tags}),
            "states": list(RunState),
            "may_act": visit.may_act,
        },
    )


def rows_of(visit: Visit) -> list[Row]:
    """Every pipeline; those whose manifest is wrong first, then by name."""
    standings = visit.api.standings()
    rows = [row_of(visit, view, standings) for view in visit.api.pipelines(runs=MOST)]
    return sorted(rows, key=lambda row: (not row.problems, row.name))


def row_of(visit: Visit, view: PipelineView, standings: Mapping[PipelineName, Standing]) -> Row:
    definition, pipeline = view.definition, view.definition.pipeline
    last = view.last_runs[0] if view.last_runs else None
    failed = sum(run.state is RunState.FAILED for run in view.last_runs)
    return Row(
        name=definition.name or definition.problems[0].file,
        has_page=bool(definition.name),
        description=pipeline.description if pipeline else "",
        owner=pipeline.owner if pipeline else "",
        tags=pipeline.tags if pipeline else (),
        tasks=counted(len(pipeline.tasks), "task") if pipeline else "",
        run=last.id if last else "",
        state=last.state if last else None,
        bars=bars(view.last_runs),
        said=f"{failed} of the last {counted(len(view.last_runs), 'run')} failed" if last else "no runs yet",
        started=visit.time(last.started_at or last.created_at) if last else "",
        took=took(last.started_at, last.ended_at, visit.now) if last else "",
        schedule=schedule_text(pipeline.schedule) if pipeline else "",
        next=visit.time(view.next_tick.instant, schedule_zone(pipeline)) if view.next_tick else "",
        can_trigger=pipeline is not None,
        rate=percent(success_rate(view.last_runs)),
        is_paused=bool((standing := standings.get(PipelineName(definition.name))) and standing.paused_at),
        problems=sum(problem.severity == "error" for problem in definition.problems),
    )


def schedule_zone(pipeline: Pipeline | None) -> ZoneInfo | None:
    return ZoneInfo(pipeline.schedule.timezone) if pipeline and pipeline.schedule else None


def _fits(row: Row, wanted: str, state: str, tag: str) -> bool:
    text = " ".join((row.name, row.description, row.owner, *row.tags)).casefold()
    return (
        all(word in text for word in wanted.split())
        and (not state or (row.state is not None and row.state == state))
        and (not tag or tag in row.tags)
    )
