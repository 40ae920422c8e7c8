"""What the contract suites share: a PostgreSQL server."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("postgres_server")
