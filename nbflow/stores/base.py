"""What the sides of a store share."""

from __future__ import annotations

from nbflow.stores.database import Database


class SqlSide:
    """Verbs on one database; SqlStore puts the sides together."""

    _database: Database
