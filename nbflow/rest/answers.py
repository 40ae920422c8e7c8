"""What is answered where something is wrong: `{error, where, hint}` with the status that fits, on every route."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from typing_extensions import TypedDict

from nbflow.errors import Conflict, InvalidInput, NbflowError, NotAllowed, NotFound, NotSignedIn, Unavailable

_log = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[NbflowError], int], ...] = (
    (NotSignedIn, 401),
    (NotAllowed, 403),
    (NotFound, 404),
    (Conflict, 409),
    (InvalidInput, 422),
    (Unavailable, 503),
)
"""The first that an error is one of."""

_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}


class ErrorAnswer(TypedDict):
    """What is wrong, where, and what to do; the last two may be empty."""

    error: str
    where: str
    hint: str


def errors_of(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The entries of these answers in the OpenAPI document."""
    return {status: {"model": ErrorAnswer, "description": HTTPStatus(status).phrase} for status in statuses}


def answer(status: int, error: str, where: str = "", hint: str = "", headers: Mapping[str, str] = {}) -> JSONResponse:
    said: ErrorAnswer = {"error": _whole(error), "where": _whole(where), "hint": _whole(hint)}
    return JSONResponse(said, status, {**_HEADERS.get(status, {}), **headers})


def _whole(text: str) -> str:
    """JSON can escape half characters, and an error may quote them; UTF-8 cannot say them."""
    return text.encode("utf-8", "backslashreplace").decode()


def add_to(app: FastAPI) -> None:
    """Answer every exception of the app."""
    app.add_exception_handler(NbflowError, _refused)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(HTTPException, _no_such_route)
    app.add_exception_handler(Exception, _unexpected)


def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, NbflowError)
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return answer(status, error.message, error.where, error.hint)


def _not_understood(_: Request, error: Exception) -> JSONResponse:
    """JSON that is none is 400; a value that is missing, unknown or of the wrong type is 422. The value is not told."""
    assert isinstance(error, RequestValidationError)
    found: Sequence[Any] = error.errors()
    first = found[0]
    if first["type"] == "json_invalid":
        return answer(400, "the body is no JSON", "body")
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    said = f"{first['msg'][:1].lower()}{first['msg'][1:]}{more}"
    return answer(422, said, ".".join(str(part) for part in first["loc"]))


def _no_such_route(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    known = {404: f"there is nothing at {request.url.path}", 405: f"{request.method} is not for {request.url.path}"}
    return answer(
        error.status_code,
        known.get(error.status_code, str(error.detail)),
        hint="The routes are listed at /api/v1/openapi.json." if error.status_code in known else "",
        headers=error.headers or {},
    )


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    """A fault of our own: told to the log in full, and to the caller not at all."""
    _log.error("%s %s: %s", request.method, request.url.path, type(error).__name__, exc_info=error)
    return answer(500, "this is not expected", hint="The server's log says more.")
