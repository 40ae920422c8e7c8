"""Drafts without a disk."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from nbflow.manifest.edit import Draft


class DictDrafts:
    """Keeps the contract of `ports.Drafts`, but for the end of the process."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Draft] = {}
        self._turn = Lock()

    def get(self, file: str, person: str) -> Draft | None:
        return self._kept.get((file, person))

    def change(self, file: str, person: str, edit: Callable[[Draft | None], Draft]) -> Draft:
        with self._turn:
            draft = edit(self.get(file, person))
            self._kept[file, person] = draft
            return draft

    def remove(self, file: str, person: str) -> None:
        self._kept.pop((file, person), None)

    def edition(self, file: str) -> object:
        return {person: draft.version for (name, person), draft in self._kept.items() if name == file}
