"""Users and tokens in the database: a part of SqlStore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from nbflow.errors import Conflict, NotFound
from nbflow.people import Role, Token, TokenKind, User, check_admin_left, check_pace
from nbflow.run import Change
from nbflow.stores.base import SqlSide
from nbflow.stores.rows import token_of, token_row, user_of, user_row
from nbflow.stores.schema import tokens, users
from nbflow.stores.steps import log as add_to_log
from nbflow.text import did_you_mean


class SqlPeople(SqlSide):
    """ports.PeopleStore."""

    def users(self) -> Sequence[User]:
        with self._database.read() as connection:
            return _users(connection)

    def user(self, name: str) -> User:
        with self._database.read() as connection:
            return _user(connection, name)

    def add_user(self, user: User, *, log: Change) -> None:
        with self._database.write() as connection:
            known = _users(connection)
            if user.name in {each.name for each in known}:
                raise Conflict(f"there is a user '{user.name}' already")
            check_admin_left([*known, user])
            connection.execute(insert(users).values(user_row(user)))
            add_to_log(connection, [log])

    def set_role(self, name: str, role: Role, *, log: Change) -> User:
        with self._database.write() as connection:
            user = replace(_user(connection, name), role=role)
            check_admin_left([*_others(connection, name), user])
            connection.execute(update(users).where(users.c.name == name).values(role=role))
            add_to_log(connection, [log])
        return user

    def set_password(self, name: str, hashed: str, *, log: Change) -> None:
        fresh = {"password": hashed, "failures": 0, "failed_at": None}
        is_session = tokens.c.revoked_at.is_(None) & (tokens.c.kind == TokenKind.SESSION)
        with self._database.write() as connection:
            _user(connection, name)
            connection.execute(update(users).where(users.c.name == name).values(fresh))
            connection.execute(update(tokens).where(tokens.c.user == name, is_session).values(revoked_at=log.at))
            add_to_log(connection, [log])

    def remove_user(self, name: str, *, log: Change) -> None:
        with self._database.write() as connection:
            _user(connection, name)
            check_admin_left(_others(connection, name))
            connection.execute(delete(tokens).where(tokens.c.user == name))
            connection.execute(delete(users).where(users.c.name == name))
            add_to_log(connection, [log])

    def begin_sign_in(self, name: str, *, now: datetime) -> User:
        with self._database.write() as connection:
            user = _user(connection, name)
            check_pace(user, now)
            user = replace(user, failures=user.failures + 1, failed_at=now)
            counted = {"failures": user.failures, "failed_at": user.failed_at}
            connection.execute(update(users).where(users.c.name == name).values(counted))
        return user

    def forget_refusals(self, name: str) -> None:
        with self._database.write() as connection:
            _user(connection, name)
            none = {"failures": 0, "failed_at": None}
            connection.execute(update(users).where(users.c.name == name).values(none))

    def tokens(self, user: str | None = None) -> Sequence[Token]:
        query = select(tokens).order_by(tokens.c.id.desc())
        if user is not None:
            query = query.where(tokens.c.user == user)
        with self._database.read() as connection:
            return [token_of(row) for row in connection.execute(query).mappings()]

    def token(self, number: int) -> Token:
        with self._database.read() as connection:
            return _token(connection, number)

    def holder(self, sha256: str) -> tuple[Token, User] | None:
        with self._database.read() as connection:
            row = connection.execute(select(tokens).where(tokens.c.sha256 == sha256)).mappings().first()
            if row is None:
                return None
            token = token_of(row)
            return token, _user(connection, token.user)

    def add_token(self, token: Token, *, log: Change | None) -> Token:
        with self._database.write() as connection:
            _user(connection, token.user)
            number = connection.execute(insert(tokens).values(token_row(token)).returning(tokens.c.id)).scalar_one()
            add_to_log(connection, [log] if log else [])
        return replace(token, id=number)

    def revoke_token(self, number: int, *, now: datetime, log: Change | None) -> None:
        revoking = update(tokens).where(tokens.c.id == number, tokens.c.revoked_at.is_(None)).values(revoked_at=now)
        with self._database.write() as connection:
            if connection.execute(revoking).rowcount == 0:
                _token(connection, number)
                raise Conflict(f"token {number} is revoked already")
            add_to_log(connection, [log] if log else [])

    def used_token(self, number: int, now: datetime) -> None:
        with self._database.write() as connection:
            connection.execute(update(tokens).where(tokens.c.id == number).values(last_used_at=now))


def _users(connection: Connection) -> list[User]:
    return [user_of(row) for row in connection.execute(select(users).order_by(users.c.name)).mappings()]


def _user(connection: Connection, name: str) -> User:
    row = connection.execute(select(users).where(users.c.name == name)).mappings().first()
    if row is None:
        known = connection.scalars(select(users.c.name)).all()
        raise NotFound(f"there is no user '{name}'", hint=did_you_mean(name, known))
    return user_of(row)


def _others(connection: Connection, name: str) -> list[User]:
    return [user for user in _users(connection) if user.name != name]


def _token(connection: Connection, number: int) -> Token:
    row = connection.execute(select(tokens).where(tokens.c.id == number)).mappings().first()
    if row is None:
        raise NotFound(f"there is no token {number}")
    return token_of(row)
