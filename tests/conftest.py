"""What all tests share: readable assertions in helpers, before anything imports them; time for property tests."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("nbflow.testing", "sql_contract", "schedulers")

settings.register_profile("nbflow", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nbflow")
