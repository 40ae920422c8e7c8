"""Runs that were removed, whose folders may still be there."""

from __future__ import annotations

from sqlalchemy import Column, Table

from nbflow.stores.columns import Words
from nbflow.stores.schema.base import metadata

leftovers = Table(
    "leftovers",
    metadata,
    Column("run", Words, primary_key=True),
    Column("pipeline", Words, nullable=False),
)
