"""Order, layers, cycles and restriction of pipelines."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbflow import graph
from nbflow.model import Pipeline, Task


def pipeline(**depends_on: str) -> Pipeline:
    """`pipeline(a="", b="a")`: b runs after a."""
    tasks = {
        name: Task(name=name, notebook=f"{name}.ipynb", depends_on=tuple(ups.split()))
        for name, ups in depends_on.items()
    }
    return Pipeline(name="p", tasks=tasks)


DIAMOND = pipeline(publish="left right", left="source", right="source", source="")


def test_order_puts_upstreams_first_and_keeps_the_manifests_order_among_equals() -> None:
    assert graph.order(DIAMOND.tasks) == ("source", "left", "right", "publish")


@given(st.permutations(range(8)), st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7))))
def test_order_is_the_lexicographical_one(places: list[int], pairs: set[tuple[int, int]]) -> None:
    """Of the manifest's places, as networkx finds it."""
    ups = {f"t{at}": " ".join(f"t{up}" for up, down in pairs if down == at and up < at) for at in places}
    tasks = pipeline(**ups).tasks
    expected = networkx.lexicographical_topological_sort(graph.dag(tasks), key=[*tasks].index)
    assert graph.order(tasks) == tuple(expected)


def test_below_a_task_is_itself_and_all_that_runs_after_it() -> None:
    assert graph.below(DIAMOND.tasks, "left") == ("publish", "left")
    assert graph.below(DIAMOND.tasks, "source") == tuple(DIAMOND.tasks)


def test_generations_are_layers() -> None:
    assert graph.generations(DIAMOND.tasks) == (("source",), ("left", "right"), ("publish",))


def test_a_cycle_is_a_path_in_the_order_of_execution() -> None:
    path = graph.cycle_path({"clean": ["report"], "join": ["clean"], "report": ["join"], "free": []})
    assert path is not None
    assert path[0] == path[-1]
    steps = set(pairwise(path))
    assert steps == {("clean", "join"), ("join", "report"), ("report", "clean")}


@pytest.mark.parametrize("upstreams", [{}, {"a": []}, {"a": [], "b": ["a"], "c": ["a", "b"]}, {"a": ["gone"]}])
def test_no_cycle(upstreams: dict[str, list[str]]) -> None:
    assert graph.cycle_path(upstreams) is None


def test_a_task_after_itself_is_a_cycle() -> None:
    assert graph.cycle_path({"a": ["a"]}) == ("a", "a")


def test_heights_count_the_task_itself() -> None:
    assert graph.heights(DIAMOND.tasks) == {"publish": 1, "left": 2, "right": 2, "source": 3}
    assert graph.heights(pipeline(a="", b="a", c="b", d="a").tasks) == {"a": 3, "b": 2, "c": 1, "d": 1}


def test_restriction_bridges_what_is_left_out() -> None:
    chain = pipeline(a="", b="a", c="b", d="c")
    kept = graph.restrict(chain, {"a", "d"}).tasks
    assert list(kept) == ["a", "d"]
    assert kept["d"].depends_on == ("a",)


def test_restriction_reaches_through_two_ways_once() -> None:
    kept = graph.restrict(DIAMOND, {"source", "publish"}).tasks
    assert kept["publish"].depends_on == ("source",)


def test_restriction_does_not_reach_behind_a_kept_task() -> None:
    kept = graph.restrict(pipeline(a="", b="a", c="b"), {"a", "b", "c"}).tasks
    assert kept["c"].depends_on == ("b",)


def test_the_critical_path_leads_back_from_the_last_to_end() -> None:
    hours = {"a": 1, "b": 2, "c": 3, "d": 9, "e": 4}
    at = {name: datetime(2026, 1, 1, hour, tzinfo=UTC) for name, hour in hours.items()}
    ups = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ("c",)}
    assert graph.critical_path(ups, at) == ("a", "c", "d")
    assert graph.critical_path(ups, {name: at[name] for name in "abe"}) == ("e",)
    assert graph.critical_path(ups, {}) == ()
