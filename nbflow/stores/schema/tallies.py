"""Counts that are kept for ever, whatever becomes of the runs (nbflow.tally)."""

from __future__ import annotations

from sqlalchemy import Column, Double, Table

from nbflow.stores.columns import Words
from nbflow.stores.schema.base import metadata

tallies = Table(
    "tallies",
    metadata,
    Column("name", Words, primary_key=True),
    Column("pipeline", Words, primary_key=True),
    Column("word", Words, primary_key=True),
    Column("cause", Words, primary_key=True),
    Column("value", Double, nullable=False),
)
