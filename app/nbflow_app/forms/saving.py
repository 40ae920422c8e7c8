"""Save a draft: its difference first; where somebody else saved meanwhile, both changes and what can be done."""

from __future__ import annotations

from typing import Any

from nbflow.api import DraftView
from nbflow.errors import Unavailable
from nbflow_app.differences import Difference, difference
from nbflow_app.visit import Page, Redirect, Visit


def show(visit: Visit) -> Page:
    name = visit.part("pipeline")
    view = visit.api.draft(name)
    return Page(
        template="forms/save.html",
        title=f"Save {name}",
        section="pipelines",
        crumbs=[(f"Edit {name}", _editor(name))],
        data={"name": name, "file": view.disk.file, "error": "", **(_stale if view.is_stale else _fresh)(visit, view)},
    )


def _fresh(visit: Visit, view: DraftView) -> dict[str, Any]:
    problems = view.definition.problems
    errors = [each for each in problems if each.severity == "error"]
    return {
        "is_stale": False,
        "mine": difference(view.draft.base, view.draft.text),
        "errors": errors,
        "warnings": [each for each in problems if each.severity == "warning"],
        "new_name": view.definition.name if view.definition.name not in {"", view.disk.name} else "",
        "branch": None if errors else visit.api.branch(view.disk.name),
        "message": f"{view.definition.name}: {view.draft.said}" if view.draft.said else f"Edit {view.definition.name}",
    }


def _stale(visit: Visit, view: DraftView) -> dict[str, Any]:
    replay = visit.api.preview_replay(view.disk.name)
    return {
        "is_stale": True,
        "theirs": difference(view.draft.base, view.disk.text),
        "mine": difference(view.draft.base, view.draft.text),
        "both": difference(view.disk.text, replay.draft.text),
        "refused": replay.refused,
    }


def save(visit: Visit) -> Redirect:
    name = visit.part("pipeline")
    message = visit.field("message") if visit.flag("commit") else ""
    saved = visit.api.save_draft(name, message=message)
    done = f"Saved, and committed as {saved.commit}" if saved.commit else "Saved"
    note = f"{done}, but {saved.trouble}" if saved.trouble else done
    return Redirect(to=_editor(saved.pipeline), note=note)


def replay(visit: Visit) -> Redirect:
    name = visit.part("pipeline")
    view = visit.api.replay_draft(name)
    return Redirect(to=_editor(name), note=view.draft.said)


def show_discard(visit: Visit) -> Page:
    """Also for a draft that cannot be read: nothing else can be done about it."""
    name, mine, unread = visit.part("pipeline"), Difference(()), None
    try:
        view = visit.api.draft(name)
        mine = difference(view.draft.base, view.draft.text)
    except Unavailable as error:
        unread = error
    return Page(
        template="forms/discard.html",
        title=f"Discard the draft of {name}",
        section="pipelines",
        crumbs=[(f"Edit {name}", _editor(name))],
        data={"name": name, "mine": mine, "unread": unread},
    )


def discard(visit: Visit) -> Redirect:
    name = visit.part("pipeline")
    visit.api.discard_draft(name)
    return Redirect(to=_editor(name), note="The draft is gone; this is the manifest as it is")


def _editor(name: str) -> str:
    return f"/pipelines/{name}/edit"
