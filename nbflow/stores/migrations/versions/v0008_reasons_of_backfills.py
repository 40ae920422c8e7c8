"""Who brought a backfill to its state, when and why; so far only the change log had it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column

revision = "0008"
down_revision = "0007"

WORDS = sa.TEXT().with_variant(sa.TEXT(collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True)

LAST_CHANGES = """
UPDATE backfills SET changed_at = last.at, changed_by = last."by", reason = last.note
FROM changes AS last
WHERE last.seq IN (SELECT max(seq) FROM changes WHERE before IS NOT NULL GROUP BY backfill)
AND last.backfill = backfills.id
"""


def upgrade() -> None:
    op.add_column("backfills", Column("changed_at", INSTANT))
    op.add_column("backfills", Column("changed_by", WORDS))
    op.add_column("backfills", Column("reason", WORDS))
    op.execute(LAST_CHANGES)
