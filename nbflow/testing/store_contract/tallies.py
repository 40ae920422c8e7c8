"""What is counted for ever, and what has not ended now."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from nbflow.errors import StaleVersion
from nbflow.model import PipelineName, TaskKey
from nbflow.run import Change, TaskRun
from nbflow.states import AttemptState, Cause, RunState, TaskState
from nbflow.tally import Series
from nbflow.testing.samples import NOW, Store, a_frozen, a_notebook, add, an_attempt, save
from nbflow.testing.store_contract.looking import EXTRACT, LOAD, refused, succeeded

NIGHTLY = PipelineName("nightly")


def line(event: str, after: str, key: TaskKey | None = None) -> Change:
    return Change(at=NOW, run=None, pipeline=NIGHTLY, event=event, key=key, after=after)


class Tallies:
    def test_nothing_is_counted_at_first(self, store: Store) -> None:
        add(store, "r1")
        assert store.tallies() == {}

    def test_what_ends_is_counted_with_the_decision(self, store: Store) -> None:
        lease = add(store, "r1")
        save(
            store,
            lease,
            attempts=[
                succeeded("r1", "extract", 1, 4.5),
                an_attempt("r1", "load", state=AttemptState.FAILED, cause=Cause.ERROR),
            ],
            changes=[line("task", "success", EXTRACT), line("task", "failed", LOAD), line("run", "failed")],
        )
        once = {
            Series("run", NIGHTLY, "failed"): 1,
            Series("task", NIGHTLY, "success"): 1,
            Series("task", NIGHTLY, "failed"): 1,
            Series("attempt", NIGHTLY, "success"): 1,
            Series("attempt", NIGHTLY, "failed", "error"): 1,
            Series("seconds", NIGHTLY, "5"): 1,
            Series("seconds_sum", NIGHTLY): 4.5,
        }
        assert store.tallies() == once
        save(store, lease, attempts=[succeeded("r1", "extract", 2, 2)], changes=[line("task", "success", EXTRACT)])
        again = store.tallies()
        assert again[Series("task", NIGHTLY, "success")] == 2
        assert again[Series("seconds_sum", NIGHTLY)] == 6.5
        assert again[Series("run", NIGHTLY, "failed")] == 1

    def test_what_is_refused_is_not_counted(self, store: Store) -> None:
        lease = add(store, "r1")
        save(store, lease, changes=[line("run", "running")])
        with refused(store, StaleVersion):
            save(store, lease, seen=0, changes=[line("run", "failed")])
        assert store.tallies() == {}

    def test_what_has_not_ended_is_counted_by_state(self, store: Store) -> None:
        for name in ("r1", "r2", "ended"):
            lease = add(store, name, a_frozen("extract", "load"))
        save(store, lease, run={"state": RunState.SUCCESS, "ended_at": NOW + timedelta(seconds=1)})
        running = TaskRun(key=EXTRACT, state=TaskState.RUNNING, notebook=a_notebook("extract"))
        save(store, replace(lease, run=store.find_run("r1")), run={"state": RunState.RUNNING}, tasks=[running])
        assert store.unfinished_counts() == ({"queued": 1, "running": 1}, {"waiting": 3, "running": 1})
