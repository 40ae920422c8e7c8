"""YAML 1.2 text as a tree of values that know where they stand. Knows nothing of pipelines; bad text never raises."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from nbflow.scalars import describe, read_scalar
from nbflow.text import conflict_line

MOST_CHARACTERS = 2**20
MOST_VALUES = 100_000
MOST_LEVELS = 30


class Mark(NamedTuple):
    """A place in the text; both count from 1."""

    line: int
    column: int


class Written(NamedTuple):
    """How a value stands in the text, for edits that replace nothing else. Offsets count characters from 0."""

    start: int = 0
    """Its anchor is counted in; for an empty value the place behind the colon."""
    end: int = 0
    key_start: int = 0
    key_end: int = 0
    is_flow: bool = False
    """Whether it is a list or mapping in brackets."""
    anchor: str = ""
    alias: str = ""
    """The name of the anchor that stands for the value here."""


_NOWHERE = Written()


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the document: a scalar, a tuple of nodes, or nodes by key."""

    value: Any
    mark: Mark
    where: str
    """The path to it: `tasks.clean.depends_on[1]`; empty for the document itself."""
    key: Mark
    """Where its key stands; for an item of a list, and for the document, its own place."""
    size: int = 1
    """How many values it holds, aliases counted in full."""
    written: Written = _NOWHERE

    def find(self, *path: str | int) -> Node:
        """The node at the end of a path, or the last one on the way that exists."""
        node = self
        for step in path:
            child = node.child(step)
            if child is None:
                break
            node = child
        return node

    def child(self, step: str | int) -> Node | None:
        match self.value, step:
            case dict() as entries, str():
                return entries.get(step)
            case tuple() as items, int() if step < len(items):
                node: Node = items[step]
                return node
            case _:
                return None

    @property
    def entries(self) -> dict[str, Node]:
        """Its nodes by key; none where it is no mapping."""
        return self.value if isinstance(self.value, dict) else {}

    def plain(self) -> Any:
        """The value as JSON."""
        match self.value:
            case dict() as entries:
                return {name: node.plain() for name, node in entries.items()}
            case tuple() as items:
                return [node.plain() for node in items]
            case scalar:
                return scalar

    def texts(self) -> Iterator[Node]:
        """Every text in it, however deep, keys not counted."""
        match self.value:
            case str():
                yield self
            case dict() as entries:
                for node in entries.values():
                    yield from node.texts()
            case tuple() as items:
                for node in items:
                    yield from node.texts()


Complain = Callable[[Node, str, str], None]
"""Takes the place of a problem, its message and its hint."""


class _Unreadable(Exception):
    """Nothing after this place can be understood."""

    def __init__(self, mark: Mark, message: str, hint: str = "") -> None:
        self.mark = mark
        self.message = message
        self.hint = hint


def read(text: str, complain: Complain, *, where: str = "", level: int = 0) -> Node | None:
    """The document, or None where its text cannot be read at all.

    `where` and `level` are those of its place, where it is a part of another one.
    """
    try:
        if len(text) > MOST_CHARACTERS:
            raise _Unreadable(Mark(1, 1), f"the file is longer than {MOST_CHARACTERS:,} characters")
        if line := conflict_line(text):
            raise _Unreadable(Mark(line, 1), "git left both sides of a merge here", "Keep what is right of them.")
        return _Builder(text, complain).document(where, level)
    except _Unreadable as error:
        complain(_place(error.mark), error.message, error.hint)
        return None


def _place(mark: Mark, where: str = "") -> Node:
    return Node(None, mark, where, mark)


def _mark(mark: StringMark) -> Mark:
    return Mark(mark.line + 1, mark.column + 1)


_COLON = re.compile(r"\s*:")
_NO_CHARACTER = re.compile(r"\\U(?!000|0010)[0-9A-Fa-f]{8}")
_HALF = re.compile("[\ud800-\udfff]")


def _offsets(event: Event) -> tuple[int, int]:
    return event.start_mark.index, event.end_mark.index


def _events(text: str) -> Iterator[Event]:
    behind = 0
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            behind = event.end_mark.index
            yield event
    except (ValueError, OverflowError):  # what Python says of an escape that is no character
        found = _NO_CHARACTER.search(text, behind)
        if found is None:
            raise
        raise _Unreadable(_at(text, found.start()), f"not valid YAML: there is no character {found[0]}") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _Unreadable(_mark(mark) if mark else Mark(1, 1), _sentence(error), _advice(error)) from None
    except YAMLError as error:
        at = getattr(error, "position", 0)
        message = f"not valid YAML: the character U+{getattr(error, 'character', 0):04X} may not stand in it"
        raise _Unreadable(_at(text, at), message) from None


