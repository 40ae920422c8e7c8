"""Our frozen values as JSON and back. Pydantic knows the types; this says only that one way is used everywhere."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter

T = TypeVar("T")


@lru_cache(maxsize=64)
def _adapter(cls: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast("Any", cls))


def prepare(*classes: type) -> None:
    """Work out now what the first value of each class would have to wait for."""
    for cls in classes:
        _adapter(cls)


def to_json(value: object, cls: Any = None) -> Any:
    """The value as JSON types: times ISO 8601, durations ISO 8601, enums by value.

    Name `cls` where the value is one of a union or a plain container of ours.
    """
    return _adapter(cast("Hashable", cls or type(value))).dump_python(value, mode="json")


def from_json(cls: type[T], data: Any) -> T:
    """The value back from what `to_json` gave. Raises ValueError where it does not fit."""
    value: T = _adapter(cast("Hashable", cls)).validate_python(data)
    return value
