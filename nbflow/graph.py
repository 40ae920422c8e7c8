"""The order of tasks: a thin layer over networkx that knows pipelines. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from nbflow.model import Pipeline, Task, TaskName

if TYPE_CHECKING:
    import networkx as nx  # imported where it is used: most commands need no graph

N = TypeVar("N", bound=str)
K = TypeVar("K", bound=Hashable)


def dag(tasks: Mapping[TaskName, Task]) -> nx.DiGraph[TaskName]:
    """Upstream → downstream. Dependencies on names that do not exist are left out."""
    import networkx as nx

    graph: nx.DiGraph[TaskName] = nx.DiGraph()
    graph.add_nodes_from(tasks)
    graph.add_edges_from((up, task.name) for task in tasks.values() for up in task.depends_on if up in tasks)
    return graph


def cycle_path(upstreams: Mapping[N, Collection[N]]) -> tuple[N, ...] | None:
    """A cycle in the order of execution, its first name repeated at the end; None where there is none."""
    import networkx as nx

    graph: nx.DiGraph[N] = nx.DiGraph()
    graph.add_nodes_from(upstreams)
    graph.add_edges_from((up, name) for name, ups in upstreams.items() for up in ups if up in upstreams)
    try:
        edges = nx.find_cycle(graph)
    except nx.NetworkXNoCycle:
        return None
    return (edges[0][0], *(edge[1] for edge in edges))


def order(tasks: Mapping[TaskName, Task]) -> tuple[TaskName, ...]:
    """Every task after its upstreams; among equals the manifest's order."""
    import networkx as nx

    position = {name: at for at, name in enumerate(tasks)}
    return tuple(nx.lexicographical_topological_sort(dag(tasks), key=position.__getitem__))


def generations(tasks: Mapping[TaskName, Task]) -> tuple[tuple[TaskName, ...], ...]:
    """Layers: a task's layer is one more than the deepest of its upstreams."""
    import networkx as nx

    position = {name: at for at, name in enumerate(tasks)}
    return tuple(tuple(sorted(layer, key=position.__getitem__)) for layer in nx.topological_generations(dag(tasks)))


def longest_paths(tasks: Mapping[TaskName, Task], cost: Callable[[TaskName], float]) -> dict[TaskName, float]:
    """For each task the cost of the dearest path from its start to the end of the pipeline, itself included."""
    rest: dict[TaskName, float] = {}
    graph = dag(tasks)
    for name in reversed(order(tasks)):
        rest[name] = cost(name) + max((rest[down] for down in graph.successors(name)), default=0.0)
    return rest


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
