"""Tasks without a place among those that somebody has placed."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st
from nbflow_app.layout.place import HEIGHT, ROW_GAP, WIDTH
from nbflow_app.layout.settle import settle

points = st.tuples(st.integers(-500, 500), st.integers(-300, 300))


def test_without_placed_ones_all_stand_where_they_would() -> None:
    assert settle({"a": (0, 0), "b": (10, 0)}, []) == {"a": (0, 0), "b": (10, 0)}


def test_what_would_stand_on_another_stands_below_it() -> None:
    assert settle({"a": (10, 5)}, [(0, 0)]) == {"a": (10, HEIGHT + ROW_GAP)}
    assert settle({"a": (WIDTH, 5)}, [(0, 0)]) == {"a": (WIDTH, 5)}


@given(st.lists(points, max_size=12), st.lists(points, min_size=1, max_size=12))
def test_no_task_that_finds_its_place_stands_on_another(
    wanted: list[tuple[int, int]], placed: list[tuple[int, int]]
) -> None:
    found = settle(dict(enumerate(wanted)), placed)
    for (x, y), (other_x, other_y) in combinations(found.values(), 2):
        assert abs(x - other_x) >= WIDTH or abs(y - other_y) >= HEIGHT
    for x, y in found.values():
        assert all(abs(x - at) >= WIDTH or abs(y - high) >= HEIGHT for at, high in placed)
