"""Who calls, and what each role may do."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from nbflow.errors import NotAllowed
from nbflow.people import Caller, Role

P = ParamSpec("P")
R = TypeVar("R")
B = TypeVar("B", bound="HasCaller")

__all__ = ["Caller", "Role", "needs"]


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
                    f"{bound.caller.name} is {bound.caller.role.word}; "
                    f"{method.__name__.replace('_', ' ')} needs {role.word}"
                )
            return method(bound, *args, **kwargs)

        checked.role = role  # type: ignore[attr-defined]  # read by the test that every public method has one
        return checked

    return guard
