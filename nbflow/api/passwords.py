"""Passwords as Argon2 hashes. Each takes 64 MiB by intent, so one at a time: a flood of sign-ins stays small."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_one_at_a_time = Lock()
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$bmJmbG93LW5vYm9keSEh$0WZSdSRzdKQW4eCrYxTsJd3QnJGc9BnZf0gWXvVEFyc"
"""Well formed, and the hash of nothing that is known: an unknown name takes as long as a wrong password."""


def hash_password(password: str) -> str:
    with _one_at_a_time:
        return _hasher().hash(password)


def is_password(password: str, hashed: str | None) -> bool:
    """Whether the hash is this password's. None, for a user without one, takes as long and is never right."""
    from argon2.exceptions import InvalidHashError, VerificationError

    with _one_at_a_time:
        try:
            return _hasher().verify(hashed or _NOBODY, password) and hashed is not None
        except (VerificationError, InvalidHashError):
            return False


def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()  # RFC 9106, the profile for less memory: 64 MiB, 3 passes
