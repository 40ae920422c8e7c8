"""Who owns which run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from nbflow.errors import Conflict
from nbflow.model import RunId
from nbflow.ports import Lease
from nbflow.testing.dict_store.kept import Kept, Record


class Leases(Kept):
    def claim(self, run: RunId, engine: str, *, now: datetime, ttl: timedelta, instead_of: str | None = None) -> Lease:
        record = self._record(run)
        held = record.lease
        if held and held.engine not in {engine, instead_of} and now < held.expires:
            raise Conflict(f"run {run} is owned by {held.engine} until {held.expires:%H:%M:%S} UTC")
        lease = Lease(run=run, engine=engine, epoch=record.epoch + 1, expires=now + ttl)
        self._keep(replace(record, lease=lease, epoch=lease.epoch))
        return lease

    def renew(self, engine: str, *, now: datetime, ttl: timedelta) -> Collection[RunId]:
        own = set()
        for record in self._active_records():
            if record.lease and record.lease.engine == engine:
                self._keep(replace(record, lease=replace(record.lease, expires=now + ttl)))
                own.add(record.run.id)
        return own

    def release(self, lease: Lease) -> None:
        record = self._records.get(lease.run)
        if record and is_held_by(record, lease):
            self._keep(replace(record, lease=None))

    def owned(self) -> Sequence[Lease]:
        return [lease for record in self._active_records() if (lease := record.lease_of_unfinished)]

    def lease(self, run: RunId) -> Lease | None:
        return next((lease for lease in self.owned() if lease.run == run), None)


def is_held_by(record: Record, lease: Lease) -> bool:
    held = record.lease
    return held is not None and (held.engine, held.epoch) == (lease.engine, lease.epoch)
