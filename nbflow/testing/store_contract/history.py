"""What is only read: finding a run, the history, the change log."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from nbflow.errors import InvalidInput, NotFound
from nbflow.model import PipelineName, RunId
from nbflow.run import Change
from nbflow.states import AttemptState
from nbflow.testing.samples import NOW, Store, a_frozen, a_run, add, full_change, save, task_runs
from nbflow.testing.store_contract.looking import A_CHANGE, succeeded


class FindRun:
    @pytest.fixture
    def ids(self, store: Store) -> list[str]:
        nightly, weekly = a_frozen("extract"), a_frozen("extract", pipeline="weekly")
        made = {
            "20260401-020000-3f9a1c": nightly,
            "20260401-020000-3f": nightly,
            "20260402-020000-aaaaaa": weekly,
            "a_b": nightly,
            "axb": nightly,
        }
        for at, (name, frozen) in enumerate(made.items()):
            run = a_run(name, frozen, created_at=NOW - timedelta(hours=at))
            assert store.add_run(run, task_runs(frozen), frozen, None)
        return list(made)

    @pytest.mark.parametrize(
        ("ref", "found"),
        [
            ("20260401-020000-3f9a1c", "20260401-020000-3f9a1c"),
            ("20260401-020000-3f", "20260401-020000-3f"),
            ("20260401-020000-3f9", "20260401-020000-3f9a1c"),
            ("20260402", "20260402-020000-aaaaaa"),
            ("a_", "a_b"),
            ("latest", "20260401-020000-3f9a1c"),
            ("latest:", "20260401-020000-3f9a1c"),
            ("latest:nightly", "20260401-020000-3f9a1c"),
            ("latest:weekly", "20260402-020000-aaaaaa"),
        ],
    )
    def test_finds(self, store: Store, ids: list[str], ref: str, found: str) -> None:
        assert store.find_run(ref) == found

    def test_several_candidates_are_named(self, store: Store, ids: list[str]) -> None:
        with pytest.raises(InvalidInput, match="several runs, such as 20260401-020000-3f9a1c and 20260401-020000-3f"):
            store.find_run("20260401")

    @pytest.mark.parametrize("ref", ["2025", "A_", "%", "a__", "20260401-020000-3f9a1c0", "\x00"])
    def test_nothing_is_told_with_the_latest_runs(self, store: Store, ids: list[str], ref: str) -> None:
        with pytest.raises(NotFound, match="20260401-020000-3f9a1c, 20260401-020000-3f, 2026"):
            store.find_run(ref)

    def test_an_empty_word_is_no_run(self, store: Store, ids: list[str]) -> None:
        with pytest.raises(InvalidInput):
            store.find_run("")

    def test_a_pipeline_without_runs_is_told_with_a_near_name(self, store: Store, ids: list[str]) -> None:
        with pytest.raises(NotFound, match=r"pipeline 'nightli' has no run\. Did you mean 'nightly'"):
            store.find_run("latest:nightli")

    @pytest.mark.parametrize("ref", ["latest", "latest:nightly", "r1"])
    def test_an_empty_store_is_told(self, store: Store, ref: str) -> None:
        with pytest.raises(NotFound):
            store.find_run(ref)

    def test_an_unknown_run_is_not_loaded(self, store: Store) -> None:
        with pytest.raises(NotFound, match="r9"):
            store.load(RunId("r9"))

    def test_an_unknown_key_has_no_run(self, store: Store) -> None:
        with pytest.raises(NotFound, match="key:a"):
            store.run_of_key(PipelineName("nightly"), "key:a")


class History:
    def test_a_run_without_attempts_has_none_listed(self, store: Store) -> None:
        add(store, "r1")
        assert store.attempts(RunId("r1")) == {}

    def test_what_a_task_took_is_known_of_its_successes_newest_first(self, store: Store) -> None:
        lease = add(store, "r1")
        tried = [
            succeeded("r1", "extract", number, seconds, NOW + timedelta(hours=number))
            for number, seconds in enumerate((1, 2.5, 400), 1)
        ]
        tried.append(replace(succeeded("r1", "extract", 4, 9000), state=AttemptState.FAILED))
        tried.append(replace(succeeded("r1", "extract", 5, 9000), state=AttemptState.RUNNING, ended_at=None))
        tried.append(succeeded("r1", "load", 1, 20.5))
        save(store, lease, attempts=tried)
        assert store.durations(PipelineName("nightly")) == {"extract": [400, 2.5, 1], "load": [20.5]}

    def test_only_the_last_twenty_successes_count(self, store: Store) -> None:
        lease = add(store, "r1")
        old = [succeeded("r1", "extract", number, 1000, NOW - timedelta(days=1)) for number in range(20, 40)]
        new = [succeeded("r1", "extract", number, number, NOW + timedelta(minutes=number)) for number in range(20)]
        save(store, lease, attempts=[replace(each, number=each.number + 1) for each in (*new, *old)])
        assert store.durations(PipelineName("nightly")) == {"extract": list(range(20))[::-1]}

    def test_what_a_clock_that_was_set_back_made_of_it_does_not_count(self, store: Store) -> None:
        lease = add(store, "r1")
        save(store, lease, attempts=[succeeded("r1", "extract", 1, -60), succeeded("r1", "extract", 2, 5)])
        assert store.durations(PipelineName("nightly")) == {"extract": [5]}

    def test_long_ago_says_nothing_about_what_is_usual(self, store: Store) -> None:
        frozen = a_frozen("extract", "once")
        for at in range(101):
            lease = add(store, a_run(f"r{at}", frozen, created_at=NOW + timedelta(hours=at)), frozen)
            if at < 2:
                task = "once" if at == 0 else "extract"
                save(store, lease, attempts=[succeeded(f"r{at}", task, 1, 5)])
        assert store.durations(PipelineName("nightly")) == {"extract": [5]}

    def test_another_pipeline_says_nothing_about_it(self, store: Store) -> None:
        lease = add(store, "r1", a_frozen("extract", pipeline="weekly"))
        save(store, lease, attempts=[succeeded("r1", "extract", 1, 5)])
        assert store.durations(PipelineName("nightly")) == {}

    def test_the_change_log_is_read_from_where_one_was(self, store: Store) -> None:
        first, second = add(store, "r1"), add(store, "r2")
        save(store, first, changes=[replace(A_CHANGE, note=str(at)) for at in range(3)])
        save(store, second, changes=[full_change("r2", None)])
        log = store.changes(0)
        assert [change.seq for change in log] == sorted({change.seq for change in log})
        assert [change.note for change in log] == [None, None, "0", "1", "2", "because"]
        assert store.changes(log[2].seq) == log[3:]
        assert store.changes(0, limit=2) == log[:2]
        assert store.changes(log[0].seq, run=RunId("r1")) == log[2:5]
        assert store.changes(log[-1].seq) == []

    def test_the_newest_change_of_a_run_is_its_own(self, store: Store) -> None:
        add(store, "r1")
        store.note_aside(RunId("r1"), "KeyError: 'x'", now=NOW)
        add(store, "r2")
        assert store.newest_change(RunId("r1")) == store.changes(0, run=RunId("r1"))[-1]
        assert store.newest_change(RunId("r3")) is None

    def test_that_a_run_is_left_alone_is_a_line_of_its_change_log(self, store: Store) -> None:
        add(store, "r1", a_frozen("extract", pipeline="weekly"))
        store.note_aside(RunId("r1"), "KeyError: 'x'", now=NOW)
        told = Change(at=NOW, run=RunId("r1"), pipeline=PipelineName("weekly"), event="set_aside", note="KeyError: 'x'")
        assert replace(store.changes(0)[-1], seq=0) == told
        with pytest.raises(NotFound):
            store.note_aside(RunId("r2"), "KeyError: 'x'", now=NOW)

    def test_the_newest_change_has_the_highest_number(self, store: Store) -> None:
        assert store.latest_change() == 0
        add(store, "r1")
        assert store.latest_change() == store.changes(0)[-1].seq > 0
