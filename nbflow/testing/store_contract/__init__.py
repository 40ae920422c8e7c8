"""What every store does, as tests: subclass `StoreContract` and give it a fixture `store`."""

from __future__ import annotations

import pytest

from nbflow.testing.samples import Store
from nbflow.testing.store_contract.attempts import Attempts, Pools
from nbflow.testing.store_contract.backfills import BackfillItems, Backfills, BackfillStates
from nbflow.testing.store_contract.decisions import Decisions
from nbflow.testing.store_contract.firing import Firing
from nbflow.testing.store_contract.history import FindRun, History
from nbflow.testing.store_contract.housekeeping import HousekeepingContract
from nbflow.testing.store_contract.leaders import Leaders
from nbflow.testing.store_contract.leases import Leases
from nbflow.testing.store_contract.listing import Listing
from nbflow.testing.store_contract.looking import everything, refused
from nbflow.testing.store_contract.outbox import OutboxContract
from nbflow.testing.store_contract.pausing import Pausing
from nbflow.testing.store_contract.people import People, Tokens
from nbflow.testing.store_contract.requests import Requests
from nbflow.testing.store_contract.runs import NewRuns
from nbflow.testing.store_contract.standings import Standings
from nbflow.testing.store_contract.tallies import Tallies

__all__ = ["StoreContract", "everything", "refused"]


class RunStoreContract(NewRuns, Decisions, Attempts, Pools, Leases, Requests, FindRun, Listing, History, Tallies):
    """Every behaviour of ports.RunStore and ports.ReadStore."""


class ScheduleStoreContract(Leaders, Standings, Firing, Pausing, Backfills, BackfillStates, BackfillItems):
    """Every behaviour of ports.ScheduleStore."""


class PeopleStoreContract(People, Tokens):
    """Every behaviour of ports.PeopleStore."""


class StoreContract(RunStoreContract, ScheduleStoreContract, PeopleStoreContract, OutboxContract, HousekeepingContract):
    """Every behaviour of a store."""

    @pytest.fixture
    def store(self) -> Store:
        """An empty store."""
        raise NotImplementedError
