"""Removed runs whose folders may still be there; and what refers to a run or a request is found without a search."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column, PrimaryKeyConstraint

revision = "0007"
down_revision = "0006"

WORDS = sa.TEXT().with_variant(sa.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "leftovers",
        Column("run", WORDS, nullable=False),
        Column("pipeline", WORDS, nullable=False),
        PrimaryKeyConstraint("run", name="pk_leftovers"),
    )
    op.create_index("ix_requests_run", "requests", ["run"])
    op.create_index("ix_backfill_items_run", "backfill_items", ["run"])
    op.create_index("ix_backfill_items_request", "backfill_items", ["request"])
    op.create_index("ix_runs_manifest", "runs", ["manifest"])
    op.create_index("ix_runs_frozen_pipeline", "runs", ["frozen_pipeline"])
