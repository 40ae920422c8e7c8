"""Counts for metrics, which begin here."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, PrimaryKeyConstraint

revision = "0006"
down_revision = "0005"

WORDS = sa.TEXT().with_variant(sa.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "tallies",
        Column("name", WORDS, nullable=False),
        Column("pipeline", WORDS, nullable=False),
        Column("word", WORDS, nullable=False),
        Column("cause", WORDS, nullable=False),
        Column("value", sa.Double, nullable=False),
        PrimaryKeyConstraint("name", "pipeline", "word", "cause", name="pk_tallies"),
    )
