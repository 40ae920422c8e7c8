"""How a route is declared: its address, and the one method of the api behind it, whose role it has."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fastapi import APIRouter

from nbflow.api import Role
from nbflow.rest.answers import errors_of

F = TypeVar("F", bound=Callable[..., Any])

ROLE = "x-nbflow-role"
"""Where the OpenAPI document says who may use a route."""


def route(
    router: APIRouter,
    address: str,
    by: Callable[..., Any] | Role,
    *,
    status: int = 200,
    errors: Sequence[int] = (),
    **about: Any,
) -> Callable[[F], F]:
    """Add a function to the router; `address` is method and path, such as `GET /runs`.

    `by` is the api's method that decides who may use it, or the role itself where that is none.
    """
    method, _, path = address.partition(" ")
    role = by if isinstance(by, Role) else by.role  # type: ignore[attr-defined]  # put there by `needs`

    def add(function: F) -> F:
        summary, _, description = (inspect.getdoc(function) or "").partition("\n")
        router.add_api_route(
            path,
            function,
            methods=[method],
            status_code=status,
            summary=summary.rstrip("."),
            description=f"{description.strip()}\n\nFor the role {role.word} and above.".strip(),
            operation_id=function.__name__,
            responses={**errors_of(401, 403, 422, 503, *errors), **about.pop("responses", {})},
            openapi_extra={ROLE: role.word},
            **about,
        )
        return function

    return add


def public(router: APIRouter, address: str, **about: Any) -> Callable[[F], F]:
    """Add a route that needs no caller: it tells nothing that a stranger may not know."""
    method, _, path = address.partition(" ")

    def add(function: F) -> F:
        summary = (inspect.getdoc(function) or "").rstrip(".")
        router.add_api_route(
            path,
            function,
            methods=[method],
            summary=summary,
            operation_id=function.__name__,
            openapi_extra={ROLE: "none"},
            **about,
        )
        return function

    return add
