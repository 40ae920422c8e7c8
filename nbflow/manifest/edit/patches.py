"""Replacements in a text, and its lines: whatever ends them, `\\n`, `\\r\\n` or `\\r`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_BREAK = re.compile(r"\r\n|\r|\n")


class Patch(NamedTuple):
    """The characters from `start` to `end` become `text`."""

    start: int
    end: int
    text: str


class Overlap(Exception):
    """Two patches want the same characters."""


def patched(text: str, patches: Iterable[Patch]) -> str:
    """The text with all patches applied, insertions at one place in their order. Raises Overlap."""
    parts: list[str] = []
    at = 0
    for patch in sorted(patches, key=lambda patch: patch[:2]):
        if patch.start < at:
            raise Overlap
        parts += (text[at : patch.start], patch.text)
        at = patch.end
    return "".join((*parts, text[at:]))


def line_break(text: str) -> str:
    """What ends the first line of the text; a line feed where nothing does."""
    found = _BREAK.search(text)
    return found[0] if found else "\n"


def line_start(text: str, at: int) -> int:
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def line_end(text: str, at: int) -> int:
    """The end of the line that the place lies in, before what ends it."""
    found = _BREAK.search(text, at)
    return found.start() if found else len(text)


def next_line(text: str, at: int) -> int:
    found = _BREAK.search(text, at)
    return found.end() if found else len(text)


def line_above(text: str, start: int) -> tuple[int, str] | None:
    """Where the line above the one that starts here starts, and what it says; None above the first."""
    if start == 0:
        return None
    end = start - 2 if text[max(0, start - 2) : start] == "\r\n" else start - 1
    above = line_start(text, end)
    return above, text[above:end]


def whole_lines(text: str, start: int, end: int) -> Patch:
    """Takes out the lines from the one that starts at `start` to the one that ends at `end`."""
    if end == len(text) and start > 0:  # the last line has no end: the one above it shall have none either
        above = line_above(text, start)
        return Patch(above[0] + len(above[1]) if above else start, end, "")
    return Patch(start, next_line(text, end), "")