def _at(text: str, offset: int) -> Mark:
    return Mark(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


_PLAIN = {
    "expected the node content": "expected a value",
    "but got '<stream end>'": "but the file ends",
    "but found '<stream end>'": "but the file ends",
    "found unexpected end of stream": "the file ends",
}
_BLOCK_END = re.compile(r"expected <block end>, but found '[^']*'")


def _sentence(error: MarkedYAMLError) -> str:
    begun = f", {error.context} that begins in line {error.context_mark.line + 1}" if error.context_mark else ""
    problem = error.problem or ""
    for jargon, plain in _PLAIN.items():
        problem = problem.replace(jargon, plain)
    return f"not valid YAML: {_BLOCK_END.sub('this does not belong here', problem)}{begun}"


def _advice(error: MarkedYAMLError) -> str:
    problem = error.problem or ""
    if "'\\t'" in problem:
        return "Indent with spaces, not with tabs."
    if _BLOCK_END.search(problem):
        return "Look how far these lines are indented."
    if "cannot start any token" in problem or "mapping values are not allowed" in problem:
        return 'Write text with special characters in quotes: "…".'
    return ""


class _Builder:
    """Turns ruamel's events into nodes. Events, because nodes of ruamel have lost which tags were written."""

    def __init__(self, text: str, complain: Complain) -> None:
        self._text = text
        self._events = _events(text)
        self._closed_at = 0
        self._complain = complain
        self._anchors: dict[str, Node] = {}

    def document(self, where: str, level: int) -> Node:
        next(self._events)
        start = next(self._events)
        if not isinstance(start, DocumentStartEvent):
            raise _Unreadable(Mark(1, 1), "the file is empty")
        if start.version not in {None, (1, 2)}:
            self._complain(_place(_mark(start.start_mark)), "only YAML 1.2 is read", "Remove the %YAML line.")
        root = self._node(next(self._events), where, None, level)
        next(self._events)
        if isinstance(second := next(self._events), DocumentStartEvent):
            message = "a second document begins here, and only one is read"
            self._complain(_place(_mark(second.start_mark)), message, "Put it into a file of its own.")
        return root

    def _node(self, event: Event, where: str, key: Mark | None, level: int) -> Node:
        mark = _mark(event.start_mark)
        if level > MOST_LEVELS:
            raise _Unreadable(mark, f"nested deeper than {MOST_LEVELS} levels")
        if tag := getattr(event, "tag", None):
            written = tag.replace("tag:yaml.org,2002:", "!!")
            self._complain(_place(mark, where), f"tags such as '{written}' are not known here", "Remove it.")
        match event:
            case AliasEvent():
                written = Written(*_offsets(event), alias=event.anchor)
                return replace(self._anchored(event), where=where, key=key or mark, written=written)
            case ScalarEvent():
                value: Any = self._quoted(event, _place(mark, where)) if event.style else read_scalar(event.value)
                if value is None and key:
                    mark = key  # where nothing is written there is no better place
                children: list[Node] = []
            case SequenceStartEvent():
                value = tuple(self._items(where, level + 1))
                children = list(value)
            case MappingStartEvent():
                value = self._entries(where, level + 1)
                children = list(value.values())
        size = 1 + sum(child.size for child in children)
        node = Node(value, mark, where, key or mark, size, self._written(event, children))
        if node.size > MOST_VALUES:
            raise _Unreadable(mark, f"more than {MOST_VALUES:,} values, aliases counted in full")
        if anchor := getattr(event, "anchor", None):
            self._anchors[anchor] = node
        return node

    def _quoted(self, event: ScalarEvent, place: Node) -> str:
        """Its text; JSON, which YAML contains, writes a character beyond U+FFFF as two halves."""
        text: str = event.value
        if not _HALF.search(text):
            return text
        halves = text.encode("utf-16", "surrogatepass")
        try:
            return halves.decode("utf-16")
        except UnicodeDecodeError:
            self._complain(place, "this has half of a character", "Write the character itself.")
            return halves.decode("utf-16", "replace")

    def _written(self, event: Event, children: list[Node]) -> Written:
        start, end = _offsets(event)
        is_flow = bool(getattr(event, "flow_style", False))
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            end = self._closed_at if is_flow else max((child.written.end for child in children), default=start)
        elif getattr(event, "style", None) in {"|", ">"}:
            end = start + len(self._text[start:end].rstrip())  # blank lines behind it belong to nobody
        return Written(start, end, is_flow=is_flow, anchor=getattr(event, "anchor", None) or "")

    def _anchored(self, event: AliasEvent) -> Node:
        try:
            return self._anchors[event.anchor]
        except KeyError:
            message = f"the alias '*{event.anchor}' has no anchor '&{event.anchor}' before it"
            raise _Unreadable(_mark(event.start_mark), message) from None

    def _items(self, where: str, level: int) -> Iterator[Node]:
        index = 0
        while not isinstance(event := next(self._events), SequenceEndEvent):
            yield self._node(event, f"{where}[{index}]", None, level)
            index += 1
        self._closed_at = event.end_mark.index

    def _entries(self, where: str, level: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            mark = _mark(event.start_mark)
            name = self._key(event, where, level)
            node = self._node(next(self._events), f"{where}.{name}" if where else str(name), mark, level)
            node = replace(node, written=self._keyed(node.written, *_offsets(event)))
            if name in entries:
                message = f"the key '{name}' is here twice"
                self._complain(_place(mark, node.where), message, f"The first is in line {entries[name].key.line}.")
            elif name is not None:
                entries[name] = node
        self._closed_at = event.end_mark.index
        return entries

    def _keyed(self, written: Written, start: int, end: int) -> Written:
        """With the place of the key; an empty value, which ruamel puts before the next token, goes to its colon."""
        if written.start == written.end:
            behind = _COLON.match(self._text, end)
            at = behind.end() if behind else end
            written = written._replace(start=at, end=at)
        return written._replace(key_start=start, key_end=end)

    def _key(self, event: Event, where: str, level: int) -> str | None:
        """The key as text; None where it can be none. What is wrong with it is said at once."""
        node = self._node(event, where, None, level)
        place = _place(node.mark, where)
        match node.value:
            case "<<" if isinstance(event, ScalarEvent) and not event.style:
                self._complain(place, "YAML 1.2 has no merge key '<<'", "Use 'defaults', or repeat the keys.")
            case str() as name:
                return name
            case dict() | tuple():
                self._complain(place, "a key must be text", 'Write a template in quotes: "{{ … }}".')
            case value:
                self._complain(place, f"a key must be text, not {describe(value)}", "Put it in quotes.")
                return str(value)
        return None
