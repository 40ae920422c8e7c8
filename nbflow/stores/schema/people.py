"""Users, and the tokens and sessions by which they are known. No secret is kept, only its fingerprint or its hash."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Enum, ForeignKey, Index, Integer, Table

from nbflow.people import Role, TokenKind
from nbflow.stores.columns import Instant, Words, one_of
from nbflow.stores.schema.base import SERIAL, metadata


def _role() -> Enum:
    return Enum(
        Role,
        name="role",
        native_enum=False,
        create_constraint=True,
        length=32,
        values_callable=lambda roles: [role.word for role in roles],
    )


users = Table(
    "users",
    metadata,
    Column("name", Words, primary_key=True),
    Column("role", _role(), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Words, nullable=False),
    Column("password", Words),
    Column("failures", Integer, nullable=False),
    Column("failed_at", Instant),
    CheckConstraint("failures >= 0", name="failures"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("kind", one_of(TokenKind, "kind"), nullable=False),
    Column("user", ForeignKey(users.c.name), nullable=False),
    Column("role", _role(), nullable=False),
    Column("sha256", Words, nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Words, nullable=False),
    Column("note", Words, nullable=False),
    Column("expires_at", Instant),
    Column("last_used_at", Instant),
    Column("revoked_at", Instant),
    # The log names a token by its number, which therefore never means another one.
    sqlite_autoincrement=True,
)
Index(None, tokens.c.user, tokens.c.id)
