"""What the editor's page sends and gets as JSON: commands in, the sheet out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from nbflow.api import DraftView, Role
from nbflow.errors import InvalidInput
from nbflow.manifest.edit import SetTaskKey, wire
from nbflow_app.handlers import JsonHandler, Site
from nbflow_app.sheet import sheet, shown_values, tasks_of
from nbflow_app.visit import Visit

Order = Callable[[Visit, Mapping[str, Any]], DraftView]
"""What an address does with the body that was sent; may block."""

MOST_COMMANDS = 2000
"""In one body: to arrange a large pipeline is one for each task."""


class DraftHandler(JsonHandler):
    """The base of what answers with the sheet."""

    role = Role.EDITOR

    async def show(self, work: Callable[[Visit], DraftView], parts: dict[str, str]) -> None:
        visit = self.visit(parts)
        await self.answer(self.site.reading, lambda: sheet(work(visit)))


class SheetHandler(DraftHandler):
    """The draft as it stands."""

    async def get(self, **parts: str) -> None:
        await self.show(lambda visit: visit.api.draft(visit.part("pipeline")), parts)


class OrderHandler(DraftHandler):
    """What changes the draft."""

    def initialize(self, site: Site, order: Order) -> None:  # type: ignore[override]
        super().initialize(site)
        self.order = order

    async def post(self, **parts: str) -> None:
        body = body_of(self.request.body)
        await self.show(lambda visit: self.order(visit, body), parts)


def commands(visit: Visit, body: Mapping[str, Any]) -> DraftView:
    given = body.get("commands")
    if not isinstance(given, list):
        raise InvalidInput("commands must be a list", where="commands")
    if len(given) > MOST_COMMANDS:
        raise InvalidInput(f"{len(given):,} commands are too many at once; at most {MOST_COMMANDS:,} are taken")
    return visit.api.edit_draft(visit.part("pipeline"), _id(body), [wire.parse(each) for each in given])


def text(visit: Visit, body: Mapping[str, Any]) -> DraftView:
    typed, version = body.get("text"), body.get("version")
    if not isinstance(typed, str):
        raise InvalidInput("text must be text", where="text")
    if not isinstance(version, int) or isinstance(version, bool):
        raise InvalidInput("version must be that of the sheet that was edited", where="version")
    return visit.api.write_draft(visit.part("pipeline"), _id(body), typed, seen=version)


def undo(visit: Visit, body: Mapping[str, Any]) -> DraftView:
    return visit.api.undo_draft(visit.part("pipeline"), _id(body))


def redo(visit: Visit, body: Mapping[str, Any]) -> DraftView:
    return visit.api.redo_draft(visit.part("pipeline"), _id(body))


def arrange(visit: Visit, body: Mapping[str, Any]) -> DraftView:
    """Take the positions out: a task without one stands where the layout puts it."""
    name, id = visit.part("pipeline"), _id(body)
    placed = [task for task, about in tasks_of(shown_values(visit.api.draft(name))).items() if "position" in about]
    return visit.api.edit_draft(name, id, [SetTaskKey(task, "position", None) for task in placed])


def body_of(sent: bytes) -> Mapping[str, Any]:
    """Raises InvalidInput."""
    try:
        body = json.loads(sent)
    except (ValueError, RecursionError):
        raise InvalidInput("what was sent is no JSON") from None
    if not isinstance(body, dict):
        raise InvalidInput("what was sent must be a mapping")
    return body


def _id(body: Mapping[str, Any]) -> str:
    id = body.get("id")
    if not isinstance(id, str) or not 0 < len(id) <= 100:
        raise InvalidInput("every change needs an id of its own", where="id")
    return id
