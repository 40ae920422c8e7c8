"""Who gets the places of pools (semantics §5). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

Who = TypeVar("Who")


class Places(Generic[Who]):
    """The places of each pool, `sizes`, and how many are `taken`. Tasks ask for theirs in the order of their starts."""

    def __init__(self, sizes: Mapping[str, int], taken: Mapping[str, int]) -> None:
        self._sizes, self._taken = sizes, dict(taken)
        self.kept: dict[str, Who] = {}
        """For whom the free places of a pool are kept: others would take them for ever."""

    def take(self, who: Who, pool: str, wanted: int) -> bool:
        """Whether it gets as many as it wants. For one that wants more than there are, none are kept."""
        size, taken = self._sizes.get(pool, 0), self._taken.get(pool, 0) + wanted
        if wanted > size or pool in self.kept:
            return False
        if taken > size:
            self.kept[pool] = who
            return False
        self._taken[pool] = taken
        return True
