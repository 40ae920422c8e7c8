"""Where the tasks of a pipeline stand on the screen: in columns, left to right, long edges in lanes of their own. Pure.

The same pipeline always gets the same picture. Pixels; x grows to the right, y downwards, and (0, 0) is top left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from nbflow.model import Pipeline
from nbflow_app.layout.columns import Columns
from nbflow_app.layout.order import sort
from nbflow_app.layout.place import HEIGHT, ROW_GAP, WIDTH, place

__all__ = ["HEIGHT", "HIGHEST", "WIDTH", "Layout", "Point", "drawn_height", "laid_out", "layout", "layout_of"]

LOWEST, HIGHEST, AROUND = 200, 640, 90
"""Pixels of a drawing that is as high as its nodes need, within reason, with room for its tools."""
LARGE = 100
"""Nodes from which on a drawing is HIGHEST: a page that embeds one does not wait for its layout."""

MARGIN = 40
"""Between parts that have nothing to do with each other."""


class Point(NamedTuple):
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Centres of the nodes, each WIDTH × HEIGHT; and for each edge its points.

    The points come in pairs: from the first to the second of a pair the edge bends through the gap between two columns,
    from one pair to the next it goes straight through a column.
    """

    nodes: Mapping[str, Point]
    edges: Mapping[tuple[str, str], tuple[Point, ...]]
    width: float
    height: float


def layout(upstreams: Mapping[str, Iterable[str]]) -> Layout:
    """Lay out a graph given as node → its upstreams, all of which are nodes. Raises graphlib.CycleError."""
    known = {name: tuple(dict.fromkeys(ups)) for name, ups in upstreams.items()}
    parts = _parts(known)
    laid = [_part(part, known) for part in parts if len(part) > 1]
    alone = [part[0] for part in parts if len(part) == 1]
    if alone:
        laid.append(_rows(alone, max((part.width for part in laid), default=0)))
    return _stack(laid)


@lru_cache(maxsize=64)
def laid_out(upstreams: tuple[tuple[str, tuple[str, ...]], ...]) -> Layout:
    """The same, worked out once for as long as the edges stay what they are."""
    return layout(dict(upstreams))


def layout_of(pipeline: Pipeline) -> Layout:
    """Where its tasks stand; worked out once, whatever else changes in the manifest."""
    return laid_out(tuple((name, task.depends_on) for name, task in pipeline.tasks.items()))


def drawn_height(pipeline: Pipeline) -> int:
    """Known before it is drawn, so that what stands below it need not move."""
    if len(pipeline.tasks) > LARGE:
        return HIGHEST
    return round(min(HIGHEST, max(LOWEST, layout_of(pipeline).height + AROUND)))


def _part(names: Sequence[str], upstreams: Mapping[str, Sequence[str]]) -> Layout:
    index = {name: at for at, name in enumerate(names)}
    columns = Columns([[index[up] for up in upstreams[name]] for name in names])
    sort(columns)
    xs, ys = place(columns)
    nodes = {name: Point(xs[columns.rank[at]], ys[at]) for name, at in index.items()}
    edges = {}
    for name, at in index.items():
        for up in upstreams[name]:
            lanes = [Point(xs[columns.rank[lane]], ys[lane]) for lane in columns.lanes(index[up], at)]
            edges[up, name] = _route(nodes[up], lanes, nodes[name])
    bottom = max([*(point.y + HEIGHT / 2 for point in nodes.values()), *(ys[columns.count :])])
    return Layout(nodes, edges, xs[-1] + WIDTH / 2, bottom)


def _route(start: Point, lanes: Sequence[Point], end: Point) -> tuple[Point, ...]:
    """From the right side of `start` through the lanes to the left side of `end`."""
    half = WIDTH / 2
    corners = [Point(start.x + half, start.y)]
    for lane in lanes:
        corners += [Point(lane.x - half, lane.y), Point(lane.x + half, lane.y)]
    return (*corners, Point(end.x - half, end.y))


def _parts(upstreams: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """The nodes that hang together, in the order in which they were given."""
    near: dict[str, list[str]] = {name: [] for name in upstreams}
    for name, ups in upstreams.items():
        for up in ups:
            near[up].append(name)
            near[name].append(up)
    part_of: dict[str, int] = {}
    for part, first in enumerate(upstreams):
        stack = [first] if first not in part_of else []
        while stack:
            name = stack.pop()
            if name not in part_of:
                part_of[name] = part
                stack += near[name]
    parts: dict[int, list[str]] = {}
    for name in upstreams:
        parts.setdefault(part_of[name], []).append(name)
    return list(parts.values())


def _rows(names: Sequence[str], width: float) -> Layout:
    """Nodes without an edge: in rows, about as wide as what stands above them, or as a square."""
    step = WIDTH + MARGIN
    across = max(int((width + MARGIN) // step), min(len(names), round((len(names) * HEIGHT / WIDTH) ** 0.5) + 1))
    points = (Point(at % across * step, at // across * (HEIGHT + ROW_GAP)) for at in range(len(names)))
    half = Point(WIDTH / 2, HEIGHT / 2)
    nodes = {name: Point(x + half.x, y + half.y) for name, (x, y) in zip(names, points, strict=True)}
    last = max(nodes.values(), key=lambda point: point.y)
    return Layout(nodes, {}, min(across, len(names)) * step - MARGIN, last.y + half.y)


def _stack(parts: Sequence[Layout]) -> Layout:
    nodes: dict[str, Point] = {}
    edges: dict[tuple[str, str], tuple[Point, ...]] = {}
    top = 0.0
    for part in parts:
        nodes |= {name: Point(x, y + top) for name, (x, y) in part.nodes.items()}
        edges |= {edge: tuple(Point(x, y + top) for x, y in points) for edge, points in part.edges.items()}
        top += part.height + MARGIN
    return Layout(nodes, edges, max((part.width for part in parts), default=0), max(0, top - MARGIN))
