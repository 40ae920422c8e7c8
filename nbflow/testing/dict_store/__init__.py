"""A store in plain dicts, for tests of what stands above a store. Deterministic, and for one thread."""

from nbflow.testing.dict_store.backfills import Backfills
from nbflow.testing.dict_store.history import History
from nbflow.testing.dict_store.housekeeping import Housekeeping
from nbflow.testing.dict_store.leases import Leases
from nbflow.testing.dict_store.outbox import Outbox
from nbflow.testing.dict_store.people import People
from nbflow.testing.dict_store.schedules import Schedules

__all__ = ["DictStore"]


class DictStore(Schedules, Backfills, Leases, History, People, Outbox, Housekeeping):
    """Every side of a store (see nbflow.ports)."""
