"""What must hold on every database, beyond the contract of all stores: other processes, crashes and faults."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Event
from typing import Any

import pytest
from sqlalchemy import event, text

from nbflow.backfill import ItemAction
from nbflow.errors import Conflict, InvalidInput, PoolFull, StaleVersion, Unavailable
from nbflow.failpoints import VARIABLE
from nbflow.model import RunId
from nbflow.ports import Lease
from nbflow.run import Decision
from nbflow.stores.sql import SqlStore
from nbflow.testing.samples import NOW, TTL, a_frozen, a_run, add, an_attempt, full_change, save, task_runs
from nbflow.testing.scheduling import NIGHTLY, a_backfill, a_tick_run, an_item_run, items_of, see, tick_of
from nbflow.testing.store_contract import StoreContract, everything

Open = Callable[..., SqlStore]

SOON = timedelta(milliseconds=50)
DEADLINE = 60.0


def outcomes(verb: Callable[[int], object], times: int = 6) -> Counter[str]:
    """Call the verb at once in several threads; count what it returned or raised."""
    together = Barrier(times)

    def call(at: int) -> str:
        together.wait(DEADLINE)
        try:
            return str(verb(at))
        except Conflict as error:
            return type(error).__name__

    with ThreadPoolExecutor(times) as pool:
        return Counter(pool.map(call, range(times)))


def start_child(program: str, *args: str, **environment: str) -> subprocess.Popen[str]:
    """A process of its own, with SqlStore and the samples at hand; it prints JSON."""
    imports = "import json, sys\nfrom nbflow.stores.sql import SqlStore\nfrom nbflow.testing.samples import *\n"
    return subprocess.Popen(
        [sys.executable, "-c", imports + program, *args],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def result_of(child: subprocess.Popen[str]) -> Any:
    printed, _ = child.communicate(timeout=DEADLINE)
    assert child.returncode == 0
    return json.loads(printed)


class SqlContract(StoreContract):
    """What must hold on every database, beyond the contract: other processes, crashes and faults."""

    @pytest.fixture
    def url(self) -> str:
        """Address of a database that is up to date and has no runs."""
        raise NotImplementedError

    @pytest.fixture
    def new_url(self) -> str:
        """Address of a database without tables, or of none."""
        raise NotImplementedError

    @pytest.fixture
    def busy(self, url: str) -> Callable[[], Any]:
        """Gives a context in which another process is in the middle of writing."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, open_store: Open, url: str) -> SqlStore:
        return open_store(url)

    # --- what is kept ------------------------------------------------------------------------------------------

    def test_everything_is_there_after_it_is_opened_again(self, store: SqlStore, url: str, open_store: Open) -> None:
        save(store, add(store), attempts=[an_attempt("r1", "extract")], changes=[full_change("r1", None)])
        before = everything(store)
        store.close()
        assert everything(open_store(url)) == before

    def test_a_large_run_takes_no_more_statements_than_a_small_one(self, store: SqlStore) -> None:
        sent: list[str] = []

        @event.listens_for(store._database.engine, "before_cursor_execute")
        def note(_: Any, __: Any, statement: str, *rest: Any) -> None:
            sent.append(statement)

        def statements(run: str, tasks: int) -> int:
            frozen = a_frozen(*(f"t{at}" for at in range(tasks)))
            sent.clear()
            lease = add(store, run, frozen)
            loaded = store.load(RunId(run))
            save(
                store,
                lease,
                tasks=loaded.tasks.values(),
                attempts=[an_attempt(run, key.address) for key in loaded.tasks],
                changes=[full_change(run, key) for key in loaded.tasks],
            )
            return len(sent)

        assert statements("small", 2) == statements("large", 500)

    # --- several at once ---------------------------------------------------------------------------------------

    @pytest.mark.parametrize("shared", [True, False], ids=["one-store", "a-store-each"])
    def test_of_several_decisions_about_one_version_one_is_saved(
        self, store: SqlStore, url: str, open_store: Open, shared: bool
    ) -> None:
        lease = add(store)
        stores = [store if shared else open_store(url) for _ in range(6)]
        seen = outcomes(lambda at: save(stores[at], lease, seen=0, changes=[full_change("r1", None)]).version)
        assert seen == {"1": 1, StaleVersion.__name__: 5}
        assert len(store.changes(0)) == 2

    def test_of_several_runs_of_one_key_one_is_created(self, store: SqlStore) -> None:
        frozen = a_frozen("extract")

        def create(at: int) -> bool:
            return store.add_run(a_run(f"r{at}", frozen, run_key="key:a"), task_runs(frozen), frozen, None)

        assert outcomes(create) == {"True": 1, "False": 5}
        assert len(store.list_runs()) == 1

    def test_of_several_engines_one_becomes_the_owner(self, store: SqlStore) -> None:
        frozen = a_frozen("extract")
        store.add_run(a_run("r1", frozen), task_runs(frozen), frozen, None)
        seen = outcomes(lambda at: store.claim(RunId("r1"), f"engine-{at}", now=NOW, ttl=TTL).epoch)
        assert seen == {"1": 1, Conflict.__name__: 5}

    def test_of_several_engines_one_leads(self, store: SqlStore) -> None:
        seen = outcomes(lambda at: store.lead(f"engine-{at}", now=NOW, ttl=TTL).epoch)
        assert seen == {"1": 1, Conflict.__name__: 5}

    @pytest.mark.parametrize("shared", [True, False], ids=["one-store", "a-store-each"])
    def test_a_tick_that_fires_several_times_at_once_creates_one_run(
        self, store: SqlStore, url: str, open_store: Open, shared: bool
    ) -> None:
        leader = see(store)
        stores = [store if shared else open_store(url) for _ in range(6)]

        def fire(at: int) -> int:
            new = a_tick_run(run=f"t{at}")
            return len(stores[at].fire(leader, NIGHTLY, cursor=tick_of(1), runs=[new], now=NOW))

        assert outcomes(fire) == {"1": 1, "0": 5}
        assert len(store.list_runs()) == 1

    def test_of_several_backfills_of_one_range_one_is_kept(self, store: SqlStore) -> None:
        seen = outcomes(lambda at: store.add_backfill(a_backfill(), items_of(a_backfill())).max_active)
        assert seen == {"1": 1, Conflict.__name__: 5}
        assert len(store.backfills()) == 1

    def test_a_tick_of_a_backfill_that_begins_several_times_at_once_creates_one_run(self, store: SqlStore) -> None:
        leader, number = see(store), store.add_backfill(a_backfill(), items_of(a_backfill())).id
        [item] = store.next_items(number, 1)

        def begin(at: int) -> bool:
            new = an_item_run(item, f"b{at}")
            begun = replace(item, action=ItemAction.CREATE, run=new.run.id)
            return store.begin_item(leader, number, begun, new=new, now=NOW)

        assert outcomes(begin) == {"True": 1, "False": 5}
        assert len(store.list_runs()) == 1

    def test_of_several_attempts_one_gets_the_last_place_of_a_pool(self, store: SqlStore) -> None:
        frozen = a_frozen("extract", pool="warehouse")
        leases = [add(store, f"r{at}", frozen) for at in range(6)]

        def start(at: int) -> int:
            return save(store, leases[at], attempts=[an_attempt(f"r{at}", "extract")], pools={"warehouse": 1}).version

        assert outcomes(start) == {"1": 1, PoolFull.__name__: 5}

    def test_of_several_processes_each_key_goes_to_one(self, store: SqlStore, url: str) -> None:
        program = """
store, me, frozen = SqlStore(sys.argv[1]), sys.argv[2], a_frozen("extract")
runs = [a_run(f"{me}-{at}", frozen, run_key=f"key:{at}") for at in range(20)]
print(json.dumps([store.add_run(run, task_runs(frozen), frozen, None) for run in runs]))
"""
        children = [start_child(program, url, f"p{at}") for at in range(3)]
        won = [result_of(child) for child in children]
        assert [sum(column) for column in zip(*won, strict=True)] == [1] * 20
        assert len(store.list_runs()) == 20

    def test_a_reader_of_the_change_log_misses_nothing_of_two_overlapping_transactions(
        self, store: SqlStore, url: str, open_store: Open
    ) -> None:
        """The first has its number in the log before the second, and commits after the second has tried to."""
        frozen = a_frozen("extract")
        leases = [add(store, "r1", frozen), add(store, "r2", frozen)]
        slow = open_store(url)
        is_written, go_on = Event(), Event()

        @event.listens_for(slow._database.engine, "commit")
        def hold(_: Any) -> None:
            is_written.set()
            go_on.wait(DEADLINE)

        def write(through: SqlStore, lease: Lease) -> int:
            decision = Decision(run=a_run(lease.run, frozen), changes=(full_change(lease.run, None),))
            return through.apply(decision, seen=0, lease=lease, pools={}).version

        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(write, slow, leases[0])
            assert is_written.wait(DEADLINE)
            second = pool.submit(write, store, leases[1])
            wait([second], timeout=0.5)  # long enough for a writer that does not wait for the one before
            read = list(store.changes(0))
            go_on.set()
            assert [first.result(DEADLINE), second.result(DEADLINE)] == [1, 1]
        read += store.changes(read[-1].seq)
        assert read == store.changes(0)
        assert [change.run for change in read] == ["r1", "r2", "r1", "r2"]

    # --- crashes -----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "verb",
        [
            "add(store, 'r2')",
            "save(store, lease, run={'state': 'running'}, attempts=[an_attempt('r1', 'load')])",
            "store.claim(RunId('r1'), 'another', now=NOW, ttl=TTL, instead_of=lease.engine)",
            "store.fire(leader, NIGHTLY, cursor=tick_of(1), runs=[a_tick_run()], skips=[a_skip()], now=NOW)",
            "store.add_backfill(a_backfill(), items_of(a_backfill()))",
        ],
        ids=["add_run", "apply", "claim", "fire", "add_backfill"],
    )
    def test_a_process_that_is_killed_in_a_transaction_leaves_nothing(
        self, store: SqlStore, url: str, verb: str
    ) -> None:
        lease, leader = add(store), see(store)
        before = everything(store)
        program = f"""
from nbflow.testing.scheduling import *
store = SqlStore(sys.argv[1])
leader = store.leader()
lease = Lease(run=RunId('r1'), engine=ENGINE, epoch=1, expires=NOW + TTL)
{verb}
"""
        child = start_child(program, url, **{VARIABLE: "store.before_commit"})
        child.communicate(timeout=DEADLINE)
        assert child.returncode == -signal.SIGKILL
        assert everything(store) == before
        assert save(store, lease).version == 1
        assert store.fire(leader, NIGHTLY, cursor=tick_of(1), runs=[a_tick_run()], now=NOW) == ["t1"]

    def test_a_fault_in_the_middle_leaves_nothing(self, store: SqlStore) -> None:
        lease = add(store)
        before = everything(store)

        @event.listens_for(store._database.engine, "before_cursor_execute")
        def fail(_: Any, __: Any, statement: str, *rest: Any) -> None:
            if statement.startswith("INSERT INTO changes"):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            save(store, lease, attempts=[an_attempt("r1", "extract")], changes=[full_change("r1", None)])
        assert everything(store) == before
        assert save(store, lease).version == 1

    # --- faults ------------------------------------------------------------------------------------------------

    def test_a_writer_that_waits_too_long_says_so_and_goes_on_later(
        self, store: SqlStore, url: str, open_store: Open, busy: Callable[[], Any]
    ) -> None:
        lease = add(store)
        hasty = open_store(url, patience=SOON)
        before = everything(hasty)
        with busy():
            with pytest.raises(Unavailable, match="Another process holds it"):
                hasty.renew(lease.engine, now=NOW, ttl=TTL)
            with pytest.raises(Unavailable, match="Another process holds it"):
                hasty.try_to_write()
            assert everything(hasty) == before  # readers do not wait
        hasty.try_to_write()
        assert everything(hasty) == before
        assert save(hasty, lease).version == 1

    # --- opening -----------------------------------------------------------------------------------------------

    def test_is_made_once_by_processes_that_open_it_together(self, new_url: str) -> None:
        """Each waits until all have loaded what they need."""
        program = """
import alembic.command
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(len(SqlStore(sys.argv[1]).list_runs())))
"""
        children = [start_child(program, new_url) for _ in range(4)]
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        assert [result_of(child) for child in children] == [0] * 4

    def test_one_that_is_up_to_date_is_opened_without_the_migration_tool(self, url: str) -> None:
        assert (
            result_of(start_child("SqlStore(sys.argv[1]); print(json.dumps('alembic' in sys.modules))", url)) is False
        )

    def test_one_of_a_newer_nbflow_is_refused(self, new_url: str, open_store: Open) -> None:
        with open_store(new_url)._database.write() as connection:
            connection.execute(text("UPDATE nbflow_version SET version_num = '9999'"))
        with pytest.raises(InvalidInput, match="was made by a newer nbflow \\(its schema is 9999"):
            SqlStore(new_url)

    def test_one_of_another_application_is_refused(self, new_url: str, open_store: Open) -> None:
        with open_store(new_url)._database.write() as connection:
            connection.execute(text("DROP TABLE nbflow_version"))
        with pytest.raises(InvalidInput, match="tables of another application: attempts, backfill"):
            SqlStore(new_url)
