"""Runs, their task runs and attempts, what was changed, and what was asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, PrimaryKeyConstraint, UniqueConstraint

revision = "0001"
down_revision = None

WORDS = sa.TEXT().with_variant(sa.TEXT(collation="C"), "postgresql")
WORD = sa.VARCHAR(32)
JSON = sa.TEXT()
INSTANT = sa.DateTime(timezone=True)
SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")

CAUSES = "'error', 'timeout', 'kernel_died', 'kernel_start', 'lost', 'storage', 'invalid', 'cancelled'"
RUN_STATES = "'queued', 'running', 'success', 'failed', 'cancelled'"
TASK_STATES = (
    "'waiting', 'queued', 'running', 'retry_wait', 'success', 'failed', 'upstream_failed', 'skipped', 'cancelled'"
)
ATTEMPT_STATES = "'queued', 'running', 'success', 'failed', 'skipped', 'cancelled', 'lost'"
UNFINISHED = "state IN ('queued', 'running')"


def upgrade() -> None:
    _texts()
    _runs()
    _task_runs()
    _attempts()
    _changes()
    _requests()


def _texts() -> None:
    op.create_table(
        "manifests",
        Column("sha256", WORDS, nullable=False),
        Column("text", WORDS, nullable=False),
        PrimaryKeyConstraint("sha256", name="pk_manifests"),
    )
    op.create_table(
        "frozen_pipelines",
        Column("sha256", WORDS, nullable=False),
        Column("document", WORDS, nullable=False),
        PrimaryKeyConstraint("sha256", name="pk_frozen_pipelines"),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        Column("id", WORDS, nullable=False),
        Column("pipeline", WORDS, nullable=False),
        Column("run_key", WORDS, nullable=False),
        Column("kind", WORD, nullable=False),
        Column("state", WORD, nullable=False),
        Column("manifest", WORDS, nullable=False),
        Column("frozen_pipeline", WORDS, nullable=False),
        Column("params", JSON, nullable=False),
        Column("logical_date", INSTANT, nullable=False),
        Column("run_date", sa.Date, nullable=False),
        Column("interval_start", INSTANT, nullable=False),
        Column("interval_end", INSTANT, nullable=False),
        Column("created_at", INSTANT, nullable=False),
        Column("created_by", WORDS, nullable=False),
        Column("started_at", INSTANT),
        Column("ended_at", INSTANT),
        Column("lent", JSON, nullable=False),
        Column("version", sa.Integer, nullable=False),
        Column("owner", WORDS),
        Column("epoch", sa.Integer, nullable=False),
        Column("lease_expires", INSTANT),
        PrimaryKeyConstraint("id", name="pk_runs"),
        UniqueConstraint("pipeline", "run_key", name="uq_runs_pipeline_run_key"),
        ForeignKeyConstraint(["manifest"], ["manifests.sha256"], name="fk_runs_manifest"),
        ForeignKeyConstraint(["frozen_pipeline"], ["frozen_pipelines.sha256"], name="fk_runs_frozen_pipeline"),
        CheckConstraint("kind IN ('scheduled', 'manual', 'backfill')", name="ck_runs_kind"),
        CheckConstraint(f"state IN ({RUN_STATES})", name="ck_runs_state"),
        CheckConstraint("(owner IS NULL) = (lease_expires IS NULL)", name="ck_runs_lease_is_whole"),
    )
    op.create_index("ix_runs_created_at_id", "runs", ["created_at", "id"])
    op.create_index("ix_runs_pipeline_created_at_id", "runs", ["pipeline", "created_at", "id"])
    _partial_index("ix_runs_unfinished", "runs", ["created_at", "id"], UNFINISHED)
    _partial_index("ix_runs_owner", "runs", ["owner"], "owner IS NOT NULL")


def _task_runs() -> None:
    op.create_table(
        "task_runs",
        Column("run", WORDS, nullable=False),
        Column("task", WORDS, nullable=False),
        Column("item", sa.Integer, nullable=False, autoincrement=False),
        Column("state", WORD, nullable=False),
        Column("notebook", JSON, nullable=False),
        Column("cause", WORD),
        Column("reason", WORDS, nullable=False),
        Column("by_rule", sa.Boolean, nullable=False),
        Column("set_by", WORDS),
        Column("note", WORDS),
        Column("outputs", JSON, nullable=False),
        Column("params", JSON),
        Column("failures", sa.Integer, nullable=False),
        Column("strikes", sa.Integer, nullable=False),
        Column("attempts", sa.Integer, nullable=False),
        Column("then", WORD),
        Column("not_before", INSTANT),
        Column("started_at", INSTANT),
        Column("ended_at", INSTANT),
        Column("pool", WORDS),
        Column("pool_slots", sa.Integer, nullable=False),
        PrimaryKeyConstraint("run", "task", "item", name="pk_task_runs"),
        ForeignKeyConstraint(["run"], ["runs.id"], name="fk_task_runs_run"),
        CheckConstraint(f"state IN ({TASK_STATES})", name="ck_task_runs_state"),
        CheckConstraint(f"cause IN ({CAUSES})", name="ck_task_runs_cause"),
        CheckConstraint(f'"then" IN ({TASK_STATES})', name="ck_task_runs_then"),
        CheckConstraint("item >= -1", name="ck_task_runs_item"),
        CheckConstraint("pool_slots >= 1", name="ck_task_runs_pool_slots"),
    )


def _attempts() -> None:
    op.create_table(
        "attempts",
        Column("id", WORDS, nullable=False),
        Column("run", WORDS, nullable=False),
        Column("task", WORDS, nullable=False),
        Column("item", sa.Integer, nullable=False),
        Column("number", sa.Integer, nullable=False),
        Column("token", WORDS, nullable=False),
        Column("state", WORD, nullable=False),
        Column("notebook", WORDS, nullable=False),
        Column("created_at", INSTANT, nullable=False),
        Column("cause", WORD),
        Column("reason", WORDS, nullable=False),
        Column("error", JSON),
        Column("failing_cell", sa.Integer),
        Column("signal", sa.Integer),
        Column("exit_code", sa.BigInteger),
        Column("peak_memory", sa.BigInteger),
        Column("kernel_start", WORDS),
        Column("host", WORDS, nullable=False),
        Column("started_at", INSTANT),
        Column("ended_at", INSTANT),
        PrimaryKeyConstraint("id", name="pk_attempts"),
        ForeignKeyConstraint(
            ["run", "task", "item"],
            ["task_runs.run", "task_runs.task", "task_runs.item"],
            name="fk_attempts_run_task_item",
        ),
        UniqueConstraint("run", "task", "item", "number", name="uq_attempts_run_task_item_number"),
        UniqueConstraint("token", name="uq_attempts_token"),
        CheckConstraint(f"state IN ({ATTEMPT_STATES})", name="ck_attempts_state"),
        CheckConstraint(f"cause IN ({CAUSES})", name="ck_attempts_cause"),
        CheckConstraint("number >= 1", name="ck_attempts_number"),
    )
    _partial_index("uq_attempts_live", "attempts", ["run", "task", "item"], UNFINISHED, unique=True)


def _changes() -> None:
    op.create_table(
        "changes",
        Column("seq", SERIAL, nullable=False),
        Column("at", INSTANT, nullable=False),
        Column("run", WORDS, nullable=False),
        Column("pipeline", WORDS, nullable=False),
        Column("event", WORDS, nullable=False),
        Column("task", WORDS),
        Column("item", sa.Integer, nullable=False),
        Column("attempt", sa.Integer),
        Column("before", WORDS),
        Column("after", WORDS),
        Column("by", WORDS),
        Column("note", WORDS),
        PrimaryKeyConstraint("seq", name="pk_changes"),
        ForeignKeyConstraint(["run"], ["runs.id"], name="fk_changes_run"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_changes_run_seq", "changes", ["run", "seq"])


def _requests() -> None:
    op.create_table(
        "requests",
        Column("id", SERIAL, nullable=False),
        Column("run", WORDS, nullable=False),
        Column("at", INSTANT, nullable=False),
        Column("request", JSON, nullable=False),
        Column("answer", WORDS),
        PrimaryKeyConstraint("id", name="pk_requests"),
        ForeignKeyConstraint(["run"], ["runs.id"], name="fk_requests_run"),
        sqlite_autoincrement=True,
    )
    _partial_index("ix_requests_open", "requests", ["run"], "answer IS NULL")


def _partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
