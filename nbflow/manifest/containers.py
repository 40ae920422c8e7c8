"""Lists and mappings of a manifest: kinds made of kinds. One wrong value is reported and left out, the rest is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbflow.manifest.document import Node
from nbflow.manifest.kinds import Kind, Naming, Schema, is_scalar
from nbflow.manifest.report import Report
from nbflow.scalars import Unfit, cut, describe
from nbflow.text import did_you_mean


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a mapping. `about` is its line in the reference and in editors."""

    kind: Kind
    about: str
    is_required: bool = False
    is_supported: bool = True


def attempt(kind: Kind, node: Node, report: Report) -> tuple[Any, ...]:
    """The value alone in a tuple; an empty one, and a line in the report, where the node is not of the kind."""
    try:
        return (kind.read(node, report),)
    except Unfit as error:
        report.error(node, f"{node.where or 'the manifest'} {error.message}", error.hint)
        return ()


def list_of(item: Kind) -> Kind:
    def read(node: Node, report: Report) -> tuple[Any, ...]:
        if not isinstance(node.value, tuple):
            raise Unfit(f"must be a list, not {describe(node.plain())}")
        return tuple(value for each in node.value for value in attempt(item, each, report))

    return Kind(read, {"type": "array", "items": item.schema})


def some(item: Kind) -> Kind:
    """A list, or one item without the brackets."""
    many = list_of(item)

    def read(node: Node, report: Report) -> tuple[Any, ...]:
        return many.read(node, report) if isinstance(node.value, tuple) else (item.read(node, report),)

    return Kind(read, {"anyOf": [item.schema, many.schema]})


def pair_of(item: Kind) -> Kind:
    many = list_of(item)

    def read(node: Node, report: Report) -> tuple[Any, Any] | None:
        if not isinstance(node.value, tuple) or len(node.value) != 2:
            raise Unfit(f"must be a list of two, not {describe(node.plain())}")
        values = many.read(node, report)
        return (values[0], values[1]) if len(values) == 2 else None

    return Kind(read, {**many.schema, "minItems": 2, "maxItems": 2})


def map_of(item: Kind, naming: Naming | None = None) -> Kind:
    """Values by names that people choose."""

    def read(node: Node, report: Report) -> dict[str, Any]:
        if not isinstance(node.value, dict):
            hint = f"Write {naming.what} as 'name: …'." if naming and isinstance(node.value, tuple) else ""
            raise Unfit(f"must be a mapping, not {describe(node.plain())}", hint)
        values: dict[str, Any] = {}
        for name, child in node.value.items():
            if naming and not naming.allows(name):
                report.error(
                    child, f"'{cut(name)}' cannot be the name of {naming.what}", naming.advice(name), at=child.key
                )
            for value in attempt(item, child, report):
                values[name] = value
        return values

    names: Schema = {"propertyNames": {"pattern": f"^{naming.pattern}$"}} if naming else {}
    return Kind(read, {"type": "object", "additionalProperties": item.schema, **names})


def record(keys: Mapping[str, Key], *, short: str = "") -> Kind:
    """Values by the names of a table; gives those that are there and right.

    A value that is no mapping stands for the key `short` alone, where there is one.
    """

    def read(node: Node, report: Report) -> dict[str, Any]:
        if not isinstance(node.value, dict):
            if short and is_scalar(node.value):
                return {short: keys[short].kind.read(node, report)}
            raise Unfit(f"must be a mapping, not {describe(node.plain())}")
        for name, child in node.value.items():
            if name not in keys:
                where = f" in {node.where}" if node.where else ""
                report.error(child, f"unknown key '{cut(name)}'{where}", did_you_mean(name, keys), at=child.key)
        values: dict[str, Any] = {}
        for name, key in keys.items():
            if name in node.value:
                values.update((name, value) for value in _keyed(name, key, node.value[name], report))
            elif key.is_required:
                report.error(node, f"{node.where or 'the manifest'} needs a '{name}'", at=node.key)
        return values

    return Kind(read, _record_schema(keys, short))


def _keyed(name: str, key: Key, node: Node, report: Report) -> tuple[Any, ...]:
    if not key.is_supported:
        report.error(node, f"'{name}' is not yet supported", at=node.key)
    return attempt(key.kind, node, report)


def _record_schema(keys: Mapping[str, Key], short: str) -> Schema:
    required = [name for name, key in keys.items() if key.is_required]
    schema: Schema = {
        "type": "object",
        "properties": {name: {"description": key.about, **key.kind.schema} for name, key in keys.items()},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }
    return {"anyOf": [keys[short].kind.schema, schema]} if short else schema
