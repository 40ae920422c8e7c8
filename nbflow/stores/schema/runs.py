"""Runs, their task runs and attempts, what was changed, and what was asked."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    UniqueConstraint,
)

from nbflow.model import FrozenNotebook
from nbflow.run import ErrorInfo, Request
from nbflow.states import ATTEMPT_LIVE, RUN_TERMINAL, AttemptState, Cause, RunKind, RunState, TaskState
from nbflow.stores.columns import Instant, Item, Json, Words, one_of
from nbflow.stores.schema.base import JSON_OBJECT, SERIAL, is_one_of, metadata, partial_index

manifests = Table(
    "manifests",
    metadata,
    Column("sha256", Words, primary_key=True),
    Column("text", Words, nullable=False),
)

# Apart from the manifests: `--task` and a newer nbflow make another pipeline of the same text.
frozen_pipelines = Table(
    "frozen_pipelines",
    metadata,
    Column("sha256", Words, primary_key=True),
    Column("document", Words, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Words, primary_key=True),
    Column("pipeline", Words, nullable=False),
    Column("run_key", Words, nullable=False),
    Column("kind", one_of(RunKind, "kind"), nullable=False),
    Column("state", one_of(RunState, "state"), nullable=False),
    Column("manifest", ForeignKey(manifests.c.sha256), nullable=False),
    Column("frozen_pipeline", ForeignKey(frozen_pipelines.c.sha256), nullable=False),
    Column("params", JSON_OBJECT, nullable=False),
    Column("logical_date", Instant, nullable=False),
    Column("run_date", Date, nullable=False),
    Column("interval_start", Instant, nullable=False),
    Column("interval_end", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Words, nullable=False),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("alerted_at", Instant),
    Column("lent", Json(dict[str, dict[str, Any]]), nullable=False),
    Column("version", Integer, nullable=False),
    Column("owner", Words),
    Column("epoch", Integer, nullable=False),
    Column("lease_expires", Instant),
    UniqueConstraint("pipeline", "run_key"),
    CheckConstraint("(owner IS NULL) = (lease_expires IS NULL)", name="lease_is_whole"),
)
UNFINISHED = is_one_of(runs.c.state, frozenset(RunState) - RUN_TERMINAL)
Index(None, runs.c.created_at, runs.c.id)
Index(None, runs.c.manifest)
Index(None, runs.c.frozen_pipeline)
Index(None, runs.c.pipeline, runs.c.created_at, runs.c.id)
Index(None, runs.c.state, runs.c.created_at, runs.c.id)
partial_index("ix_runs_owner", runs.c.owner, where=runs.c.owner.is_not(None))

task_runs = Table(
    "task_runs",
    metadata,
    Column("run", ForeignKey(runs.c.id), primary_key=True),
    Column("task", Words, primary_key=True),
    Column("item", Item, primary_key=True, autoincrement=False),
    Column("state", one_of(TaskState, "state"), nullable=False),
    Column("notebook", Json(FrozenNotebook), nullable=False),
    Column("cause", one_of(Cause, "cause")),
    Column("reason", Words, nullable=False),
    Column("by_rule", Boolean, nullable=False),
    Column("set_by", Words),
    Column("note", Words),
    Column("outputs", JSON_OBJECT, nullable=False),
    Column("params", JSON_OBJECT),
    Column("failures", Integer, nullable=False),
    Column("strikes", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("then", one_of(TaskState, "then")),
    Column("not_before", Instant),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    # Copied from the frozen pipeline, which never changes: pools are counted without reading a document.
    Column("pool", Words),
    Column("pool_slots", Integer, nullable=False),
    CheckConstraint("item >= -1", name="item"),
    CheckConstraint("pool_slots >= 1", name="pool_slots"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Words, primary_key=True),
    Column("run", Words, nullable=False),
    Column("task", Words, nullable=False),
    Column("item", Item, nullable=False),
    Column("number", Integer, nullable=False),
    Column("token", Words, nullable=False, unique=True),
    Column("state", one_of(AttemptState, "state"), nullable=False),
    Column("notebook", Words, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("cause", one_of(Cause, "cause")),
    Column("reason", Words, nullable=False),
    Column("error", Json(ErrorInfo)),
    Column("failing_cell", Integer),
    Column("signal", Integer),
    Column("exit_code", BigInteger),
    Column("peak_memory", BigInteger),
    Column("kernel_start", Words),
    Column("host", Words, nullable=False),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    ForeignKeyConstraint(["run", "task", "item"], ["task_runs.run", "task_runs.task", "task_runs.item"]),
    UniqueConstraint("run", "task", "item", "number"),
    CheckConstraint("number >= 1", name="number"),
)
LIVE = is_one_of(attempts.c.state, ATTEMPT_LIVE)
partial_index("uq_attempts_live", attempts.c.run, attempts.c.task, attempts.c.item, where=LIVE, unique=True)

changes = Table(
    "changes",
    metadata,
    Column("seq", SERIAL, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("run", ForeignKey(runs.c.id)),
    Column("pipeline", Words, nullable=False),
    Column("event", Words, nullable=False),
    Column("task", Words),
    Column("item", Item, nullable=False),
    Column("attempt", Integer),
    Column("backfill", Integer),
    Column("before", Words),
    Column("after", Words),
    Column("by", Words),
    Column("note", Words),
    # A number is never given twice, also when the newest rows are removed: readers remember the last one they saw.
    sqlite_autoincrement=True,
)
Index(None, changes.c.run, changes.c.seq)

requests = Table(
    "requests",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("run", ForeignKey(runs.c.id), nullable=False),
    Column("at", Instant, nullable=False),
    Column("request", Json(Request), nullable=False),
    Column("answer", Words),
    sqlite_autoincrement=True,
)
Index(None, requests.c.run)
partial_index("ix_requests_open", requests.c.run, where=requests.c.answer.is_(None))
