"""What the acceptance tests share: readable assertions in helpers, and a PostgreSQL server."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("schedulers")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("postgres_server")
