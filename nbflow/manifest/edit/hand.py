"""The hand that a manifest is written in: how new values are to look so that nobody sees who wrote them."""

from __future__ import annotations

from typing import Any

from nbflow.manifest.document import Node
from nbflow.manifest.edit.patches import line_break
from nbflow.manifest.edit.places import column
from nbflow.manifest.edit.write import spell

Path = tuple[str | int, ...]


class Hand:
    """Writes values like those that stand beside them."""

    def __init__(self, text: str, root: Node) -> None:
        self._text = text
        self._root = root
        self.line_break = line_break(text)

    def entry(self, path: Path, value: Any, indent: int) -> str:
        """A key with its value in block style, `indent` deep, without the end of the last line."""
        return f"{' ' * indent}{spell(path[-1])}:{self.behind_key(path, value, indent)}"

    def behind_key(self, path: Path, value: Any, indent: int) -> str:
        """What follows the colon of a key that stands `indent` deep."""
        if not self.is_block(path, value):
            return f" {spell(value)}"
        return self.line_break + self.block(path, value, indent)

    def block(self, path: Path, value: Any, indent: int) -> str:
        """The lines of a mapping or list below a key that stands `indent` deep."""
        inner = indent + self._step(path, value)
        if isinstance(value, dict):
            lines = [self.entry((*path, name), each, inner) for name, each in value.items()]
        else:
            lines = [f"{' ' * inner}- {spell(each)}" for each in value]
        return self.line_break.join(lines)

    def is_block(self, path: Path, value: Any) -> bool:
        """As the last one of its like is written; without one, mappings that hold mappings, and tasks."""
        if not value or not isinstance(value, dict | list):
            return False
        if models := self._models(path, value):
            return not models[-1].written.is_flow
        is_task = path[0] == "tasks" and len(path) <= 2
        return isinstance(value, dict) and (is_task or any(isinstance(each, dict) for each in value.values()))

    def _models(self, path: Path, value: Any) -> list[Node]:
        """Values to write it like: those of the same key beside it, else those of the keys around it."""
        kind = dict if isinstance(value, dict) else tuple
        beside = self._entries(path[:-2]).values() if len(path) > 2 else ()
        cousins = [cousin for each in beside if (cousin := each.child(path[-1]))]
        siblings = [each for name, each in self._entries(path[:-1]).items() if name != path[-1]]
        for group in (cousins, siblings):
            if found := [each for each in group if isinstance(each.value, kind) and each.value and not _is_alias(each)]:
                return found
        return []

    def _step(self, path: Path, value: Any) -> int:
        """How much deeper its lines stand than its key."""
        models = self._models(path, value)[-1:] or [each for each in self._root.entries.values() if each.entries]
        for block in models:
            if not block.written.is_flow and not _is_alias(block):
                first = block.value[0] if isinstance(block.value, tuple) else next(iter(block.entries.values()))
                return column(self._text, first) - column(self._text, block)
        return 2

    def _entries(self, path: Path) -> dict[str, Node]:
        node: Node | None = self._root
        for step in path:
            node = node.child(step) if node else None
        return node.entries if node else {}


def _is_alias(node: Node) -> bool:
    return bool(node.written.alias)
