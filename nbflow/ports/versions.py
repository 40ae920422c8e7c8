"""The door to version control: what a saved manifest is committed with."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Versions(Protocol):
    """One version control. Every call is bounded in time, and none asks anybody anything."""

    def branch(self, path: Path) -> str | None:
        """What a commit of the file would go to, as a person calls it; None where it cannot be committed."""
        ...

    def commit(self, path: Path, message: str, by: str) -> str:
        """Commit this file and nothing else; returns what the commit is called.

        Raises Unavailable with the reason; file, index and history are then what they were.
        """
        ...
