"""Whatever the pipeline: no task on another, no edge backwards or through a task, always the same picture."""

from __future__ import annotations

import itertools

from graphs import Graph, problems
from hypothesis import given, settings
from hypothesis import strategies as st
from nbflow_app.layout import layout
from nbflow_app.layout.columns import Columns
from nbflow_app.layout.order import crossings, sort
from nbflow_app.layout.place import ascending


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any DAG, its nodes given in any order."""
    count = draw(st.integers(1, 14))
    names = [f"task_{at}" for at in range(count)]
    ups = [draw(st.lists(st.sampled_from(names[:at]), unique=True, max_size=4)) if at else [] for at in range(count)]
    order = draw(st.permutations(range(count)))
    return {names[at]: ups[at] for at in order}


@given(graphs())
def test_a_picture_has_no_problems_and_is_always_the_same(graph: Graph) -> None:
    laid = layout(graph)
    assert set(laid.nodes) == set(graph)
    assert set(laid.edges) == {(up, name) for name, ups in graph.items() for up in ups}
    assert problems(laid) == []
    assert layout(graph) == laid


@given(graphs())
def test_sorting_never_adds_crossings_and_keeps_every_node(graph: Graph) -> None:
    index = {name: at for at, name in enumerate(graph)}
    columns = Columns([[index[up] for up in ups] for ups in graph.values()])
    given_order = [list(column) for column in columns.columns]
    before = crossings(columns, given_order)
    sort(columns)
    assert [sorted(column) for column in columns.columns] == [sorted(column) for column in given_order]
    assert crossings(columns, columns.columns) <= before


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.integers(1, 9)), min_size=1, max_size=30))
@settings(max_examples=200)
def test_ascending_numbers_are_ascending_and_leave_ascending_ones_alone(pairs: list[tuple[float, int]]) -> None:
    wanted, weights = [value for value, _ in pairs], [weight for _, weight in pairs]
    found = ascending(wanted, weights)
    assert all(a <= b for a, b in itertools.pairwise(found))
    assert ascending(sorted(wanted), weights) == sorted(wanted)
