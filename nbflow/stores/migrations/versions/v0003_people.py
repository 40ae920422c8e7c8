"""Users, their tokens and sessions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint

revision = "0003"
down_revision = "0002"

WORDS = sa.TEXT().with_variant(sa.TEXT(collation="C"), "postgresql")
WORD = sa.VARCHAR(32)
INSTANT = sa.DateTime(timezone=True)
SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
ROLES = "'viewer', 'operator', 'editor', 'admin'"


def upgrade() -> None:
    op.create_table(
        "users",
        Column("name", WORDS, nullable=False),
        Column("role", WORD, nullable=False),
        Column("created_at", INSTANT, nullable=False),
        Column("created_by", WORDS, nullable=False),
        Column("password", WORDS),
        Column("failures", sa.Integer, nullable=False),
        Column("failed_at", INSTANT),
        PrimaryKeyConstraint("name", name="pk_users"),
        CheckConstraint(f"role IN ({ROLES})", name="ck_users_role"),
        CheckConstraint("failures >= 0", name="ck_users_failures"),
    )
    op.create_table(
        "tokens",
        Column("id", SERIAL, nullable=False),
        Column("kind", WORD, nullable=False),
        Column("user", WORDS, nullable=False),
        Column("role", WORD, nullable=False),
        Column("sha256", WORDS, nullable=False),
        Column("created_at", INSTANT, nullable=False),
        Column("created_by", WORDS, nullable=False),
        Column("note", WORDS, nullable=False),
        Column("expires_at", INSTANT),
        Column("last_used_at", INSTANT),
        Column("revoked_at", INSTANT),
        PrimaryKeyConstraint("id", name="pk_tokens"),
        ForeignKeyConstraint(["user"], ["users.name"], name="fk_tokens_user"),
        UniqueConstraint("sha256", name="uq_tokens_sha256"),
        CheckConstraint("kind IN ('api', 'session')", name="ck_tokens_kind"),
        CheckConstraint(f"role IN ({ROLES})", name="ck_tokens_role"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tokens_user_id", "tokens", ["user", "id"])
