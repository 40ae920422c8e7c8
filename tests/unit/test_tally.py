"""What a decision adds to the counts, over runs that are played by the rules."""

from __future__ import annotations

from collections import Counter

import pytest
from cli_world import FAILURE, SUCCESS, Step, played

from nbflow import tally
from nbflow.tally import Series


@pytest.mark.parametrize(
    ("steps", "counted"),
    [
        (
            SUCCESS,
            {
                ("run", "success", ""): 1,
                ("task", "success", ""): 3,
                ("attempt", "success", ""): 3,
                ("seconds", "5", ""): 3,
                ("seconds_sum", "", ""): 6,
            },
        ),
        (
            FAILURE,
            {
                ("run", "failed", ""): 1,
                ("task", "success", ""): 1,
                ("task", "failed", ""): 1,
                ("task", "upstream_failed", ""): 1,
                ("attempt", "success", ""): 1,
                ("attempt", "failed", "error"): 1,
                ("seconds", "5", ""): 2,
                ("seconds_sum", "", ""): 6,
            },
        ),
    ],
)
def test_a_whole_run(steps: tuple[Step, ...], counted: dict[tuple[str, str, str], float]) -> None:
    total: Counter[Series] = Counter()
    for decision in played(*steps).decisions:
        total.update(tally.added(decision))  # type: ignore[arg-type]  # a Counter adds floats as well
    assert {(name, word, cause): value for (name, _, word, cause), value in total.items()} == counted
    assert {series.pipeline for series in total} == {"nightly"}


@pytest.mark.parametrize(
    ("seconds", "name"), [(0, "1"), (1, "1"), (1.001, "5"), (60, "60"), (14_400, "14400"), (14_400.1, "+Inf")]
)
def test_a_duration_counts_under_the_smallest_bound_that_is_not_below(seconds: float, name: str) -> None:
    assert tally.bucket(seconds) == name
