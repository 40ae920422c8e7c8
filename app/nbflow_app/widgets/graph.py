"""The graph of a pipeline: its tasks as boxes coloured by state, live.

Drawn on a canvas in the browser. The server sends once where things stand, and afterwards only what changed; theme,
zoom and lit edges are the browser's own (`graph.js`). The canvas has no keyboard, so every page shows `task_list` or a
table beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any, TypeAlias
from urllib.parse import quote

import numpy as np
from bokeh.core.properties import value
from bokeh.events import MouseMove
from bokeh.models import (
    ColumnDataSource,
    CustomJS,
    Dodge,
    GlyphRenderer,
    HoverTool,
    PanTool,
    Range1d,
    Rect,
    Scatter,
    TapTool,
    WheelZoomTool,
)
from bokeh.plotting import figure

from nbflow.states import TaskState
from nbflow_app import theme
from nbflow_app.layout import HIGHEST, WIDTH, Layout, Point
from nbflow_app.widgets import boxes, looks

Column: TypeAlias = "list[str] | np.ndarray[Any, np.dtype[np.float32]]"

WANTED = (TaskState.FAILED, TaskState.RUNNING, TaskState.RETRY_WAIT, TaskState.QUEUED)
"""What a person wants to see first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A task as the graph shows it."""

    state: TaskState = TaskState.WAITING
    about: str = ""
    """What it says where no run gives it a state."""
    label: str = ""
    """Empty: the task's name."""
    took: str = ""
    why: str = ""
    """Why it stands where it stands; shown on hover."""
    set_by: str | None = None

    @property
    def detail(self) -> str:
        return self.about or " · ".join(filter(None, (theme.label_of(self.state), self.took)))


class Graph:
    """`figure` goes into the page; `update` says how the tasks stand now.

    A tap on a task opens `link` followed by its name.
    """

    def __init__(self, laid: Layout, nodes: Mapping[str, Node], *, height: int = HIGHEST, link: str = "") -> None:
        self._laid, self._nodes = laid, {name: nodes[name] for name in laid.nodes}
        self._rows = {name: row for row, name in enumerate(self._nodes)}
        self._source = ColumnDataSource(_columns(laid, self._nodes), syncable=False)
        self._hands = ColumnDataSource(self._set_by_hand(), syncable=False)
        self.figure = self._draw(height, link)

    def update(self, nodes: Mapping[str, Node]) -> None:
        """Send what changed; tasks that are not named stay as they are."""
        patches: dict[str, list[tuple[int, str]]] = {}
        before = self._nodes
        self._nodes = before | {name: node for name, node in nodes.items() if name in before}
        for name in nodes.keys() & before.keys():
            old, new = _texts(name, before[name]), _texts(name, self._nodes[name])
            for column in new:
                if old[column] != new[column]:
                    patches.setdefault(column, []).append((self._rows[name], new[column]))
        if patches:
            self._source.patch(patches)
        if (hands := self._set_by_hand()) != self._hands.data:
            self._hands.data = hands

    def _set_by_hand(self) -> dict[str, list[float]]:
        points = [self._laid.nodes[name] for name, node in self._nodes.items() if node.set_by is not None]
        return {"x": [point.x for point in points], "y": [-point.y for point in points]}

    # --- what is drawn --------------------------------------------------------------------------------------------

    def _draw(self, height: int, link: str) -> figure:
        plot = looks.canvas(
            height=height,
            x_range=Range1d(0, max(1, self._laid.width), syncable=False),
            y_range=Range1d(-max(1, self._laid.height), 0, syncable=False),
        )
        edges = ColumnDataSource(_pieces(self._laid.edges.values()), syncable=False)
        lit = ColumnDataSource({column: [] for column in edges.data}, syncable=False)
        ends = ColumnDataSource(_ends(self._laid), syncable=False)
        mappers = looks.Mappers()
        icons = {f"@{state}": theme.look_of(state).icon for state in TaskState}
        icon = boxes.icon("state", icons, mappers.line("state"), mappers.solid("state"))
        drawn = {
            "edges": boxes.add(plot, edges, boxes.curve(1.5)),
            "arrows": boxes.add(plot, ends, boxes.arrows()),
            "lit": boxes.add(plot, lit, boxes.curve(3)),
            "boxes": self._add_boxes(plot, mappers),
            "icons": boxes.add(plot, self._source, icon),
            "hands": boxes.add(plot, self._hands, _pencil()),
            "names": boxes.add(plot, self._source, boxes.text("label", 8, bold=True)),
            "details": boxes.add(plot, self._source, boxes.text("detail", -9)),
        }
        for name, renderer in drawn.items():
            renderer.name = name
        self._add_tools(plot, drawn, mappers, link)
        return plot

    def _add_boxes(self, plot: figure, mappers: looks.Mappers) -> GlyphRenderer:
        def box(width: float) -> Rect:
            colours = {"fill_color": mappers.fill("state"), "line_color": mappers.line("state")}
            return Rect(x="x", y="y", line_width=width, syncable=False, **boxes.BOX, **colours)

        return boxes.add(plot, self._source, box(1.6), hover_glyph=box(3), selection_glyph=box(3))

    def _add_tools(self, plot: figure, drawn: Mapping[str, GlyphRenderer], mappers: looks.Mappers, link: str) -> None:
        buttons = looks.buttons(fit="Show all tasks", find="Go to what failed or runs")
        *_, fit, find = buttons
        script = CustomJS(
            args={
                **drawn,
                **mappers.args(),
                "plot": plot,
                "fit": fit,
                "find": find,
                "wanted": [f"@{state}" for state in WANTED],
                "link": link,
                "size": [self._laid.width, self._laid.height],
                **boxes.MEASURES,
            },
            code=looks.script(*boxes.SCRIPTS, "graph.js"),
        )
        fit.callback = find.callback = script
        hover = HoverTool(
            renderers=[drawn["boxes"]],
            tooltips=looks.tooltip("name", "detail", "why"),
            attachment="vertical",
            visible=False,
        )
        pan, wheel = PanTool(visible=False), WheelZoomTool(visible=False, zoom_on_axis=False, speed=1 / 500)
        tap = TapTool(renderers=[drawn["boxes"]], callback=script, visible=False)
        plot.add_tools(pan, wheel, tap, hover, *buttons)
        plot.toolbar.active_drag, plot.toolbar.active_scroll = pan, wheel
        plot.x_range.js_on_change("end", script)
        plot.js_on_change("inner_width", script)
        plot.js_on_change("inner_height", script)
        plot.js_on_event(MouseMove, script)


