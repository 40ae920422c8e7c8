"""Runs of a state, found and counted without a look at all the others."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.drop_index("ix_runs_unfinished", "runs")
    op.create_index("ix_runs_state_created_at_id", "runs", ["state", "created_at", "id"])
