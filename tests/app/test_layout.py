"""Where tasks stand: to the right of their upstreams, never on one another, edges in lanes of their own."""

from __future__ import annotations

import itertools
from graphlib import CycleError

import pytest
from graphs import boxes, chain, etl, fan, problems
from nbflow_app.layout import HEIGHT, WIDTH, layout
from nbflow_app.layout.columns import Columns, ranks
from nbflow_app.layout.order import crossings, sort


def test_a_chain_is_a_straight_line() -> None:
    laid = layout(chain(4))
    assert len({point.y for point in laid.nodes.values()}) == 1
    assert all(a.y == b.y for points in laid.edges.values() for a, b in itertools.pairwise(points))


def test_a_fan_opens_and_closes_around_its_middle_in_the_given_order() -> None:
    laid = layout(fan(5))
    middle = [laid.nodes[f"fit_{at}"] for at in range(5)]
    assert [point.y for point in middle] == sorted(point.y for point in middle)
    assert len({point.x for point in middle}) == 1
    assert laid.nodes["start"].y == laid.nodes["end"].y == middle[2].y


def test_a_long_edge_takes_a_lane_beside_the_nodes() -> None:
    laid = layout({"a": [], "b": ["a"], "c": ["b"], "d": ["c", "a"]})
    edge = laid.edges["a", "d"]
    assert len(edge) == 6, "out of a, through the columns of b and c, into d"
    assert problems(laid) == []


def test_edges_of_one_task_share_their_lanes() -> None:
    laid = layout({**chain(5), "task_3": ["task_2", "task_0"], "task_4": ["task_3", "task_0"]})
    assert laid.edges["task_0", "task_4"][:5] == laid.edges["task_0", "task_3"][:5]


def test_a_task_stands_near_what_needs_it() -> None:
    assert ranks([[], [0], [1], [], [2, 3]]) == [0, 1, 2, 2, 3]


def test_parts_that_do_not_hang_together_stand_below_each_other_and_single_tasks_in_rows() -> None:
    laid = layout({**chain(4), "x": [], "y": ["x"], **{f"alone_{at}": [] for at in range(5)}})
    assert laid.nodes["x"].y > laid.nodes["task_0"].y
    rows = {laid.nodes[f"alone_{at}"].y for at in range(5)}
    assert len(rows) == 2
    assert min(rows) > laid.nodes["x"].y
    assert problems(laid) == []


def test_fifty_tasks_without_an_edge_make_a_block() -> None:
    laid = layout({f"task_{at}": [] for at in range(50)})
    assert 0.4 < laid.height / laid.width < 2.5


def test_nothing_to_lay_out() -> None:
    laid = layout({})
    assert (laid.nodes, laid.edges, laid.width, laid.height) == ({}, {}, 0, 0)


def test_a_task_alone() -> None:
    laid = layout({"a": []})
    assert boxes(laid) == {"a": (0, 0, WIDTH, HEIGHT)}
    assert (laid.width, laid.height) == (WIDTH, HEIGHT)


def test_the_same_upstream_twice_is_one_edge() -> None:
    assert list(layout({"a": [], "b": ["a", "a"]}).edges) == [("a", "b")]


def test_a_cycle_is_refused() -> None:
    with pytest.raises(CycleError):
        layout({"a": ["b"], "b": ["a"]})


@pytest.mark.parametrize(
    ("upstreams", "most"),
    [
        (fan(12), 0),
        # a binary tree, its leaves given in an order that crosses
        ({"r": [], "a": ["r"], "b": ["r"], "b1": ["b"], "a1": ["a"], "b2": ["b"], "a2": ["a"]}, 0),
        # two chains with rungs
        ({"a": [], "b": [], "a2": ["a"], "b2": ["b", "a"], "a3": ["a2"], "b3": ["b2", "a2"]}, 0),
        # K(2,2): one crossing is the least there is
        ({"a": [], "b": [], "c": ["a", "b"], "d": ["b", "a"]}, 1),
        (etl(60, seed=1), 60),
    ],
    ids=["fan", "tree", "ladder", "k22", "etl60"],
)
def test_few_edges_cross(upstreams: dict[str, list[str]], most: int) -> None:
    index = {name: at for at, name in enumerate(upstreams)}
    graph = Columns([[index[up] for up in ups] for ups in upstreams.values()])
    sort(graph)
    assert crossings(graph, graph.columns) <= most


def test_a_thousand_tasks_and_the_same_picture_again() -> None:
    upstreams = etl(1000, seed=3, width=40)
    laid = layout(upstreams)
    assert laid == layout(dict(upstreams))
    assert problems(laid) == []
