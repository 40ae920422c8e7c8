"""What is no longer kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nbflow.api.bound import Bound
from nbflow.api.roles import Role, needs
from nbflow.errors import Conflict
from nbflow.housekeeping import Housekeeper, Removed
from nbflow.model import PipelineName, RunId


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

    def _keeper(self) -> Housekeeper:
        if self._housekeeper is None:
            raise Conflict("nothing is removed by this process", hint="Call nbflow prune.")
        return self._housekeeper
