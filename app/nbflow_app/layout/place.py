"""Where columns and the nodes in them stand, in pixels: edges as straight as the order allows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import floor

from nbflow_app.layout.columns import Columns

WIDTH, HEIGHT = 180, 44
"""Of a node."""

ROW_GAP = 18
LANE = 8
"""Height of a lane."""

COLUMN_GAP, WIDEST_GAP = 64, 180
PASSES, SLANT = 16, 12


def place(graph: Columns) -> tuple[list[float], list[float]]:
    """The x of each column, and the y of each node and lane: of their centres."""
    ys = _rows(graph)
    return _across(graph, ys), ys


def _across(graph: Columns, ys: Sequence[float]) -> list[float]:
    """Where edges climb high the gap is wider, so that they do not get steep."""
    xs = [WIDTH / 2]
    for column in graph.columns[:-1]:
        climb = max((abs(ys[down] - ys[node]) for node in column for down in graph.down[node]), default=0.0)
        xs.append(xs[-1] + WIDTH + min(WIDEST_GAP, max(COLUMN_GAP, round(climb / 6))))
    return xs


def _rows(graph: Columns) -> list[float]:
    """Every node towards the mean of its neighbours, as far as order and distance in its column allow."""
    ys = [0.0] * len(graph.rank)
    offsets = [_offsets(graph, column) for column in graph.columns]
    for column, offset in zip(graph.columns, offsets, strict=True):
        for node, at in zip(column, offset, strict=True):
            ys[node] = at - offset[-1] / 2
    for turn in range(PASSES):
        near = [graph.up, graph.down][turn % 2] if turn < PASSES * 2 // 3 else None
        for rank in range(len(graph.columns))[:: -1 if turn % 2 else 1]:
            _settle(graph, graph.columns[rank], offsets[rank], near, ys)
    return _whole(graph, offsets, ys)


def _offsets(graph: Columns, column: Sequence[int]) -> list[int]:
    """The smallest distances from the first node of a column."""
    heights = [_height(graph, node) for node in column]
    offsets = [0]
    for upper, lower in pairwise(heights):
        offsets.append(offsets[-1] + (upper + lower) // 2 + ROW_GAP)
    return offsets


def _height(graph: Columns, node: int) -> int:
    return LANE if graph.is_lane(node) else HEIGHT


def _settle(
    graph: Columns,
    column: Sequence[int],
    offsets: Sequence[int],
    near: Sequence[Sequence[int]] | None,
    ys: list[float],
) -> None:
    wanted, weights = [], []
    for node, offset in zip(column, offsets, strict=True):
        others = (near[node] if near else ()) or [*graph.up[node], *graph.down[node]]
        pulls = [_pull(graph, node, other) for other in others]
        total = sum(pulls)
        mean = sum(pull * ys[other] for pull, other in zip(pulls, others, strict=True)) / total
        wanted.append(mean - offset)
        weights.append(total)
    for node, offset, at in zip(column, offsets, ascending(wanted, weights), strict=True):
        ys[node] = at + offset


def _pull(graph: Columns, one: int, other: int) -> int:
    """Lanes want to be straight more than nodes want to be near."""
    return (1, 2, 8)[graph.is_lane(one) + graph.is_lane(other)]


def ascending(wanted: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The ascending numbers nearest to the wanted ones, by weighted squares (pool adjacent violators)."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(wanted, weights, strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            before = pools.pop()
            total = before[1] + pool[1]
            pool = ((before[0] * before[1] + pool[0] * pool[1]) / total, total, before[2] + pool[2])
        pools.append(pool)
    return [value for value, _, count in pools for _ in range(count)]


def _whole(graph: Columns, offsets: Sequence[Sequence[int]], ys: Sequence[float]) -> list[float]:
    """The same in whole pixels, from the top of the uppermost node on."""
    top = min(ys[node] - _height(graph, node) / 2 for node in range(len(ys)))
    whole = [0.0] * len(ys)
    for column, offset in zip(graph.columns, offsets, strict=True):
        last = -float("inf")
        for node, least in zip(column, offset, strict=True):
            last = max(last, floor(ys[node] - top + 0.5) - least)
            whole[node] = last + least
        _straighten(graph, column, offset, whole)
    return whole


def _straighten(graph: Columns, column: Sequence[int], offset: Sequence[int], ys: list[float]) -> None:
    """A line that climbs a few pixels looks like a mistake: where there is room it is made straight."""
    for at, node in enumerate(column):
        if len(graph.up[node]) != 1 or len(graph.down[graph.up[node][0]]) != 1:
            continue
        wanted = ys[graph.up[node][0]]
        above = ys[column[at - 1]] + offset[at] - offset[at - 1] if at else _height(graph, node) / 2
        below = ys[column[at + 1]] - offset[at + 1] + offset[at] if at + 1 < len(column) else wanted
        if abs(wanted - ys[node]) <= SLANT and above <= wanted <= below:
            ys[node] = wanted
