"""Every address of the app, and what answers it: the app is read from here."""

from __future__ import annotations

from typing import Any

from tornado.web import RequestHandler

from nbflow_app import editing, palette
from nbflow_app.asgi import Asgi, AsgiHandler
from nbflow_app.editing import Order, OrderHandler, SheetHandler
from nbflow_app.files import NotebookFileHandler, OutputFrameHandler, OutputHandler
from nbflow_app.following import StatesHandler
from nbflow_app.forms import cancel, edit_pipeline, edit_task, mark, new, pausing, rerun, retry, saving, trigger, trying
from nbflow_app.handlers import AssetHandler, EditFormHandler, EditPageHandler, FormHandler, PageHandler, Show, Site
from nbflow_app.live import LiveHandler
from nbflow_app.notebooks import Notebooks
from nbflow_app.pages import edit, home, pipeline, pipelines, run, runs, task
from nbflow_app.pages.attempt import AttemptPage
from nbflow_app.palette import AskHandler, BeginHandler
from nbflow_app.rooms import Rooms

Route = tuple[str, type[RequestHandler], dict[str, Any]]

PIPELINE = "/pipelines/(?P<pipeline>[a-z][a-z0-9_]*)"
"""No path: the api would also load a notebook by its path, and that is not for strangers."""
RUN = f"{PIPELINE}/runs/(?P<run>[a-z0-9-]+)"
TASK = rf"{RUN}/tasks/(?P<task>[a-z][a-z0-9_]*(?:\.\d+)?)"

PAGES: tuple[tuple[str, Show], ...] = (
    ("/", home.show),
    ("/pipelines", pipelines.show),
    (PIPELINE, pipeline.show),
    ("/runs", runs.show),
    (RUN, run.show),
    (TASK, task.show),
)
FORMS: tuple[tuple[str, Show, Show], ...] = (
    (f"{PIPELINE}/trigger", trigger.show, trigger.act),
    (f"{PIPELINE}/pause", pausing.show, pausing.pause),
    (f"{PIPELINE}/resume", pausing.show, pausing.resume),
    (f"{RUN}/rerun", rerun.show, rerun.act),
    (f"{RUN}/cancel", cancel.show, cancel.act),
    (f"{RUN}/mark", mark.show, mark.act),
    (f"{RUN}/retry-now", retry.show, retry.act),
)
EDIT = f"{PIPELINE}/edit"
EDIT_PAGES: tuple[tuple[str, Show], ...] = ((EDIT, edit.show),)
EDIT_FORMS: tuple[tuple[str, Show, Show], ...] = (
    (new.NEW, new.show, new.create),
    (f"{new.NEW}/notebook", new.show, new.begin_notebook),
    (f"{EDIT}/pipeline", edit_pipeline.show, edit_pipeline.act),
    (f"{EDIT}/tasks/(?P<task>[a-z][a-z0-9_]*)", edit_task.show, edit_task.act),
    (f"{EDIT}/save", saving.show, saving.save),
    (f"{EDIT}/replay", saving.show, saving.replay),
    (f"{EDIT}/discard", saving.show_discard, saving.discard),
    (f"{EDIT}/run", trying.show, trying.act),
)
ORDERS: tuple[tuple[str, Order], ...] = (
    (f"{EDIT}/commands", editing.commands),
    (f"{EDIT}/undo", editing.undo),
    (f"{EDIT}/redo", editing.redo),
    (f"{EDIT}/text", editing.text),
    (f"{EDIT}/arrange", editing.arrange),
)

ATTEMPT = rf"{TASK}/(?P<number>\d{{1,9}})"
OUTPUT = r"(?P<cell>[a-z0-9]+)/(?P<place>\d{1,9})"


def routes(site: Site, rooms: Rooms, notebooks: Notebooks, origins: frozenset[str], rest: Asgi | None) -> list[Route]:
    """Patterns without the prefix, in the order in which they are tried."""
    here = {"site": site}
    files = {**here, "notebooks": notebooks}
    api: list[Route] = []
    if rest is not None:
        api = [(r"/(?:api/.*|healthz|readyz|metrics)", AsgiHandler, {"app": rest, "prefix": site.frame.prefix})]
    return [
        *((path, EditFormHandler, {**here, "show": show, "act": act}) for path, show, act in EDIT_FORMS),
        *((path, PageHandler, {**here, "show": show}) for path, show in PAGES),
        *((path, FormHandler, {**here, "show": show, "act": act}) for path, show, act in FORMS),
        *((path, EditPageHandler, {**here, "show": show}) for path, show in EDIT_PAGES),
        *((path, OrderHandler, {**here, "order": order}) for path, order in ORDERS),
        (f"{EDIT}/sheet", SheetHandler, here),
        (f"{EDIT}/palette", AskHandler, {**here, "ask": palette.palette}),
        (f"{EDIT}/suggestions", AskHandler, {**here, "ask": palette.suggestions}),
        (f"{EDIT}/notebooks", BeginHandler, here),
        (f"{RUN}/states", StatesHandler, here),
        (ATTEMPT, PageHandler, {**here, "show": AttemptPage(notebooks).show}),
        (rf"{ATTEMPT}\.(?P<kind>ipynb|html)", NotebookFileHandler, files),
        (f"{ATTEMPT}/whole/{OUTPUT}", OutputHandler, files),
        (f"{ATTEMPT}/frame/{OUTPUT}", OutputFrameHandler, files),
        (r"/live", LiveHandler, {"rooms": rooms, "origins": origins}),
        (r"/assets/(?P<name>[a-z.]+)", AssetHandler, here),
        *api,
    ]
