"""Who may do what: roles, users, and the tokens and sessions by which they are known. Pure: no clock, no chance.

A secret itself is never kept: a token is random, so its SHA-256 tells it; a password is hashed slowly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from hashlib import sha256

from nbflow.errors import Conflict, InvalidInput, NotSignedIn

TOKEN_PREFIX = "nbf_"  # not a secret: lets a scanner of repositories find one that leaked
SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 1024
SESSION_LIFE = timedelta(days=7)
USED_GRAIN = timedelta(minutes=1)
"""How exact `last_used_at` is: not every request writes to the database."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class Role(IntEnum):
    """What a caller may do; each role may do what those before it may."""

    VIEWER = 1
    OPERATOR = 2
    EDITOR = 3
    ADMIN = 4

    @property
    def word(self) -> str:
        """As people write it."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> Role:
        """Raises InvalidInput."""
        for role in cls:
            if role.word == word:
                return role
        raise InvalidInput(f"there is no role '{word}'", hint=f"The roles are {', '.join(each.word for each in cls)}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls. `until` is when the token by which they came runs out; None where none was shown, or none runs out."""

    name: str
    role: Role
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or a program. Without a password nobody can sign in by that name; tokens work."""

    name: str
    role: Role
    created_at: datetime
    created_by: str = ""
    password: str | None = None
    """Its hash, by Argon2."""
    failures: int = 0
    """Sign-ins refused since the last good one."""
    failed_at: datetime | None = None


class TokenKind(StrEnum):
    """What a token is for."""

    API = "api"
    SESSION = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """The right to act as a user: made for a program, or by a sign-in for a browser."""

    id: int = 0
    kind: TokenKind
    user: str
    role: Role
    """The most that it may do; the user's own role limits it at every use."""
    sha256: str
    """Of the secret, as text in hexadecimal digits."""
    created_at: datetime
    created_by: str = ""
    note: str = ""
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def is_due(self, now: datetime) -> bool:
        """Whether its use should be noted again."""
        return self.last_used_at is None or now - self.last_used_at >= USED_GRAIN


def fingerprint(secret: str) -> str:
    """What is kept of a random secret. A fast hash will do: 256 random bits are not guessed."""
    return sha256(secret.encode()).hexdigest()


def xsrf(cookie: str) -> str:
    """What a page of ours says in the header `X-Xsrf-Token` along with its cookie; no other site can know it."""
    return sha256(b"xsrf:" + cookie.encode()).hexdigest()


def caller_by(token: Token, user: User) -> Caller:
    """Who comes with a valid token: never more than the user may do now."""
    until = token.expires_at if token.kind is TokenKind.API else None
    return Caller(name=user.name, role=min(token.role, user.role), until=until)


def check_name(name: str) -> str:
    """Raises InvalidInput."""
    if _NAME.fullmatch(name):
        return name
    hint = "Use up to 64 letters, digits, dots, dashes, underscores and @, a letter or digit first."
    raise InvalidInput(f"'{name}' cannot be the name of a user", hint=hint)


def check_password(password: str) -> str:
    """Raises InvalidInput."""
    if SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        return password
    raise InvalidInput(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")


def check_admin_left(users: Iterable[User]) -> None:
    """Whoever is there must have an admin among them. Raises Conflict."""
    roles = [each.role for each in users]
    if roles and Role.ADMIN not in roles:
        raise Conflict("no user would be admin", hint="The first user is admin, and so is the last one.")


def check_pace(user: User, now: datetime) -> None:
    """After five refused sign-ins in a row each try waits twice as long, a minute at most. Raises NotSignedIn.

    A refusal of the future does not count: the clock was set back.
    """
    if user.failed_at is None or user.failures < 5:
        return
    wait = timedelta(seconds=min(60, 2 ** min(user.failures - 5, 6)))
    if user.failed_at <= now < user.failed_at + wait:
        raise NotSignedIn("too many sign-ins were refused", hint="Try again in a minute.")
