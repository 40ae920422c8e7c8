"""The dict store does what every store does."""

from __future__ import annotations

import pytest

from nbflow.testing.dict_store import DictStore
from nbflow.testing.store_contract import StoreContract


class TestDictStore(StoreContract):
    @pytest.fixture
    def store(self) -> DictStore:
        return DictStore()
