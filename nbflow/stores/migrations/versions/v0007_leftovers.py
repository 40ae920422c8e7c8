"""Removed runs whose folders may still be there; what refers to a run or a request is found without a search.

`keep` of a frozen pipeline becomes an age and a count; it was an age alone, or null.
"""

from __future__ import annotations

import json

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
    _keep_is_two()


def _keep_is_two() -> None:
    pipelines = sa.table("frozen_pipelines", sa.column("sha256"), sa.column("document"))
    connection = op.get_bind()
    for sha256, text in connection.execute(sa.select(pipelines.c.sha256, pipelines.c.document)).all():
        document = json.loads(text)
        if "keep" in document and not isinstance(document["keep"], dict):
            document["keep"] = {"runs": document["keep"]}
            kept = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
            connection.execute(sa.update(pipelines).where(pipelines.c.sha256 == sha256).values(document=kept))
