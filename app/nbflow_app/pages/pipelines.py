"""`/pipelines`: a row for each manifest, with its last runs. Filter and search are in the address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from nbflow.api import PipelineView
from nbflow.model import Pipeline
from nbflow.schedule.words import schedule_text
from nbflow.states import RunState
from nbflow.text import counted
from nbflow_app.format import percent
from nbflow_app.pages.bars import MOST, Bar, bars, success_rate
from nbflow_app.pages.runrows import run_took
from nbflow_app.pages.taskrows import started
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
    rows = rows_of(visit, visit.api.pipelines(runs=MOST))
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
            "may_edit": visit.may_edit,
        },
    )


def rows_of(visit: Visit, views: Iterable[PipelineView]) -> list[Row]:
    """Pipelines; those whose manifest is wrong first, then by name."""
    return sorted((row_of(visit, view) for view in views), key=lambda row: (not row.problems, row.name))


def row_of(visit: Visit, view: PipelineView) -> Row:
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
        started=started(visit, last) if last else "",
        took=run_took(last, visit.now) if last else "",
        schedule=schedule_text(pipeline.schedule) if pipeline else "",
        next=visit.time(view.next_tick.instant, schedule_zone(pipeline)) if view.next_tick else "",
        can_trigger=pipeline is not None,
        rate=percent(success_rate(view.last_runs)),
        is_paused=view.is_paused,
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
