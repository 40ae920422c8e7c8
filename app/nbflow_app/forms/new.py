"""`/pipelines/new`: a pipeline of notebooks that are there, or first a notebook; what would be written is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from nbflow.errors import InvalidManifest, NbflowError
from nbflow.manifest.touching import Gap, by_edge
from nbflow.ports import NotebookFile, Wish
from nbflow_app.format import param_text
from nbflow_app.visit import Page, Redirect, Visit

NEW = "/pipelines/new"
_LINK = ">"
"""Between the tasks of an edge; no name of a task has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A suggested edge, taken or left."""

    value: str
    up: str
    down: str
    things: Sequence[str]
    is_taken: bool


def show(visit: Visit, error: NbflowError | None = None) -> Page:
    """The form, with a preview once there is something to show."""
    chosen = visit.many("notebook")
    return Page(
        template="forms/new.html",
        title="New pipeline",
        section="pipelines",
        crumbs=[("Pipelines", "/pipelines")],
        data={
            "name": visit.field("name"),
            "folder": visit.field("folder"),
            "notebooks": [_row(each, chosen) for each in _chosen_first(visit.api.notebooks(), chosen)],
            "begun": visit.field("path"),
            **_preview(visit, error),
        },
    )


def create(visit: Visit) -> Page | Redirect:
    """Write it and open the editor; where that is refused, or only asked for, the form again."""
    if visit.flag("preview"):
        return show(visit)
    try:
        made = visit.api.create_pipeline(_wish(visit, _taken(visit, _gaps(visit))))
    except NbflowError as error:
        return show(visit, error)
    return Redirect(to=f"/pipelines/{made.name}/edit", note=f"Wrote {made.file}")


def begin_notebook(visit: Visit) -> Page | Redirect:
    """Write a new notebook and show it chosen."""
    try:
        made = visit.api.create_notebook(visit.field("path"))
    except NbflowError as error:
        return show(visit, error)
    query = [("name", visit.field("name")), ("folder", visit.field("folder"))]
    chosen = [("notebook", path) for path in (*visit.many("notebook"), made.path)]
    return Redirect(to=f"{NEW}?{urlencode([*query, *chosen])}", note=f"Wrote {made.path}")


# --- what would be written -----------------------------------------------------------------------------------------


def _preview(visit: Visit, error: NbflowError | None) -> dict[str, Any]:
    chosen = visit.many("notebook")
    nothing: dict[str, Any] = {"error": error, "edges": [], "file": "", "text": "", "problems": []}
    if not chosen or not visit.field("name"):
        return nothing
    try:
        gaps = _gaps(visit)
        taken = _taken(visit, gaps)
        definition = visit.api.plan_pipeline(_wish(visit, taken)).definition
    except NbflowError as refused:
        return {**nothing, "error": error or refused}
    return {
        "error": None if isinstance(error, InvalidManifest) else error,  # its problems are shown one by one
        "edges": _edges(gaps, taken),
        "several": len(chosen) > 1,
        "file": definition.file,
        "text": definition.text,
        "problems": definition.problems,
    }


def _gaps(visit: Visit) -> Sequence[Gap]:
    return visit.api.plan_pipeline(_wish(visit, frozenset())).gaps


def _wish(visit: Visit, edges: frozenset[tuple[str, str]]) -> Wish:
    return Wish(
        name=visit.field("name"),
        folder=visit.field("folder"),
        notebooks=tuple(dict.fromkeys(visit.many("notebook"))),
        edges=edges,
    )


def _taken(visit: Visit, gaps: Sequence[Gap]) -> frozenset[tuple[str, str]]:
    """The suggestions that were ticked, and those that nobody has seen yet."""
    seen, ticked = set(visit.many("seen")), set(visit.many("edge"))
    found = {(gap.up, gap.down) for gap in gaps}
    return frozenset(each for each in found if _LINK.join(each) in ticked or _LINK.join(each) not in seen)


def _edges(gaps: Sequence[Gap], taken: frozenset[tuple[str, str]]) -> list[Edge]:
    """One for each pair of tasks, with all that passes between them."""
    return [
        Edge(value=_LINK.join(pair), up=pair[0], down=pair[1], things=each, is_taken=pair in taken)
        for pair, each in by_edge(gaps).items()
    ]


def _chosen_first(notebooks: Sequence[NotebookFile], chosen: Sequence[str]) -> Sequence[NotebookFile]:
    """So that they are in sight where there are many."""
    return sorted(notebooks, key=lambda each: each.path not in chosen)


def _row(notebook: NotebookFile, chosen: Sequence[str]) -> dict[str, Any]:
    return {
        "path": notebook.path,
        "heading": notebook.heading,
        "params": ", ".join(param_text(each) for each in notebook.params or ()),
        "problem": notebook.problem,
        "is_chosen": notebook.path in chosen,
    }
