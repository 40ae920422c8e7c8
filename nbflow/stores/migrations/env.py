"""Run the migrations on the connection, and in the transaction, of whoever opens the database."""

from __future__ import annotations

from alembic import context

from nbflow.stores.migrations import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
