"""The order of tasks on random graphs, against its definitions."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nbflow import graph
from nbflow.model import Task, TaskName

NAMES = [TaskName(f"t{at}") for at in range(9)]


@st.composite
def tasks(draw: st.DrawFn) -> dict[TaskName, Task]:
    """Without a cycle, in any order, some of them naming an upstream twice or one that is not there."""
    ups = {name: draw(st.lists(st.sampled_from([*NAMES[:at], TaskName("gone")]))) for at, name in enumerate(NAMES)}
    return {
        name: Task(name=name, notebook="n.ipynb", depends_on=tuple(ups[name])) for name in draw(st.permutations(NAMES))
    }


@given(tasks())
def test_next_in_the_order_is_always_the_first_in_the_manifest_whose_upstreams_are_done(
    given: dict[TaskName, Task],
) -> None:
    done: list[TaskName] = []
    while left := [name for name in given if name not in done]:
        done.append(next(name for name in left if {*given[name].depends_on} & {*given} <= {*done}))
    assert graph.order(given) == tuple(done)


@given(tasks())
def test_each_task_is_one_layer_below_its_deepest_upstream(given: dict[TaskName, Task]) -> None:
    layers = graph.generations(given)
    depth = {name: at for at, layer in enumerate(layers) for name in layer}
    for name, task in given.items():
        assert depth[name] == 1 + max((depth[up] for up in task.depends_on if up in given), default=-1)
    assert [list(layer) for layer in layers] == [[n for n in given if depth[n] == at] for at in range(len(layers))]


@given(tasks(), st.sampled_from(NAMES))
def test_below_a_task_is_whoever_reaches_it_through_upstreams(given: dict[TaskName, Task], top: TaskName) -> None:
    def reaches(name: TaskName) -> bool:
        return name == top or any(reaches(up) for up in given[name].depends_on if up in given)

    assert graph.below(given, top) == tuple(filter(reaches, given))


@given(tasks(), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_an_edge_too_many_makes_a_cycle(given: dict[TaskName, Task], up: TaskName, down: TaskName) -> None:
    closed = {**given, up: Task(name=up, notebook="n.ipynb", depends_on=(*given[up].depends_on, down))}
    path = graph.cycle_path({name: task.depends_on for name, task in closed.items()})
    if down not in graph.below(given, up):
        assert path is None
        return
    assert path is not None
    assert path[0] == path[-1]
    assert all(before in closed[after].depends_on for before, after in pairwise(path))
