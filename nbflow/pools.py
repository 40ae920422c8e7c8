"""Who gets the places of pools (semantics §5). Pure."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

Who = TypeVar("Who")
Turn = TypeVar("Turn", bound="tuple[Any, ...]")


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


def taken(holders: Mapping[str, Collection[str]]) -> dict[str, int]:
    """How many places of each pool are, by who has them: a name for each place."""
    return {pool: len(names) for pool, names in holders.items()}


def in_turn(queues: Iterable[tuple[str | None, Iterator[Turn]]], kept: Container[str | None]) -> Iterator[Turn]:
    """Those who wait, each queue for one pool or for none, the first of all first; nobody whose pool is in `kept` by
    then, and at no cost for how many these are."""
    queued = [(pool, iter(queue)) for pool, queue in queues]
    heads = [(turn, number) for number, (_, queue) in enumerate(queued) for turn in [next(queue, None)] if turn]
    heapq.heapify(heads)
    while heads:
        turn, number = heapq.heappop(heads)
        pool, queue = queued[number]
        if pool not in kept:
            yield turn
            if pool not in kept and (following := next(queue, None)):
                heapq.heappush(heads, (following, number))
