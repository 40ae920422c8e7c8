"""Lists of runs: filtered, page by page, counted, and the last ones of every pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from nbflow.errors import NotFound
from nbflow.model import PipelineName, RunId
from nbflow.run import Run
from nbflow.states import RunKind, RunState
from nbflow.testing.samples import NOW, Store, a_frozen, a_run, add, save, task_runs


def ids(runs: Sequence[Run]) -> list[str]:
    return [run.id for run in runs]


class Listing:
    def test_lists_runs_newest_first(self, store: Store) -> None:
        frozen = a_frozen("extract")
        hours = {"b": 1, "a": 1, "old": 0, "B": 1, "new": 2}
        runs = {
            name: a_run(name, frozen, created_at=NOW + timedelta(hours=each), ended_at=NOW)
            for name, each in hours.items()
        }
        for run in runs.values():
            store.add_run(run, task_runs(frozen), frozen, None)
        listed = [runs[name] for name in ("new", "b", "a", "B", "old")]
        assert store.list_runs() == listed
        assert store.list_runs(limit=2) == listed[:2]

    def test_lists_runs_of_a_pipeline_and_of_a_state(self, store: Store) -> None:
        nightly, weekly = a_frozen("extract"), a_frozen("extract", pipeline="weekly")
        for name, frozen in {"n1": nightly, "n2": nightly, "w1": weekly}.items():
            lease = add(store, name, frozen)
            if name != "n2":
                save(store, lease, run={"state": RunState.FAILED})

        def listed(**about: Any) -> list[str]:
            return [run.id for run in store.list_runs(**about)]

        assert listed(pipeline=PipelineName("nightly")) == ["n2", "n1"]
        assert listed(state=RunState.FAILED) == ["w1", "n1"]
        assert listed(pipeline=PipelineName("nightly"), state=RunState.FAILED) == ["n1"]
        assert listed(pipeline=PipelineName("hourly")) == []

    def test_lists_runs_of_a_kind(self, store: Store) -> None:
        frozen = a_frozen("extract")
        for kind in RunKind:
            assert store.add_run(a_run(kind, frozen, kind=kind), task_runs(frozen), frozen, None)
        for kind in RunKind:
            assert ids(store.list_runs(kind=kind)) == [kind]
        assert store.list_runs(kind=RunKind.MANUAL, state=RunState.FAILED) == []

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("0401", ["20260401-020000-aaaaaa"]),
            ("weekly", ["20260402-020000-bbbbbb", "20260401-020000-aaaaaa"]),
            ("KEY:Load", ["20260402-020000-bbbbbb"]),
            ("ADA", ["20260401-020000-aaaaaa"]),
            ("Ä", ["20260402-020000-bbbbbb"]),
            ("ä", []),
            ("", ["20260402-020000-bbbbbb", "20260401-020000-aaaaaa"]),
            ("%", ["20260402-020000-bbbbbb"]),
            ("_", ["20260401-020000-aaaaaa"]),
            ("\\", []),
            ("\x00", []),
        ],
    )
    def test_lists_runs_that_have_a_text(self, store: Store, text: str, found: list[str]) -> None:
        frozen = a_frozen("extract", pipeline="weekly")
        about: dict[str, dict[str, Any]] = {
            "20260401-020000-aaaaaa": {"created_by": "Ada", "run_key": "key:50_"},
            "20260402-020000-bbbbbb": {"created_by": "Änne", "run_key": "key:load%"},
        }
        for run, values in about.items():
            assert store.add_run(a_run(run, frozen, **values), task_runs(frozen), frozen, None)
        assert ids(store.list_runs(text=text)) == found

    def test_pages_follow_each_other_without_a_gap(self, store: Store) -> None:
        frozen = a_frozen("extract")
        for at in range(12):
            run = a_run(f"r{at:02}", frozen, created_at=NOW + timedelta(seconds=at // 5))
            assert store.add_run(run, task_runs(frozen), frozen, None)
        whole = store.list_runs()
        assert ids(whole) == [f"r{at:02}" for at in range(12)][::-1]
        pages = [store.list_runs(limit=4)]
        while pages[-1]:
            pages.append(store.list_runs(before=pages[-1][-1].id, limit=4))
        assert [run for page in pages for run in page] == whole
        assert [len(page) for page in pages] == [4, 4, 4, 0]

    def test_a_page_is_of_what_was_asked_for(self, store: Store) -> None:
        nightly, weekly = a_frozen("extract"), a_frozen("extract", pipeline="weekly")
        for at in range(6):
            add(store, a_run(f"r{at}", (nightly, weekly)[at % 2]), (nightly, weekly)[at % 2])
        assert ids(store.list_runs(pipeline=PipelineName("weekly"), before=RunId("r4"))) == ["r3", "r1"]
        assert ids(store.list_runs(text="nightly", before=RunId("r3"), limit=1)) == ["r2"]

    def test_a_page_stays_where_it_was_when_new_runs_come(self, store: Store) -> None:
        frozen = a_frozen("extract")
        for at in (1, 2, 3):
            add(store, a_run(f"r{at}", frozen, created_at=NOW + timedelta(hours=at)), frozen)
        page = store.list_runs(limit=2)
        add(store, a_run("new", frozen, created_at=NOW + timedelta(hours=9)), frozen)
        assert ids(store.list_runs(before=page[-1].id)) == ["r1"]

    def test_nothing_is_behind_an_unknown_run(self, store: Store) -> None:
        with pytest.raises(NotFound, match="r9"):
            store.list_runs(before=RunId("r9"))

    def test_counts_runs_by_their_state(self, store: Store) -> None:
        assert store.count_runs() == dict.fromkeys(RunState, 0)
        for at, state in enumerate([RunState.FAILED, RunState.SUCCESS, RunState.SUCCESS]):
            save(store, add(store, f"n{at}"), run={"state": state})
        add(store, "w0", a_frozen("extract", pipeline="weekly"))
        none = dict.fromkeys(RunState, 0)
        assert store.count_runs() == {**none, RunState.FAILED: 1, RunState.SUCCESS: 2, RunState.QUEUED: 1}
        assert store.count_runs(PipelineName("weekly")) == {**none, RunState.QUEUED: 1}
        assert store.count_runs(PipelineName("hourly")) == none

    def test_the_last_runs_of_every_pipeline(self, store: Store) -> None:
        assert store.recent_runs(3) == {}
        for name, count in {"weekly": 2, "Nightly": 5, "nightly": 3, "once": 1}.items():
            frozen = a_frozen("extract", pipeline=name)
            for at in range(count):
                run = a_run(f"{name}-{at}", frozen, created_at=NOW + timedelta(hours=at))
                assert store.add_run(run, task_runs(frozen), frozen, None)
        recent = store.recent_runs(3)
        assert [(name, ids(runs)) for name, runs in recent.items()] == [
            ("Nightly", ["Nightly-4", "Nightly-3", "Nightly-2"]),
            ("nightly", ["nightly-2", "nightly-1", "nightly-0"]),
            ("once", ["once-0"]),
            ("weekly", ["weekly-1", "weekly-0"]),
        ]
        assert list(recent[PipelineName("nightly")]) == list(store.list_runs(pipeline=PipelineName("nightly")))

    def test_of_runs_of_one_moment_the_last_are_those_that_are_listed_first(self, store: Store) -> None:
        frozen = a_frozen("extract")
        for at in range(5):
            add(store, f"r{at}", frozen)
        assert ids(store.recent_runs(2)[PipelineName("nightly")]) == ids(store.list_runs(limit=2)) == ["r4", "r3"]
