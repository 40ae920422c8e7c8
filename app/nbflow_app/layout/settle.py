"""Find room for the nodes that the layout places, between those that somebody has placed by hand. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from nbflow_app.layout.place import HEIGHT, ROW_GAP, WIDTH

P = tuple[float, float]
Name = TypeVar("Name")


def settle(wanted: Mapping[Name, P], placed: Iterable[P]) -> dict[Name, P]:
    """Where each node comes to stand: at the place wanted for it, or below what already stands there."""
    taken = list(placed)
    if not taken:
        return dict(wanted)
    found: dict[Name, P] = {}
    for name, place in wanted.items():
        found[name] = _below(place, taken)
        taken.append(found[name])
    return found


def _below(place: P, taken: Iterable[P]) -> P:
    x, y = place
    for other in sorted(high for at, high in taken if abs(at - x) < WIDTH):
        if abs(other - y) < HEIGHT:
            y = other + HEIGHT + ROW_GAP
    return x, y
