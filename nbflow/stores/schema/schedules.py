"""The leader, the pipelines as they were seen, skipped ticks, backfills and their ticks."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    Table,
    UniqueConstraint,
)

from nbflow.backfill import BackfillState, ItemAction
from nbflow.stores.columns import Instant, Words, one_of
from nbflow.stores.schema.base import SERIAL, is_one_of, metadata, partial_index
from nbflow.stores.schema.runs import frozen_pipelines, manifests, requests, runs

# One row, also while nobody leads: an epoch is never given twice.
leaders = Table(
    "leaders",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("engine", Words),
    Column("epoch", Integer, nullable=False),
    Column("expires", Instant),
    CheckConstraint("one = 1", name="one"),
    CheckConstraint("(engine IS NULL) = (expires IS NULL)", name="leader_is_whole"),
)

pipelines = Table(
    "pipelines",
    metadata,
    Column("pipeline", Words, primary_key=True),
    Column("first_seen", Instant, nullable=False),
    Column("cursor", Instant, nullable=False),
    Column("path", Words, nullable=False),
    Column("is_removed", Boolean, nullable=False),
    Column("paused_at", Instant),
    Column("paused_by", Words),
    Column("note", Words),
    # The last usable manifest; both are null before the first.
    Column("manifest", ForeignKey(manifests.c.sha256)),
    Column("frozen_pipeline", ForeignKey(frozen_pipelines.c.sha256)),
    CheckConstraint("(manifest IS NULL) = (frozen_pipeline IS NULL)", name="manifest_is_whole"),
)

skips = Table(
    "skips",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("pipeline", ForeignKey(pipelines.c.pipeline), nullable=False),
    Column("first", Instant, nullable=False),
    Column("last", Instant, nullable=False),
    Column("reason", Words, nullable=False),
    Column("at", Instant, nullable=False),
)
Index(None, skips.c.pipeline, skips.c.id)

backfills = Table(
    "backfills",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("pipeline", Words, nullable=False),
    Column("start", Date, nullable=False),
    Column("end", Date, nullable=False),
    Column("is_reverse", Boolean, nullable=False),
    Column("max_active", Integer, nullable=False),
    Column("reprocess", Words, nullable=False),
    Column("state", one_of(BackfillState, "state"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Words, nullable=False),
    Column("note", Words),
    Column("changed_at", Instant),
    Column("changed_by", Words),
    Column("reason", Words),
    CheckConstraint("max_active >= 1", name="max_active"),
    sqlite_autoincrement=True,
)
ACTIVE = is_one_of(backfills.c.state, frozenset(state for state in BackfillState if state.is_active))

backfill_items = Table(
    "backfill_items",
    metadata,
    Column("backfill", ForeignKey(backfills.c.id), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("logical_date", Instant, nullable=False),
    Column("run_date", Date, nullable=False),
    Column("action", one_of(ItemAction, "action")),
    Column("run", ForeignKey(runs.c.id)),
    # What was asked of the run: until it is answered, the run has not begun anew.
    Column("request", ForeignKey(requests.c.id)),
    Column("reason", Words, nullable=False),
    UniqueConstraint("backfill", "logical_date"),
)
Index(None, backfill_items.c.run)
Index(None, backfill_items.c.request)
WAITING = backfill_items.c.action.is_(None)
partial_index("ix_backfill_items_waiting", backfill_items.c.backfill, backfill_items.c.position, where=WAITING)
