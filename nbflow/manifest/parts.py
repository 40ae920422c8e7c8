"""A document read in parts: every task by itself, and remembered. An edit then costs the reading of what it changed.

YAML is read at about 50 kB a second here. What stands in a part that can be read by itself means the same in the whole:
what could tell them apart is unfinished at the end of its part, or refused beforehand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from nbflow.manifest import document
from nbflow.manifest.document import MOST_CHARACTERS, MOST_VALUES, Complain, Mark, Node

_TASKS = re.compile(r"^tasks:[ \t]*(?:#[^\n]*)?\r?\n", re.MULTILINE)
_TOP = re.compile(r"^[^\s#]", re.MULTILINE)
_FIRST = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*(?P<deep> +)[a-z][a-z0-9_]*:[ \r\n]")
_ODD = re.compile("\r(?!\n)|[\x85\u2028\u2029\ufeff]")
"""Ends of lines that only the parser counts, and a mark that it passes over."""
_MARKER = re.compile(r"^(?:---|\.\.\.)", re.MULTILINE)


def read(text: str, complain: Complain) -> Node | None:
    """As `document.read`, and the same: a text with anything wrong in it is read as a whole."""
    return _in_parts(text) or document.read(text, complain)


@dataclass(frozen=True, slots=True)
class _Split:
    """The text up to the first task, the tasks, and what follows; with where each begins."""

    head: str
    tasks: tuple[tuple[int, str], ...]
    tail: tuple[int, str]


@lru_cache(maxsize=8)
def _in_parts(text: str) -> Node | None:
    split = _split(text) if len(text) <= MOST_CHARACTERS else None
    if split is None or (head := _part(split.head, "", 0)) is None or not head.entries.get("tasks"):
        return None
    tasks: list[Node] = []
    line, at = _line(text, 0, 0, split.tasks[0][0]), split.tasks[0][0]
    for start, part in (*split.tasks, split.tail):
        line, at = _line(text, line, at, start), start
        where, level = ("", 0) if start == split.tail[0] else ("tasks", 1)
        if part:
            if (found := _placed(part, where, level, line, start)) is None:
                return None
            tasks.append(found)
    tail = tasks.pop() if split.tail[1] else None
    return _whole(head, tasks, tail)


def _split(text: str) -> _Split | None:
    """None where the tasks are not plainly written, one below the other."""
    found = _TASKS.search(text)
    first = _FIRST.match(text, found.end()) if found else None
    if found is None or first is None or _ODD.search(text) or _MARKER.search(text, found.end()):
        return None
    top = _TOP.search(text, found.end())
    end = top.start() if top else len(text)
    key = re.compile(rf"^{first['deep']}[a-z][a-z0-9_]*:(?=[ \r\n])", re.MULTILINE)
    starts = [each.start() for each in key.finditer(text, found.end(), end)]
    tasks = tuple((start, text[start:stop]) for start, stop in zip(starts, [*starts[1:], end], strict=True))
    return _Split(text[: found.end()], tasks, (end, text[end:])) if tasks else None


@lru_cache(maxsize=4096)
def _part(text: str, where: str, level: int) -> Node | None:
    """A mapping by itself, marks counted from its own beginning; None where anything is wrong with it."""
    wrong: list[str] = []
    node = document.read(text, lambda _, message, hint: wrong.append(message), where=where, level=level)
    return node if node and isinstance(node.value, dict) and not wrong else None


@lru_cache(maxsize=4096)
def _placed(text: str, where: str, level: int, line: int, at: int) -> Node | None:
    """The same with the marks that it has in the whole, `line` lines and `at` characters from its beginning."""
    node = _part(text, where, level)
    return _moved(node, line, at) if node else None


def _whole(head: Node, tasks: list[Node], tail: Node | None) -> Node | None:
    own = head.entries["tasks"]
    named = dict(pair for part in tasks for pair in part.entries.items())
    size = 1 + sum(child.size for child in named.values())
    end = max(child.written.end for child in named.values())
    written = own.written._replace(start=tasks[0].written.start, end=end)
    body = replace(own, value=named, mark=tasks[0].mark, size=size, written=written)
    entries = {**head.entries, "tasks": body, **(tail.entries if tail else {})}
    count = len(head.entries) + (len(tail.entries) if tail else 0)
    total = 1 + sum(child.size for child in entries.values())
    is_twice = len(named) < sum(len(part.entries) for part in tasks) or len(entries) < count
    if is_twice or total > MOST_VALUES or list(head.entries)[-1] != "tasks":
        return None
    last = max(child.written.end for child in entries.values())
    return replace(head, value=entries, size=total, written=head.written._replace(end=last))


def _line(text: str, line: int, at: int, start: int) -> int:
    return line + text.count("\n", at, start)


def _moved(node: Node, line: int, at: int) -> Node:
    match node.value:
        case dict() as entries:
            value: object = {name: _moved(child, line, at) for name, child in entries.items()}
        case tuple() as items:
            value = tuple(_moved(child, line, at) for child in items)
        case value:
            pass
    written = node.written._replace(start=node.written.start + at, end=node.written.end + at)
    if written.key_end:
        written = written._replace(key_start=written.key_start + at, key_end=written.key_end + at)
    return Node(
        value,
        Mark(node.mark.line + line, node.mark.column),
        node.where,
        Mark(node.key.line + line, node.key.column),
        node.size,
        written,
    )
