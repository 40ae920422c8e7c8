"""Users and tokens in plain dicts: a part of DictStore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from nbflow.errors import Conflict, NotFound
from nbflow.people import Role, Token, TokenKind, User, check_admin_left, check_pace
from nbflow.run import Change
from nbflow.testing.dict_store.kept import Kept
from nbflow.text import did_you_mean


class People(Kept):
    """ports.PeopleStore."""

    def users(self) -> Sequence[User]:
        return [self._users[name] for name in sorted(self._users)]

    def user(self, name: str) -> User:
        if name not in self._users:
            raise NotFound(f"there is no user '{name}'", hint=did_you_mean(name, self._users))
        return self._users[name]

    def add_user(self, user: User, *, log: Change) -> None:
        if user.name in self._users:
            raise Conflict(f"there is a user '{user.name}' already")
        check_admin_left([*self._users.values(), user])
        self._users[user.name] = user
        self._log([log])

    def set_role(self, name: str, role: Role, *, log: Change) -> User:
        user = replace(self.user(name), role=role)
        check_admin_left([*self._all_but(name), user])
        self._users[name] = user
        self._log([log])
        return user

    def set_password(self, name: str, hashed: str, *, log: Change) -> None:
        self._users[name] = replace(self.user(name), password=hashed, failures=0, failed_at=None)
        for token in self._tokens.values():
            if token.user == name and token.kind is TokenKind.SESSION and not token.revoked_at:
                self._tokens[token.id] = replace(token, revoked_at=log.at)
        self._log([log])

    def remove_user(self, name: str, *, log: Change) -> None:
        self.user(name)
        check_admin_left(self._all_but(name))
        del self._users[name]
        self._tokens = {number: token for number, token in self._tokens.items() if token.user != name}
        self._log([log])

    def begin_sign_in(self, name: str, *, now: datetime) -> User:
        user = self.user(name)
        check_pace(user, now)
        self._users[name] = replace(user, failures=user.failures + 1, failed_at=now)
        return self._users[name]

    def forget_refusals(self, name: str) -> None:
        self._users[name] = replace(self.user(name), failures=0, failed_at=None)

    def tokens(self, user: str | None = None) -> Sequence[Token]:
        return [token for _, token in sorted(self._tokens.items(), reverse=True) if user in {None, token.user}]

    def token(self, number: int) -> Token:
        if number not in self._tokens:
            raise NotFound(f"there is no token {number}")
        return self._tokens[number]

    def holder(self, sha256: str) -> tuple[Token, User] | None:
        found = next((token for token in self._tokens.values() if token.sha256 == sha256), None)
        return (found, self._users[found.user]) if found else None

    def add_token(self, token: Token, *, log: Change | None) -> Token:
        self.user(token.user)
        if self.holder(token.sha256):
            raise Conflict("there is a token of that fingerprint already")
        self._last_token += 1
        kept = self._tokens[self._last_token] = replace(token, id=self._last_token)
        self._log([log] if log else [])
        return kept

    def revoke_token(self, number: int, *, now: datetime, log: Change | None) -> None:
        token = self.token(number)
        if token.revoked_at is not None:
            raise Conflict(f"token {number} is revoked already")
        self._tokens[number] = replace(token, revoked_at=now)
        self._log([log] if log else [])

    def used_token(self, number: int, now: datetime) -> None:
        if number in self._tokens:
            self._tokens[number] = replace(self._tokens[number], last_used_at=now)

    def _all_but(self, name: str) -> list[User]:
        return [user for user in self._users.values() if user.name != name]
