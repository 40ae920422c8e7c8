"""People are told of backfills that were paused for a fault: one more kind of message."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

KINDS = "'failed', 'recovered', 'missed', 'skipped', 'paused', 'late', 'overrun', 'restarted'"


def upgrade() -> None:
    with op.batch_alter_table("outbox", table_kwargs={"sqlite_autoincrement": True}) as outbox:
        outbox.drop_constraint("ck_outbox_kind", type_="check")
        outbox.create_check_constraint("ck_outbox_kind", f"kind IN ({KINDS})")
