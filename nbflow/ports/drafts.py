"""The door to drafts: manifests that people are editing and have not saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # what edits manifests is loaded where one is edited
    from nbflow.manifest.edit import Draft


class Drafts(Protocol):
    """One draft for each person and manifest, which is named by its path from the project: that outlives its pipeline's
    name. What `change` returned survives the end of the process.
    """

    def get(self, file: str, person: str) -> Draft | None:
        """Raises Unavailable where what is kept cannot be read."""
        ...

    def change(self, file: str, person: str, edit: Callable[[Draft | None], Draft]) -> Draft:
        """Put what `edit` makes of the draft in its place, one caller after the other; what it raises passes.

        Raises Unavailable where it cannot be kept; the draft is then what it was.
        """
        ...

    def remove(self, file: str, person: str) -> None:
        """Forget it, also one that cannot be read."""
        ...

    def edition(self, file: str) -> object:
        """Equal to the last one as long as no draft of the manifest has changed; cheap."""
        ...
