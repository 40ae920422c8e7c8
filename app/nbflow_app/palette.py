"""What the editor's palette sends and gets as JSON: the notebooks of the project, edges that suggest themselves."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from typing import Any

from nbflow.api import Role
from nbflow.errors import InvalidInput
from nbflow.manifest.touching import by_edge
from nbflow.ports import NotebookFile
from nbflow_app.editing import body_of
from nbflow_app.format import param_text
from nbflow_app.handlers import JsonHandler, Site
from nbflow_app.visit import Visit

Told = Mapping[str, Any]


class AskHandler(JsonHandler):
    """Answers a question of the editor's page."""

    role = Role.EDITOR

    def initialize(self, site: Site, ask: Callable[[Visit], Told]) -> None:  # type: ignore[override]
        super().initialize(site)
        self.ask = ask

    async def get(self, **parts: str) -> None:
        visit = self.visit(parts)
        await self.answer(self.site.reading, lambda: self.ask(visit))


class BeginHandler(JsonHandler):
    """Writes a new notebook."""

    role = Role.EDITOR

    async def post(self, **parts: str) -> None:
        visit, body = self.visit(parts), body_of(self.request.body)
        await self.answer(self.site.acting, lambda: begin_notebook(visit, body))


def palette(visit: Visit) -> Told:
    """Every notebook of the project, as a task of the pipeline would name it; first those beside and below it."""
    folder = posixpath.dirname(visit.api.draft(visit.part("pipeline")).disk.file)
    found = [_entry(each, folder) for each in visit.api.notebooks()]
    return {"folder": folder, "notebooks": sorted(found, key=lambda each: each["notebook"].startswith("../"))}


def suggestions(visit: Visit) -> Told:
    """The edges that seem to be missing in the draft, each with all that passes along it."""
    things = by_edge(visit.api.suggestions(visit.part("pipeline")))
    return {
        "suggestions": [
            {"up": up, "down": down, "reason": f"{down} reads {', '.join(each)}, which {up} writes"}
            for (up, down), each in things.items()
        ]
    }


def begin_notebook(visit: Visit, body: Mapping[str, Any]) -> Told:
    """`{"path": "sales/report.ipynb"}` from the project's folder; the entry of the new notebook."""
    path = body.get("path")
    if not isinstance(path, str):
        raise InvalidInput("path must be text", where="path")
    folder = posixpath.dirname(visit.api.draft(visit.part("pipeline")).disk.file)
    return _entry(visit.api.create_notebook(path), folder)


def _entry(notebook: NotebookFile, folder: str) -> dict[str, Any]:
    return {
        "path": notebook.path,
        "notebook": posixpath.relpath(notebook.path, folder or "."),
        "task": notebook.task,
        "heading": notebook.heading,
        "params": [param_text(each) for each in notebook.params or ()],
        "problem": notebook.problem,
    }
