"""The door to users and their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from nbflow.people import Role, Token, User
from nbflow.run import Change


class PeopleStore(Protocol):
    """Users and tokens, durable. Every method is one transaction; `log` is the line it leaves in the change log."""

    def users(self) -> Sequence[User]:
        """By name."""
        ...

    def user(self, name: str) -> User:
        """Raises NotFound with the nearest name."""
        ...

    def add_user(self, user: User, *, log: Change) -> None:
        """Raises Conflict if there is one of that name."""
        ...

    def set_role(self, name: str, role: Role, *, log: Change) -> User:
        """Returns the user as it is now. Raises NotFound, and Conflict where no admin would be left."""
        ...

    def set_password(self, name: str, hashed: str, *, log: Change) -> None:
        """Revoke every session of the user, too, and forget refused sign-ins. Raises NotFound."""
        ...

    def remove_user(self, name: str, *, log: Change) -> None:
        """Remove a user and every token of that name. Raises NotFound, and Conflict where no admin would be left."""
        ...

    def begin_sign_in(self, name: str, *, now: datetime) -> User:
        """Count it as refused, until it is known to be good: of many at once no more come through than one by one.

        Raises NotFound, and NotSignedIn where `check_pace` does; that one is not counted.
        """
        ...

    def forget_refusals(self, name: str) -> None:
        """The latest sign-in was good. Raises NotFound."""
        ...

    def tokens(self, user: str | None = None) -> Sequence[Token]:
        """Tokens and sessions, newest first, revoked ones too."""
        ...

    def token(self, number: int) -> Token:
        """Raises NotFound."""
        ...

    def holder(self, sha256: str) -> tuple[Token, User] | None:
        """The token of that fingerprint with its user, whether it is valid or not."""
        ...

    def add_token(self, token: Token, *, log: Change | None) -> Token:
        """Keep a token; returns it with its id. Raises NotFound if there is no such user."""
        ...

    def revoke_token(self, number: int, *, now: datetime, log: Change | None) -> None:
        """Raises NotFound, and Conflict if it is revoked already."""
        ...

    def used_token(self, number: int, now: datetime) -> None:
        """Note that it was used."""
        ...
