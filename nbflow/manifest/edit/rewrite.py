"""Make a manifest's text say other values: compares them with those that it has and patches where they differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from typing import Any

from nbflow.manifest.document import Node
from nbflow.manifest.edit import places
from nbflow.manifest.edit.hand import Hand, Path
from nbflow.manifest.edit.patches import Patch, line_end, line_start, whole_lines
from nbflow.manifest.edit.write import respell, spell


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same in JSON: 1, 1.0 and true are three."""
    return _key(one) == _key(other)


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def rewrite(text: str, root: Node, values: Mapping[str, Any], *, whole_from: int) -> list[Patch]:
    """What to replace so that the text says `values`. What differs `whole_from` levels down is written as a whole.

    Raises Entangled. Nothing here proves that the patched text says it: the caller reads it again.
    """
    writer = _Rewriter(text, root, whole_from)
    writer.visit(root, values, (), in_flow=False)
    return writer.patches


class _Rewriter:
    """Walks the document in its order. A key that takes the place of another one is the same entry, renamed."""

    def __init__(self, text: str, root: Node, whole_from: int) -> None:
        self.patches: list[Patch] = []
        self._text = text
        self._hand = Hand(text, root)
        self._whole_from = whole_from
        self._anchors: dict[str, Any] = {}
        """What each anchor up to here will stand for."""

    def visit(self, node: Node, after: Any, path: Path, *, in_flow: bool) -> None:
        if node.written.alias:
            self._visit_alias(node, after, path, in_flow)
            return
        begun, anchors = len(self.patches), dict(self._anchors)
        try:
            self._visit_inside(node, after, path, in_flow)
        except places.Entangled:
            del self.patches[begun:]
            self._anchors = anchors
            self._replace(node, after, path, in_flow)
        if node.written.anchor:
            self._anchors[node.written.anchor] = after

    def _visit_inside(self, node: Node, after: Any, path: Path, in_flow: bool) -> None:
        is_split = len(path) < self._whole_from and bool(node.value) and bool(after)
        match node.value, after:
            case dict(), dict() if is_split:
                self._visit_mapping(node, after, path, in_flow or node.written.is_flow)
            case tuple(), list() if is_split:
                self._visit_list(node, after, path, in_flow or node.written.is_flow)
            case _ if not same(node.plain(), after):
                self._replace(node, after, path, in_flow)

    def _visit_alias(self, node: Node, after: Any, path: Path, in_flow: bool) -> None:
        """Leave it where its anchor gives the value; else write that here, with the anchor where only that changed."""
        name = node.written.alias
        if name in self._anchors and same(self._anchors[name], after):
            return
        is_moved = same(node.plain(), after)
        self._replace(node, after, path, in_flow, anchor=name if is_moved else "")
        if is_moved:
            self._anchors[name] = after

    # --- mappings and lists ----------------------------------------------------------------------------------------

    def _visit_mapping(self, node: Node, after: Mapping[str, Any], path: Path, in_flow: bool) -> None:
        children = list(node.entries.items())
        renamed = _renamed(list(node.entries), list(after))
        names = [renamed.get(name, name) for name, _ in children]
        for (old, child), new in zip(children, names, strict=True):
            if new in after:
                self._rename(child, old, new)
                self.visit(child, after[new], (*path, old), in_flow=in_flow)
        self._take_out(node, {at for at, name in enumerate(names) if name not in after})
        known = {name: child for name, (_, child) in zip(names, children, strict=True) if name in after}
        for behind, added in _runs(after, known):
            self._put_in(node, known.get(behind), {name: after[name] for name in added}, path)

    def _rename(self, node: Node, old: str, new: str) -> None:
        if old != new:
            start, end = node.written.key_start, node.written.key_end
            self._patch(start, end, respell(self._text[start:end], old, new))

    def _visit_list(self, node: Node, after: list[Any], path: Path, in_flow: bool) -> None:
        items, gone = list(node.value), set[int]()
        old, new = [_key(item.plain()) for item in items], [_key(value) for value in after]
        for _, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            pairs = min(b - a, d - c)
            for at in range(pairs):
                self.visit(items[a + at], after[c + at], (*path, a + at), in_flow=in_flow)
            gone |= set(range(a + pairs, b))
            if added := after[c + pairs : d]:
                self._put_in(node, items[a + pairs - 1] if a + pairs else None, dict(enumerate(added)), path)
        self._take_out(node, gone)

    def _take_out(self, node: Node, gone: set[int]) -> None:
        entries = list(_children(node))
        if gone and len(gone) == len(entries):
            raise places.Entangled
        for at in sorted(gone) if node.written.is_flow else ():
            self.patches.append(self._cut_flow(entries, at, is_last=gone >= set(range(at, len(entries)))))
        for first, end in _neighbours(gone) if not node.written.is_flow else ():
            run = entries[first:end]
            self.patches.append(places.cut(self._text, run, is_first=first == 0, is_last=end == len(entries)))

    def _cut_flow(self, entries: list[Node], at: int, *, is_last: bool) -> Patch:
        start, end = places.start(entries[at]), entries[at].written.end
        if places.stands_alone(self._text, entries[at]):
            return whole_lines(self._text, line_start(self._text, start), line_end(self._text, end))
        if is_last:
            return Patch(entries[at - 1].written.end, end, "")
        return Patch(start, places.start(entries[at + 1]), "")

    def _put_in(self, node: Node, behind: Node | None, added: Mapping[Any, Any], path: Path) -> None:
        """Add entries behind one of the node's own, or before all of them."""
        if node.written.is_flow:
            self._put_in_flow(node, behind, added)
            return
        first = behind or next(iter(_children(node)))
        indent = places.column(self._text, first)
        if isinstance(node.value, dict):
            lines = [self._hand.entry((*path, name), value, indent) for name, value in added.items()]
        else:
            lines = [f"{' ' * indent}- {spell(value)}" for value in added.values()]
        self._put_lines(node, behind, lines)

    def _put_lines(self, node: Node, behind: Node | None, lines: list[str]) -> None:
        children, mark = list(_children(node)), self._hand.line_break
        if behind is None:
            start = places.first_line(self._text, children[0])
            self._patch(start, start, "".join(f"{line}{mark}" for line in lines))
            return
        below = children[min(children.index(behind) + 1, len(children) - 1)]
        is_apart = len(children) > 1 and places.is_set_apart(self._text, below)
        is_long = any(mark in line for line in lines) or places.is_set_apart(self._text, behind)
        apart = mark if is_apart and is_long else ""
        end = places.last_line(self._text, behind)
        self._patch(end, end, "".join(f"{mark}{apart}{line}" for line in lines))

    def _put_in_flow(self, node: Node, behind: Node | None, added: Mapping[Any, Any]) -> None:
        if self._text[places.content(self._text, node)] not in "[{":
            raise places.Entangled  # a: of [a: 1] is a mapping without brackets
        is_mapping = isinstance(node.value, dict)
        texts = [f"{spell(name)}: {spell(value)}" if is_mapping else spell(value) for name, value in added.items()]
        if behind is None:
            start = places.start(next(iter(_children(node))))
            self._patch(start, start, "".join(f"{each}, " for each in texts))
            return
        end = behind.written.end
        if not places.stands_alone(self._text, behind):
            self._patch(end, end, "".join(f", {each}" for each in texts))
            return
        has_comma, line = self._text[end : end + 1] == ",", line_end(self._text, end)
        indent = " " * (places.start(behind) - line_start(self._text, end))
        if not has_comma:
            self._patch(end, end, ",")
        rows = [f"{self._hand.line_break}{indent}{each}," for each in texts]
        self._patch(line, line, "".join(rows) if has_comma else "".join(rows)[:-1])

    # --- one value -------------------------------------------------------------------------------------------------

    def _replace(self, node: Node, after: Any, path: Path, in_flow: bool, anchor: str = "") -> None:
        name = f"&{anchor} " if anchor else ""
        if not in_flow and node.written.key_end and self._hand.is_block(path, after):
            self._replace_by_block(node, after, path, name)
        elif isinstance(node.value, dict | tuple) and not node.written.is_flow and not node.written.alias:
            self._fold(node, f"{name}{spell(after)}")
        else:
            start, end = places.content(self._text, node), node.written.end
            raw = self._text[start:end]
            text = name + (spell(after) if node.written.alias else respell(raw, node.value, after))
            self._patch(start, end, text if raw else self._spaced(node, start, text))

    def _replace_by_block(self, node: Node, after: Any, path: Path, name: str) -> None:
        head, end = places.behind_key(self._text, node), node.written.end
        lines = self._hand.line_break + self._hand.block(path, after, places.column(self._text, node))
        if name:
            self._patch(head, head, f" {name.strip()}")
        if node.value and isinstance(node.value, dict | tuple) and not (node.written.is_flow or node.written.alias):
            self._patch(line_end(self._text, head), places.last_line(self._text, node), lines)
            return
        if end > head:
            self._patch(head, end, "")
        line = line_end(self._text, max(head, end))
        self._patch(line, line, lines)

    def _fold(self, node: Node, text: str) -> None:
        """Put one line in the place of a value in block style."""
        start, head = places.content(self._text, node), places.behind_key(self._text, node)
        line = line_end(self._text, head)
        if start < line:
            self._patch(start, node.written.end, text)
            return
        self._patch(head, head, f" {text}")
        self._patch(line, places.last_line(self._text, node), "")

    def _spaced(self, node: Node, start: int, text: str) -> str:
        has_colon = not node.written.key_end or ":" in self._text[node.written.key_end : start]
        return f"{'' if has_colon else ':'} {text}"

    def _patch(self, start: int, end: int, text: str) -> None:
        self.patches.append(Patch(start, end, text))


def _children(node: Node) -> Iterable[Node]:
    return node.value.values() if isinstance(node.value, dict) else node.value


def _renamed(before: list[str], after: list[str]) -> dict[str, str]:
    """Old names by which of the new ones took their places."""
    if len(before) != len(after):
        return {}
    return {old: new for old, new in zip(before, after, strict=True) if old not in after and new not in before}


def _runs(after: Iterable[str], known: Mapping[str, Node]) -> list[tuple[str, list[str]]]:
    """The new names, in runs, with the known name that each run stands behind; empty where it stands first."""
    runs: list[tuple[str, list[str]]] = [("", [])]
    for name in after:
        if name in known:
            runs.append((name, []))
        else:
            runs[-1][1].append(name)
    return [(behind, names) for behind, names in runs if names]


def _neighbours(indexes: set[int]) -> list[tuple[int, int]]:
    """The runs among them: the first of each, and the one behind its last."""
    starts = sorted(at for at in indexes if at - 1 not in indexes)
    ends = sorted(at + 1 for at in indexes if at + 1 not in indexes)
    return list(zip(starts, ends, strict=True))
