"""Messages that wait to be sent, and whether a run's failure was told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, PrimaryKeyConstraint, UniqueConstraint

revision = "0004"
down_revision = "0003"

WORDS = sa.TEXT().with_variant(sa.TEXT(collation="C"), "postgresql")
WORD = sa.VARCHAR(32)
JSON = sa.TEXT()
INSTANT = sa.DateTime(timezone=True)
SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")

KINDS = "'failed', 'recovered', 'missed', 'skipped', 'late', 'overrun', 'restarted'"
STATES = "'waiting', 'joined', 'sent', 'dropped'"


def upgrade() -> None:
    op.add_column("runs", Column("alerted_at", INSTANT))
    op.create_table(
        "outbox",
        Column("seq", SERIAL, nullable=False),
        Column("id", WORDS, nullable=False),
        Column("pipeline", WORDS),
        Column("channel", WORDS, nullable=False),
        Column("kind", WORD, nullable=False),
        Column("notice", JSON, nullable=False),
        Column("state", WORD, nullable=False),
        Column("due", INSTANT, nullable=False),
        Column("tries", sa.Integer, nullable=False),
        Column("lead", WORDS),
        Column("done", JSON, nullable=False),
        Column("error", WORDS, nullable=False),
        Column("ended_at", INSTANT),
        PrimaryKeyConstraint("seq", name="pk_outbox"),
        UniqueConstraint("id", name="uq_outbox_id"),
        CheckConstraint(f"kind IN ({KINDS})", name="ck_outbox_kind"),
        CheckConstraint(f"state IN ({STATES})", name="ck_outbox_state"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_pipeline_seq", "outbox", ["pipeline", "seq"])
    _partial_index("ix_outbox_unsent", ["seq"], "state IN ('waiting')")
    _partial_index("ix_outbox_sent", ["pipeline", "channel", "ended_at"], "state IN ('sent')")
    _partial_index("ix_outbox_lead", ["lead"], "lead IS NOT NULL")


def _partial_index(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, "outbox", columns, sqlite_where=condition, postgresql_where=condition)
