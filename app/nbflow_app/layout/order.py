"""The order of the nodes in each column, such that few edges cross. Pure; the same graph always gets the same order.

Sugiyama's way: sweep through the columns, put each node where its neighbours in the column before are, swap neighbours
that would then cross less, and keep the best order seen.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from random import Random

from nbflow_app.layout.columns import Columns

PATIENCE = 6
"""Sweeps without a better order after which there is none to be expected."""

MOST_SWEEPS, MOST_WORK = 30, 30_000
"""Sweeps from one order; and sweeps times nodes and lanes, so that large graphs are laid out in time."""

MOST_STARTS, LARGE = 10, 400
"""Orders to begin with; of a graph with more than LARGE nodes and lanes only the first, for time grows with both."""


def sort(graph: Columns) -> None:
    """Order `graph.columns` in place."""
    most = 1 if len(graph.rank) > LARGE else MOST_STARTS
    fewest = -1
    for start in islice(_starts(graph), most):
        columns, count = _improve(graph, start)
        if fewest < 0 or count < fewest:
            graph.columns, fewest = columns, count
        if not fewest:
            return


def _starts(graph: Columns) -> Iterator[list[list[int]]]:
    given = graph.columns
    yield _walk(graph.down, given, given)
    yield given
    yield _walk(graph.up, given[::-1], given)
    shuffle = Random(0).sample
    while True:
        mixed = [shuffle(column, len(column)) for column in given]
        yield _walk(graph.down, mixed, mixed)


def crossings(graph: Columns, columns: Sequence[Sequence[int]]) -> int:
    """How many pairs of edges cross."""
    total = 0
    for left, right in pairwise(columns):
        place = {node: at for at, node in enumerate(right)}
        seen: list[int] = []
        for node in left:
            ends = [place[down] for down in graph.down[node]]
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _walk(
    onward: Sequence[Sequence[int]], begin: Sequence[Sequence[int]], columns: Sequence[Sequence[int]]
) -> list[list[int]]:
    """Columns in the order in which a walk in depth comes by: what hangs together begins side by side."""
    when: dict[int, int] = {}
    for start in (node for column in begin for node in column):
        stack = [start]
        while stack:
            node = stack.pop()
            if node not in when:
                when[node] = len(when)
                stack.extend(reversed(onward[node]))
    return [sorted(column, key=when.__getitem__) for column in columns]


def _improve(graph: Columns, start: list[list[int]]) -> tuple[list[list[int]], int]:
    columns = [list(column) for column in start]
    best, fewest, in_vain = start, crossings(graph, start), 0
    place = [0] * len(graph.rank)
    for column in columns:
        _put(column, place)
    for sweep in range(max(4, min(MOST_SWEEPS, MOST_WORK // len(graph.rank)))):
        if not fewest or in_vain == PATIENCE:
            break
        _sweep(graph, columns, place, sweep)
        count = crossings(graph, columns)
        in_vain += 1
        if count < fewest:
            best, fewest, in_vain = [list(column) for column in columns], count, 0
    return best, fewest


def _sweep(graph: Columns, columns: list[list[int]], place: list[int], sweep: int) -> None:
    """Once through all columns, in turns to the right and to the left."""
    is_right = sweep % 2 == 0
    near = graph.up if is_right else graph.down
    wanted = _mean if sweep % 4 < 2 else _median
    for column in columns[1:] if is_right else columns[-2::-1]:
        key = {node: wanted([place[other] for other in near[node]], place[node]) for node in column}
        column.sort(key=key.__getitem__)
        _put(column, place)
    for column in columns:
        _swap(graph, column, place)
        _put(column, place)


def _put(column: Sequence[int], place: list[int]) -> None:
    for at, node in enumerate(column):
        place[node] = at


def _mean(places: list[int], own: int) -> float:
    return sum(places) / len(places) if places else own


def _median(places: list[int], own: int) -> float:
    if not places:
        return own
    places.sort()
    return (places[(len(places) - 1) // 2] + places[len(places) // 2]) / 2


def _swap(graph: Columns, column: list[int], place: Sequence[int]) -> None:
    """Swap neighbours as long as that takes crossings away."""
    ups = {node: sorted([place[other] for other in graph.up[node]]) for node in column}
    downs = {node: sorted([place[other] for other in graph.down[node]]) for node in column}
    pairs: Iterable[int] = range(len(column) - 1)
    for _ in range(PATIENCE):
        swapped = []
        for at in pairs:
            upper, lower = column[at], column[at + 1]
            if _gain(ups[upper], ups[lower]) + _gain(downs[upper], downs[lower]) > 0:
                column[at], column[at + 1] = lower, upper
                swapped.append(at)
        pairs = sorted({near for at in swapped for near in (at - 1, at, at + 1) if 0 <= near < len(column) - 1})


def _gain(upper: Sequence[int], lower: Sequence[int]) -> int:
    """How many crossings go away when two nodes swap: their neighbours' places on one side, each in ascending order."""
    if upper and lower and upper[-1] < lower[0]:
        return -len(upper) * len(lower)
    return sum([bisect_left(lower, place) + bisect_right(lower, place) - len(lower) for place in upper])
