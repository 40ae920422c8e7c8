"""The types of parameters: Python annotations as text, read without running them. Values are JSON, dates ISO text."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeAlias

from nbflow.scalars import read_scalar, read_value


class Unfit(ValueError):
    """The value is not of the type."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One of `SCALARS`."""

    name: str


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Type


@dataclass(frozen=True, slots=True)
class TupleOf:
    items: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class DictOf:
    key: Type
    value: Type


@dataclass(frozen=True, slots=True)
class OneOf:
    """A union."""

    members: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class Literal:
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Anything:
    """`Any`, no annotation, and every annotation that cannot be read."""

    is_meant: bool = True


Type: TypeAlias = Scalar | ListOf | TupleOf | DictOf | OneOf | Literal | Anything

_NONE = Scalar("None")
_LISTS = frozenset({"list", "List", "Sequence", "Iterable"})
_DICTS = frozenset({"dict", "Dict", "Mapping"})
_TUPLES = frozenset({"tuple", "Tuple"})


def _exactly(*kinds: type) -> Callable[[Any], Any]:
    def fit(value: Any) -> Any:
        if isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds):
            return value
        raise Unfit

    return fit


def _date(value: Any) -> str:
    """Only `2026-04-01`: the other forms of ISO 8601 are not read by every Python that a kernel may be."""
    if isinstance(value, str) and _datetime(value)[:10] == value:
        return value
    raise Unfit


def _datetime(value: Any) -> str:
    try:
        return datetime.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise Unfit from None


SCALARS: dict[str, Callable[[Any], Any]] = {
    "str": _exactly(str),
    "int": _exactly(int),
    "float": _exactly(float, int),
    "bool": _exactly(bool),
    "None": _exactly(type(None)),
    "date": _date,
    "datetime": _datetime,
}
KNOWN = frozenset({*SCALARS, "list", "dict", "tuple", "Any", "Optional", "Union", "Literal"})


@lru_cache(maxsize=1024)
def read_annotation(text: str) -> Type:
    """The type that an annotation names; `Anything` where it is empty or cannot be read. Nothing is evaluated."""
    if not text:
        return Anything()
    try:
        return _type(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Anything(is_meant=False)


def is_readable(kind: Type) -> bool:
    """False where some part of the annotation could not be read, and so accepts anything."""
    match kind:
        case Anything(is_meant):
            return is_meant
        case ListOf(item):
            return is_readable(item)
        case DictOf(key, value):
            return is_readable(key) and is_readable(value)
        case TupleOf(parts) | OneOf(parts):
            return all(map(is_readable, parts))
        case _:
            return True


def _type(node: ast.expr) -> Type:
    match node:
        case ast.Constant(value=None):
            return _NONE
        case ast.Constant(value=str(text)):
            return _type(ast.parse(text.strip(), mode="eval").body)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return _union(left, right)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _named(name)
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            return _generic(name, list(inner.elts) if isinstance(inner, ast.Tuple) else [inner])
        case _:
            return Anything(is_meant=False)


def _named(name: str) -> Type:
    if name in SCALARS:
        return Scalar(name)
    if name in _LISTS | _TUPLES:
        return ListOf(Anything())
    if name in _DICTS:
        return DictOf(Anything(), Anything())
    return Anything(is_meant=name in {"Any", "object"})


def _generic(name: str, inner: list[ast.expr]) -> Type:
    match name, inner:
        case "Annotated", [first, *_]:
            return _type(first)
        case "Optional", [only]:
            return _union(only, ast.Constant(None))
        case "Union", members:
            return _union(*members)
        case "Literal", values:
            return Literal(tuple(map(ast.literal_eval, values)))
        case _, [item] if name in _LISTS:
            return ListOf(_type(item))
        case _, [item, ast.Constant(value=rest)] if name in _TUPLES and rest is ...:
            return ListOf(_type(item))
        case _, items if name in _TUPLES:
            return TupleOf(tuple(map(_type, items)))
        case _, [key, value] if name in _DICTS:
            return DictOf(_type(key), _type(value))
        case _:
            return Anything(is_meant=False)


def _union(*nodes: ast.expr) -> OneOf:
    """Flat, so that all members are weighed against each other when a text is read."""
    members = map(_type, nodes)
    return OneOf(tuple(each for kind in members for each in (kind.members if isinstance(kind, OneOf) else (kind,))))


def fit(kind: Type, value: Any) -> Any:
    """The value, dates and times in canonical ISO form. Raises Unfit. An int is fine for float, a bool is no int."""
    match kind:
        case Scalar(name):
            return SCALARS[name](value)
        case Literal(values):
            return same(value, values)
        case OneOf(members):
            return _first(members, lambda member: fit(member, value))
        case ListOf(item) if isinstance(value, list):
            return [fit(item, each) for each in value]
        case TupleOf(items) if isinstance(value, list) and len(value) == len(items):
            return [fit(item, each) for item, each in zip(items, value, strict=True)]
        case DictOf(key, item) if isinstance(value, dict):
            return {_key(key, name): fit(item, each) for name, each in value.items()}
        case Anything():
            return value
        case _:
            raise Unfit


def read(kind: Type, text: str) -> Any:
    """The value that a text on the command line stands for. Raises Unfit.

    In a union `null` is None where None is allowed, and text is what nothing else can read.
    """
    match kind:
        case Scalar("str" | "date" | "datetime"):
            return fit(kind, text)
        case Scalar():
            return fit(kind, read_scalar(text))
        case Literal(values):
            return _first((read_scalar(text), text), lambda value: same(value, values))
        case OneOf(members):
            return _first(sorted(members, key=_reading_order), lambda member: read(member, text))
        case _:
            try:
                return fit(kind, read_value(text))
            except ValueError:
                raise Unfit from None


def same(value: Any, allowed: Iterable[Any]) -> Any:
    """The value, if it is one of those allowed; true is not 1. Raises Unfit."""
    if any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in allowed):
        return value
    raise Unfit


def _key(kind: Type, name: str) -> str:
    """The key as it is, because JSON has only text for keys, if its type can read it. Raises Unfit."""
    if not isinstance(kind, Anything):
        read(kind, name)
    return name


def _reading_order(kind: Type) -> int:
    return 0 if kind == _NONE else 2 if kind == Scalar("str") else 1


def _first(options: Iterable[Any], attempt: Callable[[Any], Any]) -> Any:
    """What the first option gives that fits. Raises Unfit."""
    for option in options:
        try:
            return attempt(option)
        except Unfit:
            continue
    raise Unfit
