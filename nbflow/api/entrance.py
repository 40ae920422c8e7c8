"""How a stranger becomes a caller: by a password, by the session that follows, or by a token."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from nbflow.api.passwords import is_password
from nbflow.api.people import new_secret
from nbflow.api.roles import Caller
from nbflow.api.views import NewToken
from nbflow.errors import Conflict, NotFound, NotSignedIn, Unavailable
from nbflow.people import SESSION_LIFE, Token, TokenKind, User, caller_by, fingerprint
from nbflow.ports import Clock, PeopleStore


class Entrance:
    """For front doors that strangers reach. Nothing of it needs a caller; the api itself begins with one."""

    def __init__(self, store: PeopleStore, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def has_users(self) -> bool:
        """False where nobody was ever added: then only a loopback address may be served."""
        return bool(self._store.users())

    def sign_in(self, name: str, password: str) -> NewToken:
        """A session; its secret goes into a cookie. Raises NotSignedIn, in the same words for every reason but one."""
        now = self._clock.now()
        user = self._begin_sign_in(name, now)
        if not is_password(password, user.password if user else None) or user is None:
            raise NotSignedIn("name or password is not right")
        self._store.forget_refusals(name)
        secret = new_secret()
        session = Token(
            kind=TokenKind.SESSION,
            user=name,
            role=user.role,
            sha256=fingerprint(secret),
            created_at=now,
            created_by=name,
            expires_at=now + SESSION_LIFE,
        )
        return NewToken(token=self._store.add_token(session, log=None), secret=secret)

    def session(self, secret: str) -> Caller | None:
        """Who has this session's secret, while it is valid."""
        return self._caller(secret, TokenKind.SESSION)

    def bearer(self, secret: str) -> Caller | None:
        """Who has this token's secret, while it is valid."""
        return self._caller(secret, TokenKind.API)

    def sign_out(self, secret: str) -> None:
        """End the session; nothing happens if it has ended."""
        if found := self._store.holder(fingerprint(secret)):
            with suppress(Conflict, NotFound):
                self._store.revoke_token(found[0].id, now=self._clock.now(), log=None)

    def _begin_sign_in(self, name: str, now: datetime) -> User | None:
        try:
            return self._store.begin_sign_in(name, now=now)
        except NotFound:
            return None

    def _caller(self, secret: str, kind: TokenKind) -> Caller | None:
        found = self._store.holder(fingerprint(secret))
        now = self._clock.now()
        if found is None or found[0].kind is not kind or not found[0].is_valid(now):
            return None
        if found[0].is_due(now):
            with suppress(Unavailable):  # a database that takes no writes still answers who that is
                self._store.used_token(found[0].id, now)
        return caller_by(*found)
