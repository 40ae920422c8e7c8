"""The leader, the pipelines as they were seen, skipped ticks, backfills; and changes that concern no run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint

revision = "0002"
down_revision = "0001"

WORDS = sa.TEXT().with_variant(sa.TEXT(collation="C"), "postgresql")
WORD = sa.VARCHAR(32)
INSTANT = sa.DateTime(timezone=True)
SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _changes()
    _leaders()
    _pipelines()
    _backfills()


def _changes() -> None:
    # SQLite changes a column by making the table anew, which would forget that numbers are never given twice.
    with op.batch_alter_table("changes", table_kwargs={"sqlite_autoincrement": True}) as changes:
        changes.alter_column("run", existing_type=WORDS, nullable=True)
        changes.add_column(Column("backfill", sa.Integer))


def _leaders() -> None:
    op.create_table(
        "leaders",
        Column("one", sa.Integer, nullable=False, autoincrement=False),
        Column("engine", WORDS),
        Column("epoch", sa.Integer, nullable=False),
        Column("expires", INSTANT),
        PrimaryKeyConstraint("one", name="pk_leaders"),
        CheckConstraint("one = 1", name="ck_leaders_one"),
        CheckConstraint("(engine IS NULL) = (expires IS NULL)", name="ck_leaders_leader_is_whole"),
    )


def _pipelines() -> None:
    op.create_table(
        "pipelines",
        Column("pipeline", WORDS, nullable=False),
        Column("first_seen", INSTANT, nullable=False),
        Column("cursor", INSTANT, nullable=False),
        Column("path", WORDS, nullable=False),
        Column("is_removed", sa.Boolean, nullable=False),
        Column("paused_at", INSTANT),
        Column("paused_by", WORDS),
        Column("note", WORDS),
        Column("manifest", WORDS),
        Column("frozen_pipeline", WORDS),
        PrimaryKeyConstraint("pipeline", name="pk_pipelines"),
        ForeignKeyConstraint(["manifest"], ["manifests.sha256"], name="fk_pipelines_manifest"),
        ForeignKeyConstraint(["frozen_pipeline"], ["frozen_pipelines.sha256"], name="fk_pipelines_frozen_pipeline"),
        CheckConstraint("(manifest IS NULL) = (frozen_pipeline IS NULL)", name="ck_pipelines_manifest_is_whole"),
    )
    op.create_table(
        "skips",
        Column("id", SERIAL, nullable=False),
        Column("pipeline", WORDS, nullable=False),
        Column("first", INSTANT, nullable=False),
        Column("last", INSTANT, nullable=False),
        Column("reason", WORDS, nullable=False),
        Column("at", INSTANT, nullable=False),
        PrimaryKeyConstraint("id", name="pk_skips"),
        ForeignKeyConstraint(["pipeline"], ["pipelines.pipeline"], name="fk_skips_pipeline"),
    )
    op.create_index("ix_skips_pipeline_id", "skips", ["pipeline", "id"])


def _backfills() -> None:
    op.create_table(
        "backfills",
        Column("id", SERIAL, nullable=False),
        Column("pipeline", WORDS, nullable=False),
        Column("start", sa.Date, nullable=False),
        Column("end", sa.Date, nullable=False),
        Column("is_reverse", sa.Boolean, nullable=False),
        Column("max_active", sa.Integer, nullable=False),
        Column("reprocess", WORDS, nullable=False),
        Column("state", WORD, nullable=False),
        Column("created_at", INSTANT, nullable=False),
        Column("created_by", WORDS, nullable=False),
        Column("note", WORDS),
        PrimaryKeyConstraint("id", name="pk_backfills"),
        CheckConstraint("state IN ('running', 'paused', 'cancelled', 'done')", name="ck_backfills_state"),
        CheckConstraint("max_active >= 1", name="ck_backfills_max_active"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "backfill_items",
        Column("backfill", SERIAL, nullable=False),
        Column("position", sa.Integer, nullable=False, autoincrement=False),
        Column("logical_date", INSTANT, nullable=False),
        Column("run_date", sa.Date, nullable=False),
        Column("action", WORD),
        Column("run", WORDS),
        Column("request", SERIAL),
        Column("reason", WORDS, nullable=False),
        PrimaryKeyConstraint("backfill", "position", name="pk_backfill_items"),
        ForeignKeyConstraint(["backfill"], ["backfills.id"], name="fk_backfill_items_backfill"),
        ForeignKeyConstraint(["run"], ["runs.id"], name="fk_backfill_items_run"),
        ForeignKeyConstraint(["request"], ["requests.id"], name="fk_backfill_items_request"),
        UniqueConstraint("backfill", "logical_date", name="uq_backfill_items_backfill_logical_date"),
        CheckConstraint("action IN ('create', 'reset', 'pass')", name="ck_backfill_items_action"),
    )
    _partial_index("ix_backfill_items_waiting", "backfill_items", ["backfill", "position"], "action IS NULL")


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
