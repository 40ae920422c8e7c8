"""The api is one class made of parts, which know nothing of one another."""

from __future__ import annotations

from collections import Counter

from nbflow.api import Api


def test_no_two_parts_of_the_api_mean_two_things_by_one_name() -> None:
    names = Counter(name for part in Api.__mro__[:-1] for name in vars(part) if not name.startswith("__"))
    assert names["runs"] == 1
    assert [name for name, count in names.items() if count > 1] == []
