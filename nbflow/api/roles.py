"""Who calls, and what each role may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from nbflow.errors import NotAllowed

P = ParamSpec("P")
R = TypeVar("R")
B = TypeVar("B", bound="HasCaller")


class Role(IntEnum):
    """What a caller may do; each role may do what those before it may."""

    VIEWER = 1
    OPERATOR = 2
    EDITOR = 3
    ADMIN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    name: str
    role: Role


class HasCaller(Protocol):
    """Whoever acts for a caller."""

    caller: Caller


def needs(
    role: Role,
) -> Callable[[Callable[Concatenate[B, P], R]], Callable[Concatenate[B, P], R]]:
    """Refuse a method of the api to callers below `role`."""

    def guard(method: Callable[Concatenate[B, P], R]) -> Callable[Concatenate[B, P], R]:
        @wraps(method)
        def checked(bound: B, /, *args: P.args, **kwargs: P.kwargs) -> R:
            if bound.caller.role < role:
                raise NotAllowed(
                    f"{bound.caller.name} is {bound.caller.role.name.lower()}; "
                    f"{method.__name__.replace('_', ' ')} needs {role.name.lower()}"
                )
            return method(bound, *args, **kwargs)

        checked.role = role  # type: ignore[attr-defined]  # read by the test that every public method has one
        return checked

    return guard
