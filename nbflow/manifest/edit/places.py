"""Which part of the text belongs to a value: its lines with their comments, the blank line that sets it apart."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nbflow.manifest.document import Node
from nbflow.manifest.edit.patches import Patch, line_above, line_end, line_start, next_line, whole_lines

_BEHIND_KEY = re.compile(r"\s*:")
_ANCHOR = re.compile(r"&[^\s,\[\]{}]+")
_GAP = re.compile(r"(?:[ \t\r\n]|(?<![^\s])#[^\r\n]*)*")


class Entangled(Exception):
    """The value shares its line with something else, so it cannot be changed alone."""


def column(text: str, node: Node) -> int:
    """The column of a key in block style, or of the dash of an item, from 0."""
    first = line_start(text, mark := _mark(text, node))
    return len(text[first:mark].lstrip("\ufeff"))


def first_line(text: str, node: Node) -> int:
    """Where the lines of an entry in block style start; comments right above it, as deep as it is, are counted in."""
    first = line_start(text, _mark(text, node))
    if text[first : _mark(text, node)].strip(" \ufeff"):
        raise Entangled
    deep = " " * column(text, node)
    while (above := line_above(text, first)) and above[1].startswith(f"{deep}#"):
        first = above[0]
    return first


def last_line(text: str, node: Node) -> int:
    """Where the lines of an entry in block style end; comments below it that are deeper than its key are counted in."""
    end = line_end(text, node.written.end)
    deeper = re.compile(rf"[ \t]{{{column(text, node) + 1},}}#")
    at = next_line(text, end)
    while at < len(text):
        if deeper.match(text, at):
            end = line_end(text, at)
        elif text[at : line_end(text, at)].strip():
            break
        at = next_line(text, at)
    return end


def is_set_apart(text: str, node: Node) -> bool:
    """Whether a blank line stands above it."""
    above = line_above(text, first_line(text, node))
    return above is not None and not above[1].strip()


def cut(text: str, run: Sequence[Node], *, is_first: bool, is_last: bool) -> Patch:
    """Takes out neighbours in block style, with the blank lines that set them apart from what stays."""
    first, end = first_line(text, run[0]), last_line(text, run[-1])
    below = next_line(text, end)
    is_blank_below = _is_blank(text, below)
    if is_set_apart(text, run[0]):
        while (is_last or is_blank_below) and (above := line_above(text, first)) and not above[1].strip():
            first = above[0]
    elif is_first and not is_last:
        while _is_blank(text, below):
            end, below = line_end(text, below), next_line(text, below)
    return whole_lines(text, first, end)


def _is_blank(text: str, at: int) -> bool:
    return at < len(text) and not text[at : line_end(text, at)].strip()


def behind_key(text: str, node: Node) -> int:
    """The place behind the colon or the dash that the value belongs to, and behind its anchor."""
    if node.written.anchor:
        return _anchor_end(text, node)
    if node.written.key_end:
        found = _BEHIND_KEY.match(text, node.written.key_end)
        return found.end() if found else node.written.start
    return _mark(text, node) + 1


def content(text: str, node: Node) -> int:
    """Where the value itself starts, behind its anchor and what stands between."""
    if not node.written.anchor:
        return node.written.start
    found = _GAP.match(text, _anchor_end(text, node))
    return min(found.end() if found else 0, node.written.end)


def stands_alone(text: str, node: Node) -> bool:
    """Whether an entry in brackets has its lines for itself, but for a comma and a comment."""
    at = start(node)
    before, behind = text[line_start(text, at) : at], text[node.written.end : line_end(text, node.written.end)]
    return not before.strip() and re.fullmatch(r",?[ \t]*(#.*)?", behind) is not None


def _anchor_end(text: str, node: Node) -> int:
    found = _ANCHOR.match(text, node.written.start)
    if found is None:
        raise Entangled
    return found.end()


def start(node: Node) -> int:
    """Where an entry in brackets starts: at its key, if it has one."""
    return node.written.key_start if node.written.key_end else node.written.start


def _mark(text: str, node: Node) -> int:
    """Where its key stands, or its dash."""
    if node.written.key_end:
        return node.written.key_start
    return max(0, text.rfind("-", 0, node.written.start))
