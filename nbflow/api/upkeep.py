"""What is no longer kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nbflow.api.bound import Bound
from nbflow.api.roles import Role, needs
from nbflow.errors import Conflict
from nbflow.model import PipelineName, RunId
from nbflow.ports.housekeeping import BackupContent, Backups

if TYPE_CHECKING:
    from nbflow.housekeeping import Housekeeper, Removed


class Upkeep(Bound):
    """Reads and commands of housekeeping."""

    @needs(Role.ADMIN)
    def preview_prune(self) -> Mapping[PipelineName, Sequence[RunId]]:
        """The runs that `prune` would remove, oldest first, by pipeline."""
        return self._keeper().preview(self._clock.now())

    @needs(Role.ADMIN)
    def prune(self) -> Removed:
        """Remove the runs that are no longer kept, with their notebooks and logs."""
        return self._keeper().prune(self._clock.now())

    @needs(Role.ADMIN)
    def backup(self, path: Path) -> BackupContent:
        """Write the whole history to a file, while work goes on."""
        return self._vault().write(path)

    @needs(Role.ADMIN)
    def restore(self, path: Path) -> BackupContent:
        """Fill an empty database, and the folders, from a backup."""
        return self._vault().restore(path)

    def _vault(self) -> Backups:
        if self._backups is None:
            raise Conflict("nothing is backed up by this process", hint="Call nbflow db backup.")
        return self._backups

    def _keeper(self) -> Housekeeper:
        if self._housekeeper is None:
            raise Conflict("nothing is removed by this process", hint="Call nbflow prune.")
        return self._housekeeper
