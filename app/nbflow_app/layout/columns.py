"""Which column each node stands in, and the lanes that long edges take through the columns between. Pure.

Nodes are numbers: 0 to n - 1 as given, lanes above. All edges that leave a node share its lanes.
"""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import TopologicalSorter


class Columns:
    """A graph cut into columns such that every edge leads from one column to the next one."""

    def __init__(self, upstreams: Sequence[Sequence[int]]) -> None:
        """`upstreams[n]` are the nodes that have an edge to n. Raises graphlib.CycleError."""
        self.count = len(upstreams)
        self.rank = ranks(upstreams)
        self.up: list[list[int]] = [[] for _ in upstreams]
        self.down: list[list[int]] = [[] for _ in upstreams]
        self._lanes: list[list[int]] = [[] for _ in upstreams]
        downstreams = reverse(upstreams)
        for node, downs in enumerate(downstreams):
            for down in sorted(downs, key=lambda each: self.rank[each]):
                self._join(self._lane_before(node, self.rank[down]), down)
        self.columns: list[list[int]] = [[] for _ in range(max(self.rank) + 1)]
        for node, rank in enumerate(self.rank):
            self.columns[rank].append(node)

    def lanes(self, start: int, end: int) -> list[int]:
        """The lanes of the edge from `start` to `end`, left to right."""
        return self._lanes[start][: self.rank[end] - self.rank[start] - 1]

    def is_lane(self, node: int) -> bool:
        return node >= self.count

    def _lane_before(self, node: int, rank: int) -> int:
        """The node itself, or the lane of it that stands in the column before `rank`."""
        lanes = self._lanes[node]
        last = lanes[-1] if lanes else node
        while self.rank[last] < rank - 1:
            lane = len(self.rank)
            self.rank.append(self.rank[last] + 1)
            self.up.append([])
            self.down.append([])
            self._join(last, lane)
            lanes.append(lane)
            last = lane
        return last

    def _join(self, left: int, right: int) -> None:
        self.down[left].append(right)
        self.up[right].append(left)


def reverse(upstreams: Sequence[Sequence[int]]) -> list[list[int]]:
    downstreams: list[list[int]] = [[] for _ in upstreams]
    for node, ups in enumerate(upstreams):
        for up in ups:
            downstreams[up].append(node)
    return downstreams


def ranks(upstreams: Sequence[Sequence[int]]) -> list[int]:
    """Columns counted from 0, every node to the right of its upstreams and as near to its neighbours as it can be."""
    downstreams = reverse(upstreams)
    order = list(TopologicalSorter(dict(enumerate(upstreams))).static_order())
    rank = [0] * len(order)
    for node in order:
        rank[node] = max((rank[up] + 1 for up in upstreams[node]), default=0)
    for _ in range(8):
        before = list(rank)
        for node in reversed(order):
            if len(downstreams[node]) > len(upstreams[node]):
                rank[node] = min(rank[down] for down in downstreams[node]) - 1
        for node in order:
            if len(upstreams[node]) > len(downstreams[node]):
                rank[node] = max(rank[up] for up in upstreams[node]) + 1
        if rank == before:
            break
    first = min(rank)
    return [each - first for each in rank]
