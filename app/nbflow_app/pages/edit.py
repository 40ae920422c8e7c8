"""`/pipelines/P/edit`: the editor. Its script puts the sheet of the draft on the screen, and nothing of its own."""

from __future__ import annotations

from nbflow.errors import Unavailable
from nbflow_app.sheet import sheet
from nbflow_app.visit import Page, Redirect, Visit


def show(visit: Visit) -> Page | Redirect:
    """Raises NotFound for a pipeline that has no manifest. A draft that cannot be read can only be discarded."""
    name = visit.part("pipeline")
    try:
        view = visit.api.draft(name)
    except Unavailable:
        return Redirect(to=f"/pipelines/{name}/edit/discard")
    return Page(
        template="edit.html",
        title=f"Edit {name}",
        section="pipelines",
        crumbs=[("Pipelines", "/pipelines"), (name, f"/pipelines/{name}")],
        watch=f"edit:{name}",
        has_canvas=True,
        data={
            "name": name,
            "file": view.disk.file,
            "sheet": sheet(view),
            "view": "text" if visit.field("view") == "text" else "canvas",
        },
    )
