"""Pause a pipeline's schedule, and resume it."""

from __future__ import annotations

from datetime import UTC

from nbflow.model import PipelineName
from nbflow.timetable import Skip
from nbflow_app.pages.pipelines import schedule_zone
from nbflow_app.visit import Page, Redirect, Visit


def show(visit: Visit) -> Page:
    name = visit.part("pipeline")
    standing = visit.api.standings().get(PipelineName(name))
    is_paused = standing is not None and standing.paused_at is not None
    return Page(
        template="forms/pausing.html",
        title=f"Resume {name}" if is_paused else f"Pause {name}",
        section="pipelines",
        crumbs=[(name, f"/pipelines/{name}")],
        data={
            "name": name,
            "is_paused": is_paused,
            "standing": standing,
            "since": visit.time(standing.paused_at) if standing else "",
        },
    )


def pause(visit: Visit) -> Redirect:
    name = visit.part("pipeline")
    visit.api.pause(name, note=visit.field("note"))
    return Redirect(to=f"/pipelines/{name}", note=f"{name} is paused")


def resume(visit: Visit) -> Redirect:
    name = visit.part("pipeline")
    skip = visit.api.resume(name, note=visit.field("note"))
    missed = f". {_missed(visit, skip)}" if skip else ""
    return Redirect(to=f"/pipelines/{name}", note=f"{name} goes on{missed}")


def _missed(visit: Visit, skip: Skip) -> str:
    zone = schedule_zone(visit.api.definition(skip.pipeline).pipeline)
    first, last = (each.astimezone(zone or UTC).date() for each in (skip.first, skip.last))
    command = f"nbflow backfill {skip.pipeline} --start {first} --end {last}"
    return f"Ticks that passed meanwhile start no run; to make them up: {command}"
