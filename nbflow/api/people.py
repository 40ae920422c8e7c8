"""Users and tokens: who is there, and what each may do. Every change is a line of the change log."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from nbflow.api.bound import Bound
from nbflow.api.passwords import hash_password, is_password
from nbflow.api.roles import Role, needs
from nbflow.api.views import NewToken
from nbflow.errors import InvalidInput, NotAllowed
from nbflow.model import PipelineName
from nbflow.people import TOKEN_PREFIX, Token, TokenKind, User, check_name, check_password, fingerprint
from nbflow.run import Change


class People(Bound):
    """Reads and commands about users and tokens."""

    @needs(Role.ADMIN)
    def users(self) -> Sequence[User]:
        """By name."""
        return self._store.users()

    @needs(Role.ADMIN)
    def add_user(self, name: str, role: Role, *, password: str | None = None) -> User:
        """Add a person, or without a password a program that comes with tokens. Raises Conflict, InvalidInput."""
        user = User(
            name=check_name(name),
            role=role,
            password=None if password is None else hash_password(check_password(password)),
            created_at=self._clock.now(),
            created_by=self.caller.name,
        )
        self._store.add_user(user, log=self._line("user_add", name, after=role))
        return user

    @needs(Role.ADMIN)
    def remove_user(self, name: str) -> None:
        """Remove a user with every token and session. Raises NotFound, Conflict."""
        user = self._store.user(name)
        self._store.remove_user(name, log=self._line("user_remove", name, before=user.role))

    @needs(Role.ADMIN)
    def set_role(self, name: str, role: Role) -> User:
        """Give a user another role; it limits the tokens of the user from now on. Raises NotFound, Conflict."""
        before = self._store.user(name)
        return self._store.set_role(name, role, log=self._line("user_role", name, before=before.role, after=role))

    @needs(Role.VIEWER)
    def set_password(self, name: str, password: str, *, old: str | None = None) -> None:
        """Set a password, and end the user's sessions. Without the right of an admin: one's own, with the old one."""
        if self.caller.role < Role.ADMIN:
            self._check_own(name, f"the password of '{name}'")
            if not is_password(old or "", self._store.user(name).password):
                raise NotAllowed("the old password is not right", hint="An admin can set a new one without it.")
        hashed = hash_password(check_password(password))
        self._store.set_password(name, hashed, log=self._line("user_password", name))

    @needs(Role.VIEWER)
    def tokens(self, user: str | None = None) -> Sequence[Token]:
        """Tokens and sessions, newest first: one's own, or for an admin those of a user or of all."""
        if self.caller.role < Role.ADMIN:
            self._check_own(user or self.caller.name, f"the tokens of '{user}'")
            user = self.caller.name
        elif user is not None:
            self._store.user(user)
        return self._store.tokens(user)

    @needs(Role.VIEWER)
    def create_token(
        self, role: Role, *, expires: timedelta | None, user: str | None = None, note: str = ""
    ) -> NewToken:
        """A token for a program; its secret is in the answer and nowhere else. `expires` counts from now.

        It may do at most what its user and its maker may, and a token cannot make one that outlives itself.
        """
        owner = user or self.caller.name
        if self.caller.role < Role.ADMIN:
            self._check_own(owner, f"a token for '{owner}'")
        now = self._clock.now()
        until = self._expiry(now, expires)
        most = min(self._store.user(owner).role, self.caller.role)
        if role > most:
            raise InvalidInput(f"a token for '{owner}' can be {most.word} at most, not {role.word}")
        secret = new_secret()
        token = Token(
            kind=TokenKind.API,
            user=owner,
            role=role,
            sha256=fingerprint(secret),
            created_at=now,
            created_by=self.caller.name,
            note=note,
            expires_at=until,
        )
        line = self._line("token_create", f"{owner}: {note}" if note else owner, after=role)
        return NewToken(token=self._store.add_token(token, log=line), secret=secret)

    @needs(Role.VIEWER)
    def revoke_token(self, number: int) -> None:
        """End a token or a session at once: one's own, or for an admin any. Raises NotFound, Conflict."""
        token = self._store.token(number)
        if self.caller.role < Role.ADMIN:
            self._check_own(token.user, f"token {number}")
        line = self._line("token_revoke", f"{token.user}: {number}", before=token.role)
        self._store.revoke_token(number, now=self._clock.now(), log=line)

    def _check_own(self, owner: str, what: str) -> None:
        if owner != self.caller.name:
            raise NotAllowed(f"{what} is for an admin; {self.caller.name} is {self.caller.role.word}")

    def _expiry(self, now: datetime, expires: timedelta | None) -> datetime | None:
        if expires is not None and expires <= timedelta(0):
            raise InvalidInput("a token must expire later than now", hint="Write a duration such as 30d or 12h.")
        try:
            until = None if expires is None else now + expires
        except OverflowError:
            raise InvalidInput("that expiry is beyond the calendar", hint="Leave it out for one that stays.") from None
        limit = self.caller.until
        if limit is not None and (until is None or until > limit):
            raise InvalidInput(
                "a token cannot make one that outlives it", hint=f"It expires at {limit:%Y-%m-%d %H:%M} UTC."
            )
        return until

    def _line(self, event: str, note: str, *, before: Role | None = None, after: Role | None = None) -> Change:
        return Change(
            at=self._clock.now(),
            run=None,
            pipeline=PipelineName(""),
            event=event,
            before=before.word if before else None,
            after=after.word if after else None,
            by=self.caller.name,
            note=note,
        )


def new_secret() -> str:
    """256 random bits."""
    return f"{TOKEN_PREFIX}{secrets.token_hex(32)}"
