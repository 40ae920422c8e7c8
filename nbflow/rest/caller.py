"""Whose request it is: a token in `Authorization: Bearer`, or the cookie of the app with a word against forgery.

Only who: what a caller may do is decided by nbflow.api, as for every other front door.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from nbflow.access import TRY_AGAIN
from nbflow.api import Api, Caller
from nbflow.errors import NotAllowed, NotSignedIn, Unavailable
from nbflow.people import xsrf

XSRF_HEADER = "X-Xsrf-Token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_bearer = HTTPBearer(auto_error=False, description="A token from `nbflow token create`.")
_cookie = APIKeyCookie(
    name="nbflow",
    auto_error=False,
    description=f"The session of the app; what is not GET needs {XSRF_HEADER} too.",
)


def _nobody(_: Mapping[str, str]) -> Caller | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Behind:
    """What stands behind the routes. Everything may block, and is called in threads."""

    open_api: Callable[[Caller], Api]
    bearer: Callable[[str], Caller | None]
    """Secret of a token → whose it is."""
    cookies: Callable[[Mapping[str, str]], Caller | None] = field(default=_nobody)
    """Cookies → who is signed in."""
    cookie: str = "nbflow"
    """Name of the cookie that signs in: the word against forgery belongs to its value."""


def behind(request: Request) -> Behind:
    found: Behind = request.app.state.behind
    return found


def caller_of(request: Request) -> Caller:
    """Raises NotSignedIn, NotAllowed for a cookie that another site may have sent along, and Unavailable."""
    known = behind(request)
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    has_token = kind.lower() == "bearer"  # another kind is meant for a proxy in front of us
    try:
        caller = known.bearer(secret.strip()) if has_token else known.cookies(request.cookies)
    except Unavailable:  # a stranger is not told where the database is
        raise Unavailable("the database does not answer", hint=TRY_AGAIN) from None
    if caller is not None and not has_token and request.method not in _SAFE:
        _check_forgery(request, known.cookie)
    if caller is None:
        raise NotSignedIn(
            "this token is not valid" if has_token else "nobody is signed in",
            hint="Send `Authorization: Bearer …` with a token from: nbflow token create.",
        )
    return caller


def _check_forgery(request: Request, cookie: str) -> None:
    wanted = xsrf(request.cookies.get(cookie, ""))
    if not hmac.compare_digest(request.headers.get(XSRF_HEADER, "").encode(), wanted.encode()):
        raise NotAllowed(f"the header {XSRF_HEADER} is missing or wrong", hint="A program sends a token instead.")


def _api_of(
    request: Request,
    _: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    __: Annotated[str | None, Security(_cookie)],
) -> Api:
    return behind(request).open_api(caller_of(request))


TheApi = Annotated[Api, Depends(_api_of)]
"""The api of whoever asks."""
