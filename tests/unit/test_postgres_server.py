"""Tests that need PostgreSQL may be passed over on a laptop, and never in CI."""

from __future__ import annotations

import pytest
from postgres_server import refuse


def test_is_skipped_on_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception):
        refuse()


def test_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception):
        refuse()
