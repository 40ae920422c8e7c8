"""Rows of a drawing by key: new ones are sent whole, of the others only the cells that changed."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
from bokeh.models import ColumnDataSource

Table: TypeAlias = Mapping[Hashable, Mapping[str, Any]]
"""Key → name of a column → cell."""


class Rows:
    """A column source whose rows never move and never go; who wants a row gone puts one that shows nothing."""

    def __init__(
        self, rows: Mapping[Hashable, Mapping[str, Any]], *, numbers: Iterable[str], texts: Iterable[str]
    ) -> None:
        """The names of the columns, by what they hold."""
        self._place = {key: place for place, key in enumerate(rows)}
        self._cells = {key: dict(row) for key, row in rows.items()}
        self._numbers = frozenset(numbers)
        self.source = ColumnDataSource(self._columns(rows, [*numbers, *texts]), syncable=False)

    def put(self, rows: Table) -> None:
        new = {key: row for key, row in rows.items() if key not in self._place}
        patches: dict[str, list[tuple[int, Any]]] = {}
        for key in rows.keys() & self._place.keys():
            for name, cell in rows[key].items():
                if _differ(self._cells[key][name], cell):
                    patches.setdefault(name, []).append((self._place[key], cell))
        self._place |= {key: len(self._place) + at for at, key in enumerate(new)}
        self._cells |= {key: dict(row) for key, row in rows.items()}
        if patches:
            self.source.patch(patches)
        if new:
            self.source.stream(self._columns(new, self.source.column_names))

    def _columns(self, rows: Table, names: Iterable[str]) -> dict[str, Any]:
        columns = {name: [row[name] for row in rows.values()] for name in names}
        return {name: np.array(cells, float) if name in self._numbers else cells for name, cells in columns.items()}


def _differ(before: Any, after: Any) -> bool:
    """NaN is not even equal to itself, but shows the same."""
    return bool(before != after and (before == before or after == after))
