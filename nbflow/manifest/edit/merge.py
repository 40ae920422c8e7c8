"""An edit of a text made again in another version of it, line by line; and line ends kept where a text was typed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from nbflow.errors import Conflict
from nbflow.manifest.edit.patches import line_break

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_ENDS = "\r\n"


class _Hunk(NamedTuple):
    """The lines from `start` to `end` become `lines`."""

    start: int
    end: int
    lines: tuple[str, ...]


def lines_of(text: str) -> list[str]:
    """The lines with what ends them."""
    return _LINE.findall(text)


def merge(before: str, after: str, theirs: str) -> str:
    """`theirs` with what made `after` of `before`. Raises Conflict where both changed the same lines, or neighbours."""
    base = lines_of(before)
    mine, other = _hunks(base, lines_of(after)), _hunks(base, lines_of(theirs))
    for one in mine:
        for each in other:
            if one != each and one.start <= each.end and each.start <= one.end:
                line = max(one.start, each.start) + 1
                raise Conflict(f"line {line} was changed there, too", where=f"line {line}")
    merged, at = list[str](), 0
    for hunk in sorted({*mine, *other}):
        merged += [*base[at : hunk.start], *hunk.lines]
        at = hunk.end
    return "".join([*merged, *base[at:]])


def _hunks(old: Sequence[str], new: Sequence[str]) -> list[_Hunk]:
    codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [_Hunk(a, b, tuple(new[c:d])) for kind, a, b, c, d in codes if kind != "equal"]


def with_line_ends(text: str, like: str) -> str:
    """A text that a browser sent, which knows no line ends, with those that its lines have in `like`."""
    if "\r" not in text and "\r" not in like:
        return text
    typed = [line.rstrip(_ENDS) for line in lines_of(text)]
    known, mark = lines_of(like), line_break(like)
    made: list[str] = []
    for kind, a, b, c, d in SequenceMatcher(
        None, [line.rstrip(_ENDS) for line in known], typed, autojunk=False
    ).get_opcodes():
        made += known[a:b] if kind == "equal" else [f"{line}{mark}" for line in typed[c:d]]
    ended = [line if line.endswith(("\r", "\n")) else f"{line}{mark}" for line in made]
    whole = "".join(ended)
    return whole if not ended or text.endswith(("\r", "\n")) else whole[: -len(ended[-1])] + ended[-1].rstrip(_ENDS)
