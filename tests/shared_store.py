"""The store in dicts behind a server: the threads that answer, and the test itself, use it one at a time."""

from __future__ import annotations

from functools import wraps
from threading import RLock
from typing import Any

from nbflow.testing.dict_store import DictStore


class SharedStore(DictStore):
    """Each verb is whole before the next one begins, as on a database."""

    def __init__(self) -> None:
        self._turn = RLock()
        super().__init__()

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or not callable(found):
            return found

        @wraps(found)
        def in_turn(*given: Any, **about: Any) -> Any:
            with self._turn:
                return found(*given, **about)

        return in_turn
