"""What the contract suites share: readable assertions in the shipped suites, and a PostgreSQL server."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("nbflow.testing", "sql_contract")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("postgres_server")
