"""The difference of two texts, as lines to read. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from nbflow.manifest.edit.merge import lines_of

AROUND = 3
"""Lines that are shown around a change."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of one of the texts or of both; a gap stands for those that are left out."""

    kind: Literal["same", "gone", "new", "gap"]
    text: str = ""
    old: int | None = None
    new: int | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """What was taken out and put in."""

    lines: tuple[Line, ...]

    @property
    def gone(self) -> int:
        return sum(line.kind == "gone" for line in self.lines)

    @property
    def new(self) -> int:
        return sum(line.kind == "new" for line in self.lines)


def difference(old: str, new: str) -> Difference:
    """The changed lines with a few around them; none where the texts are the same."""
    before, after = lines_of(old), lines_of(new)
    groups = SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(AROUND)
    return Difference(tuple(_lines(before, after, list(groups))))


def _lines(
    before: Sequence[str], after: Sequence[str], groups: Sequence[Sequence[tuple[str, int, int, int, int]]]
) -> Iterator[Line]:
    for at, group in enumerate(groups):
        if at:
            yield Line("gap")
        for kind, a, b, c, d in group:
            if kind == "equal":
                for line, (old, new) in zip(before[a:b], zip(range(a, b), range(c, d), strict=True), strict=True):
                    yield Line("same", _shown(line), old + 1, new + 1)
                continue
            yield from (Line("gone", _shown(before[old]), old=old + 1) for old in range(a, b))
            yield from (Line("new", _shown(after[new]), new=new + 1) for new in range(c, d))


def _shown(line: str) -> str:
    return line.rstrip("\r\n")
