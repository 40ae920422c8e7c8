"""Who leads."""

from __future__ import annotations

from datetime import datetime, timedelta

from nbflow.errors import Conflict, LeaseLost
from nbflow.ports import Leader
from nbflow.testing.dict_store.kept import Kept


class Leaders(Kept):
    def now(self, local: datetime) -> datetime:
        return local

    def lead(self, engine: str, *, now: datetime, ttl: timedelta, instead_of: str | None = None) -> Leader:
        held = self._leader
        stays = held is not None and held.engine == engine
        if held and not stays and now < held.expires and held.engine != instead_of:
            raise Conflict(f"{held.engine} leads until {held.expires:%H:%M:%S} UTC")
        self._leader_epoch += not stays
        self._leader = Leader(engine=engine, epoch=self._leader_epoch, expires=now + ttl)
        return self._leader

    def resign(self, leader: Leader) -> None:
        if self._leads(leader):
            self._leader = None

    def leader(self) -> Leader | None:
        return self._leader

    def _leads(self, leader: Leader) -> bool:
        held = self._leader
        return held is not None and (held.engine, held.epoch) == (leader.engine, leader.epoch)

    def _require(self, leader: Leader) -> None:
        if not self._leads(leader):
            raise LeaseLost(f"{leader.engine} does not lead any more")
