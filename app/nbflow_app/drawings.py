"""The drawings: Panel applications that pages embed, one session for each page that is open.

A drawing takes no orders. What is new comes from the room of its run, as on the page around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import panel as pn
from panel.models.esm import ReactiveESM

from nbflow import graph
from nbflow.api import RunView
from nbflow.errors import NotFound
from nbflow.estimates import Estimate
from nbflow.model import Pipeline, TaskKey
from nbflow.run import Attempt
from nbflow_app.format import zone_of
from nbflow_app.frame import Frame
from nbflow_app.layout import drawn_height, layout_of
from nbflow_app.pages.run import RunNow
from nbflow_app.pages.taskrows import TaskRow, task_rows
from nbflow_app.rooms import News, Rooms
from nbflow_app.visit import Visit
from nbflow_app.widgets.canvas import canvas
from nbflow_app.widgets.gantt import Bar, Course, Gantt
from nbflow_app.widgets.graph import Graph, Node

ReactiveESM.__javascript_raw__ = []  # its shims run a script in the page, and none of its components is used here

if TYPE_CHECKING:
    from bokeh.document import Document

Drawing = Callable[[], pn.viewable.Viewable]


def drawings(visit: Callable[[ZoneInfo], Visit], rooms: Rooms, frame: Frame) -> Mapping[str, Drawing]:
    """Address → what Panel serves there."""

    def _link(view: RunView) -> str:
        return frame.url("/pipelines", view.run.pipeline, "runs", view.run.id, "tasks", "")

    def run_graph() -> pn.viewable.Viewable:
        return _of_run(visit(_zone()), pn.state.route_params["run"])

    def _of_run(seen: Visit, run: str) -> pn.viewable.Viewable:
        view = seen.api.status(run)
        drawn = graph_of(
            view.stored.pipeline,
            nodes(task_rows(seen, view, seen.api.whys(view.stored, zone=seen.zone))),
            link=_link(view),
        )
        _follow(rooms, f"run:{view.run.id}", lambda run: drawn.update(nodes(run.rows)))
        return _pane(drawn.figure)

    def run_times() -> pn.viewable.Viewable:
        seen = visit(_zone())
        view = seen.api.status(pn.state.route_params["run"])
        begin = view.run.started_at or view.run.created_at
        tasks = [key.address for key in view.tasks]
        gantt = Gantt(tasks, begin, course(view, seen.api.finish(view.stored), seen.now), link=_link(view))
        _follow(rooms, f"run:{view.run.id}", lambda run: gantt.update(_course_of(run)))
        return _pane(gantt.figure)

    def pipeline_graph() -> pn.viewable.Viewable:
        """As its manifest is now, or a run of it if `?run=` names one."""
        seen = visit(_zone())
        name, run = pn.state.route_params["pipeline"], _argument("run")
        if run:
            return _of_run(seen, run)
        pipeline = seen.api.definition(name).pipeline
        if pipeline is None:
            raise NotFound(f"pipeline '{name}' cannot be drawn")
        plan = {str(name): Node(about=task.notebook) for name, task in pipeline.tasks.items()}
        return _pane(graph_of(pipeline, plan).figure)

    def editor() -> pn.viewable.Viewable:
        """Empty: what it shows, its page gives it."""
        return pn.pane.Bokeh(canvas(), sizing_mode="stretch_both")  # type: ignore[no-untyped-call]

    return {
        "/drawings/runs/{run}": run_graph,
        "/drawings/runs/{run}/times": run_times,
        "/drawings/pipelines/{pipeline}": pipeline_graph,
        "/drawings/pipelines/{pipeline}/edit": editor,
    }


def nodes(rows: Iterable[TaskRow]) -> dict[str, Node]:
    return {
        row.address: Node(state=row.state, took=row.took.striptags(), why=row.said, set_by=row.set_by) for row in rows
    }


def graph_of(pipeline: Pipeline, nodes: Mapping[str, Node], link: str = "") -> Graph:
    return Graph(layout_of(pipeline), nodes, height=drawn_height(pipeline), link=link)


def course(view: RunView, estimate: Estimate | None, now: datetime) -> Course:
    """When its tasks ran, when the others will, and which of them decide when it ends."""
    spans = {} if estimate is None else {key.address: (span.start, span.end) for key, span in estimate.spans.items()}
    tasks = view.stored.pipeline.tasks
    ends = {key: task.ended_at for key, task in view.tasks.items() if task.ended_at and task.started_at}
    if estimate is not None:
        ends |= {key: span.end for key, span in estimate.spans.items()}
    ups = {key: [TaskKey(up) for up in tasks[key.task].depends_on] for key in view.tasks}
    return Course(
        now=view.run.ended_at or now,
        is_over=view.run.state.is_terminal,
        bars=[_bar(attempt) for tried in view.attempts.values() for attempt in tried if attempt.started_at],
        rest=spans,
        critical={key.address for key in graph.critical_path(ups, ends)},
    )


@lru_cache(maxsize=4)
def _course_of(run: RunNow) -> Course:
    """Once for all who are told of it."""
    return course(run.view, run.estimate, run.now)


def _bar(of: Attempt) -> Bar:
    assert of.started_at
    return Bar(
        task=of.key.address, number=of.number, state=of.state, start=of.started_at, end=of.ended_at, why=of.reason
    )


def _follow(rooms: Rooms, watch: str, told: Callable[[RunNow], None]) -> None:
    document: Document = pn.state.curdoc

    def send(news: News) -> None:
        if (run := news.run) is not None:
            document.add_next_tick_callback(lambda: told(run))

    leave = rooms.join(watch, _zone(), send)
    pn.state.on_session_destroyed(lambda _: leave())


def _argument(name: str) -> str:
    given = pn.state.session_args.get(name)
    return given[-1].decode("utf-8", "replace") if given else ""


def _zone() -> ZoneInfo:
    return zone_of(pn.state.cookies.get("nb-zone", ""))


def _pane(figure: Any) -> pn.viewable.Viewable:
    return pn.pane.Bokeh(figure, sizing_mode="stretch_width")  # type: ignore[no-untyped-call]
