"""The tables, for SQLite and PostgreSQL alike. What may never happen is refused here, not only avoided in code.

A change here needs a migration beside it; a test compares the two.
"""

from nbflow.stores.schema.base import metadata
from nbflow.stores.schema.leftovers import leftovers
from nbflow.stores.schema.outbox import SENT, UNSENT, outbox
from nbflow.stores.schema.people import tokens, users
from nbflow.stores.schema.runs import (
    LIVE,
    UNFINISHED,
    attempts,
    changes,
    frozen_pipelines,
    manifests,
    requests,
    runs,
    task_runs,
)
from nbflow.stores.schema.schedules import ACTIVE, WAITING, backfill_items, backfills, leaders, pipelines, skips
from nbflow.stores.schema.tallies import tallies

__all__ = [
    "ACTIVE",
    "LIVE",
    "SENT",
    "UNFINISHED",
    "UNSENT",
    "WAITING",
    "attempts",
    "backfill_items",
    "backfills",
    "changes",
    "frozen_pipelines",
    "leaders",
    "leftovers",
    "manifests",
    "metadata",
    "outbox",
    "pipelines",
    "requests",
    "runs",
    "skips",
    "tallies",
    "task_runs",
    "tokens",
    "users",
]
