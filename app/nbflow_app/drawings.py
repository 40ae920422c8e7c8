"""The drawings: Panel applications that pages embed, one session for each page that is open.

A drawing takes no orders. What is new comes from the room of its run, as on the page around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import panel as pn
from panel.models.esm import ReactiveESM

from nbflow.errors import NotFound
from nbflow.model import Pipeline
from nbflow.states import TaskState
from nbflow_app.format import zone_of
from nbflow_app.frame import Frame
from nbflow_app.layout import Layout, layout
from nbflow_app.pages.taskrows import TaskRow, task_rows
from nbflow_app.rooms import News, Rooms
from nbflow_app.visit import Visit
from nbflow_app.widgets.graph import Graph, Node

ReactiveESM.__javascript_raw__ = []  # its shims run a script in the page, and none of its components is used here

if TYPE_CHECKING:
    from bokeh.document import Document

Drawing = Callable[[], pn.viewable.Viewable]


def drawings(visit: Callable[[ZoneInfo], Visit], rooms: Rooms, frame: Frame) -> Mapping[str, Drawing]:
    """Address → what Panel serves there."""

    def run_graph() -> pn.viewable.Viewable:
        return _of_run(visit(_zone()), pn.state.route_params["run"])

    def _of_run(seen: Visit, run: str) -> pn.viewable.Viewable:
        view = seen.api.status(run)
        link = frame.url("/pipelines", view.run.pipeline, "runs", view.run.id, "tasks", "")
        graph = Graph(laid_out(view.stored.pipeline), nodes(task_rows(seen, view)), link=link)
        _follow(rooms, f"run:{view.run.id}", lambda news: graph.update(nodes(news.rows)))
        return _pane(graph.figure)

    def pipeline_graph() -> pn.viewable.Viewable:
        """As its manifest is now, or a run of it if `?run=` names one."""
        seen = visit(_zone())
        name, run = pn.state.route_params["pipeline"], _argument("run")
        if run:
            return _of_run(seen, run)
        pipeline = seen.api.pipeline(name, runs=1).definition.pipeline
        if pipeline is None:
            raise NotFound(f"pipeline '{name}' cannot be drawn")
        waiting = {str(task): Node(state=TaskState.WAITING) for task in pipeline.tasks}
        return _pane(Graph(laid_out(pipeline), waiting).figure)

    return {"/drawings/runs/{run}": run_graph, "/drawings/pipelines/{pipeline}": pipeline_graph}


def nodes(rows: Iterable[TaskRow]) -> dict[str, Node]:
    return {
        row.address: Node(state=row.state, took=row.took.striptags(), why=row.said, set_by=row.set_by) for row in rows
    }


@lru_cache(maxsize=64)
def _laid_out(edges: tuple[tuple[str, tuple[str, ...]], ...]) -> Layout:
    return layout(dict(edges))


def laid_out(pipeline: Pipeline) -> Layout:
    """Where its tasks stand; worked out once, whatever else changes in the manifest."""
    return _laid_out(tuple((name, task.depends_on) for name, task in pipeline.tasks.items()))


def _follow(rooms: Rooms, watch: str, told: Callable[[News], None]) -> None:
    document: Document = pn.state.curdoc

    def send(news: News) -> None:
        if news.rows:
            document.add_next_tick_callback(lambda: told(news))

    leave = rooms.join(watch, _zone(), send)
    pn.state.on_session_destroyed(lambda _: leave())


def _argument(name: str) -> str:
    given = pn.state.session_args.get(name)
    return given[-1].decode("utf-8", "replace") if given else ""


def _zone() -> ZoneInfo:
    return zone_of(pn.state.cookies.get("nb-zone", ""))


def _pane(figure: Any) -> pn.viewable.Viewable:
    return pn.pane.Bokeh(figure, sizing_mode="stretch_width")  # type: ignore[no-untyped-call]
