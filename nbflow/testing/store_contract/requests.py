"""Requests: asked by anybody, answered once, by the owner of the run."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nbflow.errors import NotFound
from nbflow.model import GRACE, RunId, TaskKey, TaskName
from nbflow.run import Answer, CancelRequested, MarkRequested, Request, ResetRequested, RetryNowRequested
from nbflow.states import TaskState
from nbflow.testing.samples import NOW, Store, a_notebook, add, save
from nbflow.testing.store_contract.looking import EXTRACT, LOAD, refused

REQUESTS: list[Request] = [
    CancelRequested(by="ada", note="stop"),
    CancelRequested(by="ada", key=EXTRACT, grace=timedelta(0)),
    ResetRequested(
        by="ada",
        keys=(EXTRACT, TaskKey(TaskName("fit"), 3)),
        only=True,
        params={"region": "emea"},
        notebooks={TaskName("extract"): a_notebook("extract")},
        kill=True,
        note="again",
    ),
    MarkRequested(by="ada", key=LOAD, state=TaskState.SUCCESS, outputs={"rows": 3}, note="done by hand", kill=True),
    RetryNowRequested(by="ada", key=EXTRACT, note="now"),
]


class Requests:
    @pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.kind)
    def test_reaches_the_owner_as_it_was_made(self, store: Store, request_: Request) -> None:
        add(store, "r1")
        number = store.ask(RunId("r1"), request_, now=NOW)
        [asked] = store.asked([RunId("r1")])[RunId("r1")]
        assert (asked.id, asked.request) == (number, request_)
        assert type(asked.request) is type(request_)
        assert store.answer(number) is None

    def test_those_of_the_named_runs_are_found_oldest_first(self, store: Store) -> None:
        for name in ("r1", "r2", "r3", "r4"):
            add(store, name)
        asked = {
            RunId(run): [store.ask(RunId(run), CancelRequested(by=f"{run}{at}"), now=NOW) for at in range(3)]
            for run in ("r2", "r1", "r3")
        }
        found = store.asked([RunId("r1"), RunId("r2"), RunId("r4")])
        assert {run: [each.id for each in requests] for run, requests in found.items()} == {
            run: asked[run] for run in (RunId("r1"), RunId("r2"))
        }
        assert store.asked([]) == {}

    @pytest.mark.parametrize("error", ["", "it has ended"])
    def test_an_answered_one_is_no_longer_asked(self, store: Store, error: str) -> None:
        lease = add(store, "r1")
        first, second = (store.ask(RunId("r1"), CancelRequested(by="ada"), now=NOW) for _ in range(2))
        save(store, lease, answers=[Answer(id=first, error=error)])
        assert store.answer(first) == error
        assert [asked.id for asked in store.asked([RunId("r1")])[RunId("r1")]] == [second]

    def test_the_first_answer_stays(self, store: Store) -> None:
        lease = add(store, "r1")
        number = store.ask(RunId("r1"), CancelRequested(by="ada"), now=NOW)
        save(store, lease, answers=[Answer(id=number)])
        save(store, lease, answers=[Answer(id=number, error="later")])
        assert store.answer(number) == ""

    def test_only_the_owner_of_its_run_answers_it(self, store: Store) -> None:
        add(store, "r1")
        number = store.ask(RunId("r1"), CancelRequested(by="ada"), now=NOW)
        save(store, add(store, "r2"), answers=[Answer(id=number)])
        assert store.answer(number) is None

    def test_an_answer_to_nothing_in_the_store_is_passed_over(self, store: Store) -> None:
        """An engine asks itself when it is interrupted, with the number 0."""
        assert save(store, add(store, "r1"), answers=[Answer(id=0)]).version == 1

    def test_to_an_unknown_run(self, store: Store) -> None:
        with refused(store, NotFound, match="r9"):
            store.ask(RunId("r9"), CancelRequested(by="ada", grace=GRACE), now=NOW)

    def test_an_unknown_one_has_no_answer(self, store: Store) -> None:
        with pytest.raises(NotFound):
            store.answer(4711)
