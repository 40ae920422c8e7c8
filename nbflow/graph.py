"""The order of tasks: a thin layer over graph libraries that knows pipelines. Pure.

Cycles and orders, which every run needs, come from the standard library's graphlib; all else from networkx, which is
imported where it is used (decision 30).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from nbflow.model import Pipeline, Task, TaskName

if TYPE_CHECKING:
    import networkx as nx

N = TypeVar("N", bound=str)
K = TypeVar("K", bound=Hashable)


def dag(tasks: Mapping[TaskName, Task]) -> nx.DiGraph[TaskName]:
    """Upstream → downstream. Dependencies on names that do not exist are left out."""
    return _dag(_edges(tasks))


def cycle_path(upstreams: Mapping[N, Collection[N]]) -> tuple[N, ...] | None:
    """A cycle in the order of execution, its first name repeated at the end; None where there is none."""
    try:
        TopologicalSorter({name: [up for up in ups if up in upstreams] for name, ups in upstreams.items()}).prepare()
    except CycleError as error:
        return tuple(error.args[1])
    return None


def order(tasks: Mapping[TaskName, Task]) -> tuple[TaskName, ...]:
    """Every task after its upstreams; among equals the manifest's order."""
    return _order(_edges(tasks))


Edges = tuple[tuple[TaskName, tuple[TaskName, ...]], ...]
"""Each task with its upstreams: all that an order depends on. Views ask for that of the same pipeline all the time."""


def _edges(tasks: Mapping[TaskName, Task]) -> Edges:
    return tuple((name, tuple(up for up in task.depends_on if up in tasks)) for name, task in tasks.items())


def _dag(edges: Edges) -> nx.DiGraph[TaskName]:
    import networkx as nx

    graph: nx.DiGraph[TaskName] = nx.DiGraph()
    graph.add_nodes_from(name for name, _ in edges)
    graph.add_edges_from((up, name) for name, ups in edges for up in ups)
    return graph


@lru_cache(maxsize=64)
def _order(edges: Edges) -> tuple[TaskName, ...]:
    position = {name: at for at, (name, _) in enumerate(edges)}
    sorter = TopologicalSorter(dict(edges))
    sorter.prepare()
    found: list[TaskName] = []
    ready: list[tuple[int, TaskName]] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heappush(ready, (position[name], name))
        found.append(heappop(ready)[1])
        sorter.done(found[-1])
    return tuple(found)


def below(tasks: Mapping[TaskName, Task], name: TaskName) -> tuple[TaskName, ...]:
    """A task and everything that runs after it, in the manifest's order."""
    import networkx as nx

    found = {name, *nx.descendants(dag(tasks), name)}
    return tuple(each for each in tasks if each in found)


def generations(tasks: Mapping[TaskName, Task]) -> tuple[tuple[TaskName, ...], ...]:
    """Layers: a task's layer is one more than the deepest of its upstreams."""
    import networkx as nx

    position = {name: at for at, name in enumerate(tasks)}
    return tuple(tuple(sorted(layer, key=position.__getitem__)) for layer in nx.topological_generations(dag(tasks)))


def heights(tasks: Mapping[TaskName, Task]) -> Mapping[TaskName, int]:
    """For each task the number of tasks on the longest path from it to the end of the pipeline, itself included."""
    return _heights(_edges(tasks))


@lru_cache(maxsize=64)
def _heights(edges: Edges) -> Mapping[TaskName, int]:
    ups, found = dict(edges), {name: 1 for name, _ in edges}
    for name in reversed(_order(edges)):
        for up in ups[name]:
            found[up] = max(found[up], found[name] + 1)
    return MappingProxyType(found)


def critical_path(upstreams: Mapping[K, Collection[K]], ends: Mapping[K, datetime]) -> tuple[K, ...]:
    """The tasks that decide when all have ended, in their order: the last one, and before each its last upstream.

    `ends` are known or expected; a task without one has no part in it.
    """
    path: list[K] = []
    candidates: Collection[K] = ends
    while last := max((key for key in candidates if key in ends), key=lambda key: ends[key], default=None):
        path.append(last)
        candidates = upstreams.get(last, ())
    return tuple(reversed(path))


def restrict(pipeline: Pipeline, names: Collection[TaskName]) -> Pipeline:
    """The pipeline with only these tasks. Order is kept through the ones left out: of a → b → c stays a → c."""
    kept = {name: task for name, task in pipeline.tasks.items() if name in set(names)}
    graph = dag(pipeline.tasks)

    def nearest_kept(name: TaskName) -> tuple[TaskName, ...]:
        found: dict[TaskName, None] = {}
        seen: set[TaskName] = set()
        stack = list(reversed(pipeline.tasks[name].depends_on))
        while stack:
            up = stack.pop()
            if up in seen:
                continue
            seen.add(up)
            if up in kept:
                found[up] = None
            else:
                stack.extend(graph.predecessors(up))
        return tuple(found)

    return replace(pipeline, tasks={name: replace(task, depends_on=nearest_kept(name)) for name, task in kept.items()})
