"""What a notebook reads and writes, as far as its text says so in literals and parameters. Never runs anything of it.

Rather nothing than something wrong: a path that is put together in any way not known here is not told.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from nbflow.manifest.touching import Touches
from nbflow.notebooks.inspect import TAG, parse

_MOVES = re.compile(r"\bchdir\b|^\s*[%!]?cd\s", re.MULTILINE)
_FORMATS = (
    "csv",
    "excel",
    "feather",
    "fwf",
    "hdf",
    "ipc",
    "json",
    "ndjson",
    "orc",
    "parquet",
    "pickle",
    "stata",
    "xml",
)
_READERS = frozenset(f"{verb}_{form}" for verb in ("read", "scan") for form in (*_FORMATS, "table"))
_WRITERS = frozenset(f"{verb}_{form}" for verb in ("to", "write", "sink") for form in _FORMATS) | {"savefig"}
_PATH_WORDS = ("path", "path_or_buf", "filepath_or_buffer", "io", "source", "file", "fname", "excel_writer")
_OF_PATH_READ = frozenset({"read_text", "read_bytes"})
_OF_PATH_WRITE = frozenset({"write_text", "write_bytes"})


def touches(notebook: Mapping[str, Any], given: Mapping[str, Any], folder: str = "") -> Touches:
    """The files and tables of a notebook (nbformat 4) in Python that runs in `folder` with the parameters given.

    A parameter that a template gives stands for its text, so equal templates make equal paths.
    """
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    if any(_MOVES.search(cell["source"]) for cell in cells):
        return Touches()  # its paths begin somewhere else
    parsed = [(TAG in cell.get("metadata", {}).get("tags", ()), parse(cell["source"])) for cell in cells]
    finder = _Finder([code[0] for _, code in parsed if code])
    finder.give(given)  # without a tagged cell they are set before all others, as papermill does it
    for is_default, code in parsed:
        finder.learn(code[0] if code else ast.Module([], []))
        if is_default:
            finder.give(given)
    found = list(finder.find())
    name = partial(_called, folder)
    return Touches(
        frozenset(name(kind, text) for verb, kind, text in found if verb == "reads"),
        frozenset(name(kind, text) for verb, kind, text in found if verb == "writes"),
    )


def _called(folder: str, kind: str, text: str) -> str:
    if kind == "table":
        return f"the table {text}"
    return text if "://" in text else posixpath.normpath(posixpath.join(folder, text))


_Found = tuple[str, str, str]
"""Verb, kind and name: `("reads", "file", "data/x.csv")`."""


class _Finder:
    """Knows the names of the notebook that are set once and at the top, with a text that can be told."""

    def __init__(self, trees: list[ast.Module]) -> None:
        nodes = [node for tree in trees for node in ast.walk(tree)]
        self._set = Counter(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
        self._set.update(node.arg for node in nodes if isinstance(node, ast.arg))
        self._calls = [node for node in nodes if isinstance(node, ast.Call)]
        self._lent = {place: path for node in nodes if isinstance(node, ast.With) for place, path in _lent(node)}
        self._known: dict[str, str] = {}

    def give(self, given: Mapping[str, Any]) -> None:
        for name, value in given.items():
            self._set_name(name, str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None)

    def learn(self, tree: ast.Module) -> None:
        """Follow the assignments at the top of a cell."""
        for statement in tree.body:
            match statement:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=ast.expr() as value)
                    | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
                ):
                    self._set_name(name, self._text(value))

    def _set_name(self, name: str, text: str | None) -> None:
        self._known.pop(name, None)
        if text is not None and self._set[name] <= 1:
            self._known[name] = text

    def find(self) -> Iterator[_Found]:
        for node in self._calls:
            match node:
                case ast.Call(func=ast.Name(id="open")):
                    yield from self._opened(node, node.args[0] if node.args else None, node.args[1:2])
                case ast.Call(func=ast.Attribute(attr="open", value=path)) if _may_be_path(path):
                    yield from self._opened(node, path, node.args[:1])
                case ast.Call(func=ast.Attribute(attr="to_sql")):
                    yield from self._table(node, "writes", node.args[:1] or _words(node, "name"))
                case ast.Call(func=ast.Attribute(attr="read_sql_table")):
                    yield from self._table(node, "reads", node.args[:1] or _words(node, "table_name"))
                case ast.Call(func=ast.Attribute(attr=verb)) if verb in _READERS:
                    yield from self._file("reads", node.args[:1] or _words(node, *_PATH_WORDS))
                case ast.Call(func=ast.Attribute(attr=verb)) if verb in _WRITERS:
                    where = node.args[:1] or _words(node, *_PATH_WORDS)
                    yield from self._file("writes", [self._lent.get((node, _name(each)), each) for each in where])
                case ast.Call(func=ast.Attribute(attr=verb, value=path)) if verb in _OF_PATH_READ | _OF_PATH_WRITE:
                    yield from self._file("reads" if verb in _OF_PATH_READ else "writes", [path])

    def _opened(self, call: ast.Call, path: ast.expr | None, mode: list[ast.expr]) -> Iterator[_Found]:
        match mode or _words(call, "mode"):
            case []:
                verbs: tuple[str, ...] = ("reads",)
            case [ast.Constant(value=str(letters))]:
                is_both = "+" in letters or "a" in letters
                verbs = ("reads", "writes") if is_both else ("reads",) if "r" in letters else ("writes",)
            case _:
                return
        for verb in verbs:
            yield from self._file(verb, [path] if path else [])

    def _file(self, verb: str, where: list[ast.expr]) -> Iterator[_Found]:
        if where and (text := self._text(where[0])) and not text.isdigit():  # a number is a file that is open already
            yield verb, "file", text

    def _table(self, call: ast.Call, verb: str, where: list[ast.expr]) -> Iterator[_Found]:
        schema = _words(call, "schema")
        parts = [self._text(each) for each in (*schema, *where)]
        if where and all(parts):
            yield verb, "table", ".".join(part or "" for part in parts)

    def _text(self, node: ast.expr) -> str | None:
        """What an expression says; None where that cannot be told."""
        match node:
            case ast.Constant(value=str() | int() as value) if not isinstance(value, bool):
                return str(value)
            case ast.Name(id=name):
                return self._known.get(name)
            case ast.JoinedStr(values=values):
                return self._all("", values)
            case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
                return self._text(value)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self._all("/", [left, right])
            case ast.Call(func=func, args=args, keywords=[]) if args and _is_join(func):
                return self._all("/", args)
            case ast.Attribute(value=value, attr="parent"):
                return self._beside(value, "")
            case ast.Call(func=ast.Attribute(value=value, attr="with_name"), args=[name]):
                return self._beside(value, self._text(name))
            case _:
                return None

    def _all(self, link: str, nodes: list[ast.expr]) -> str | None:
        parts = [self._text(each) for each in nodes]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        return posixpath.join(*known) if link else "".join(known)

    def _beside(self, path: ast.expr, name: str | None) -> str | None:
        text = self._text(path)
        if text is None or name is None or "{{" in text:
            return None  # a template may give more than one part of the path
        return posixpath.join(posixpath.dirname(text), name) or "."


def _lent(block: ast.With) -> Iterator[tuple[tuple[ast.Call, str], ast.expr]]:
    """What is written to `part` below `with whole_file(path) as part:` comes to be at the path."""
    for item in block.items:
        match item:
            case ast.withitem(context_expr=ast.Call(args=[path, *_]), optional_vars=ast.Name(id=name)):
                inside = (node for statement in block.body for node in ast.walk(statement))
                yield from (((node, name), path) for node in inside if isinstance(node, ast.Call))


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _may_be_path(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) or (isinstance(node, ast.Call) and _is_join(node.func))


def _is_join(func: ast.expr) -> bool:
    """Whether it puts a path together: `Path`, `pathlib.Path`, `os.path.join`."""
    return ast.unparse(func) in {"Path", "pathlib.Path", "PurePath", "os.path.join", "posixpath.join"}


def _words(call: ast.Call, *names: str) -> list[ast.expr]:
    """The first of these keyword arguments that the call has."""
    return [word.value for word in call.keywords if word.arg in names][:1]
