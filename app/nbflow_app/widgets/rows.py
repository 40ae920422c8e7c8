"""Rows of a drawing by key: new ones are sent whole, of the others only the cells that changed."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from bokeh.models import ColumnDataSource

Row: TypeAlias = Mapping[str, Any]
"""Name of a column → cell."""


class Sheet:
    """Rows by their key, at one time; the same object for everybody who is shown them."""

    def __init__(self, rows: Mapping[Hashable, Row]) -> None:
        self.rows = rows


@lru_cache(maxsize=6)  # of the drawings of one run: what is compared for one of them is compared for all
def _changed(before: Sheet, after: Sheet) -> Mapping[Hashable, Row]:
    """The rows that differ, each with the cells that do."""
    changed = {}
    for key, row in after.rows.items():
        old = before.rows.get(key)
        cells = row if old is None else {name: cell for name, cell in row.items() if _differ(old[name], cell)}
        if cells:
            changed[key] = cells
    return changed


class Rows:
    """A column source whose rows never move and never go; who wants a row gone puts one that shows nothing."""

    def __init__(self, sheet: Sheet, *, numbers: Iterable[str], texts: Iterable[str]) -> None:
        """The names of the columns, by what they hold."""
        self._sheet = sheet
        self._place = {key: place for place, key in enumerate(sheet.rows)}
        self._numbers = frozenset(numbers)
        self.source = ColumnDataSource(self._columns(sheet.rows, [*numbers, *texts]), syncable=False)

    def put(self, sheet: Sheet) -> None:
        changed, self._sheet = _changed(self._sheet, sheet), sheet
        new = {key: row for key, row in changed.items() if key not in self._place}
        patches: dict[str, list[tuple[int, Any]]] = {}
        for key in changed.keys() - new.keys():
            for name, cell in changed[key].items():
                patches.setdefault(name, []).append((self._place[key], cell))
        self._place |= {key: len(self._place) + at for at, key in enumerate(new)}
        if patches:
            self.source.patch(patches)
        if new:
            self.source.stream(self._columns(new, self.source.column_names))

    def _columns(self, rows: Mapping[Hashable, Row], names: Iterable[str]) -> dict[str, Any]:
        columns = {name: [row[name] for row in rows.values()] for name in names}
        return {name: np.array(cells, float) if name in self._numbers else cells for name, cells in columns.items()}


def _differ(before: Any, after: Any) -> bool:
    """NaN is not even equal to itself, but shows the same."""
    return bool(before != after and (before == before or after == after))
