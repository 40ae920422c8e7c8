"""What all tests share: property tests may take the time that a busy machine takes."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("nbflow", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nbflow")