def task_list(nodes: Mapping[str, Node], link: str) -> str:
    """The same for the keyboard, for screen readers and for a phone: a list in HTML, a link for each task."""
    items = (
        f'<li><a href="{escape(link + quote(name))}">{escape(node.label or name)}</a> '
        f'{theme.badge(node.state, set_by=node.set_by)} <span class="nb-dim">{escape(node.took)}</span></li>'
        for name, node in nodes.items()
    )
    return f'<ul class="nb-tasks">{"".join(items)}</ul>'


# --- columns ------------------------------------------------------------------------------------------------------


def _columns(laid: Layout, nodes: Mapping[str, Node]) -> dict[str, Column]:
    texts = [_texts(name, node) for name, node in nodes.items()]
    return {
        "x": np.array([laid.nodes[name].x for name in nodes], dtype=np.float32),
        "y": np.array([-laid.nodes[name].y for name in nodes], dtype=np.float32),
        "name": list(nodes),
        **{column: [text[column] for text in texts] for column in ("label", "state", "detail", "why")},
    }


def _texts(name: str, node: Node) -> dict[str, str]:
    return {
        "label": looks.fitted(node.label or name, boxes.TEXT_WIDTH, size=boxes.NAME_SIZE, bold=True),
        "state": f"@{node.state}",
        "detail": looks.fitted(node.detail, boxes.TEXT_WIDTH, size=boxes.DETAIL_SIZE),
        "why": node.why,
    }


def _pieces(edges: Iterable[tuple[Point, ...]]) -> dict[str, Column]:
    """The bends and the straight pieces of all edges, each once: `middle` is the x of both control points."""
    pieces = dict.fromkeys((a, b) for points in edges for a, b in pairwise(points))
    rows = np.array([(a.x, -a.y, b.x, -b.y, (a.x + b.x) / 2) for a, b in pieces], dtype=np.float32).reshape(-1, 5)
    return {name: rows[:, at].copy() for at, name in enumerate(("x0", "y0", "x1", "y1", "middle"))}


def _ends(laid: Layout) -> dict[str, Column]:
    """One arrow head for each task that has an upstream, however many they are."""
    ends = np.array(list(dict.fromkeys(points[-1] for points in laid.edges.values())), dtype=np.float32).reshape(-1, 2)
    return {"x": ends[:, 0] - 4, "y": -ends[:, 1]}


def _pencil() -> Scatter:
    at = Dodge(value=WIDTH / 2 - 14)
    marker = {"marker": value("@pencil"), "defs": {"@pencil": looks.marker(theme.PENCIL)}}
    return Scatter(x={"field": "x", "transform": at}, y="y", fill_color=None, syncable=False, **marker)
