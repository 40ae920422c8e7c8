"""Figures of the whole installation."""

from __future__ import annotations

from collections import Counter

from nbflow.api.bound import Bound
from nbflow.api.roles import Role, needs
from nbflow.api.views import Figures
from nbflow.pools import taken
from nbflow.ports import age_of_sign


class Health(Bound):
    """Reads for those who watch over nbflow itself."""

    @needs(Role.VIEWER)
    def figures(self) -> Figures:
        """What was counted, what has not ended, who holds the pools, and how old the scheduler's heartbeat is."""
        leader = self._store.leader()
        age = age_of_sign(leader, self._store.now(self._clock.now())) if leader else None
        runs, tasks = self._store.unfinished_counts()
        return Figures(
            tallies=self._store.tallies(),
            runs=Counter(runs),
            tasks=Counter(tasks),
            pools=self._pools,
            taken=taken(self._store.pool_holders()),
            slots=self._slots,
            heartbeat=age,
        )
