"""What all tests share: readable assertions in helpers, a PostgreSQL server, profiles of property tests."""

from __future__ import annotations

import signal

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["postgres_server"]
pytest.register_assert_rewrite("nbflow.testing", "sql_contract", "schedulers", "drawn")  # before anything imports them
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it,
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and what nohup starts this one

settings.register_profile("nbflow", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeated", settings.get_profile("nbflow"), derandomize=True)
settings.load_profile("nbflow")
