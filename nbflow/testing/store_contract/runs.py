"""New runs: created once, and kept as they were made."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from nbflow.errors import Conflict, NotFound
from nbflow.model import PipelineName, RunId, TaskKey, TaskName
from nbflow.run import Change
from nbflow.testing.samples import NOW, Store, a_frozen, a_run, add, full_run, full_task, full_task_run, task_runs
from nbflow.testing.store_contract.looking import EXTRACT, assert_full, everything, refused, waiting


class NewRuns:
    def test_comes_back_as_it_was_made(self, store: Store) -> None:
        frozen = a_frozen("unused")
        frozen = replace(frozen, pipeline=replace(frozen.pipeline, tasks={EXTRACT.task: full_task()}))
        run, task = full_run(frozen), full_task_run(EXTRACT)
        assert_full(run)
        assert_full(task, "live")
        assert store.add_run(run, [task], frozen, None)
        stored = store.load(run.id)
        assert stored.run == run
        assert stored.pipeline == frozen.pipeline
        assert stored.tasks == {EXTRACT: task}
        assert store.manifest_text(frozen.sha256) == frozen.text

    def test_its_tasks_keep_the_order_of_the_manifest(self, store: Store) -> None:
        frozen = a_frozen("zebra", "apple", "mango", "extract")
        add(store, "r1", frozen)
        assert [key.task for key in store.load(RunId("r1")).tasks] == ["zebra", "apple", "mango", "extract"]

    def test_items_of_a_task_are_task_runs_of_their_own_in_the_order_of_their_index(self, store: Store) -> None:
        frozen = a_frozen("fit", "report")
        keys = [TaskKey(TaskName("fit"), item) for item in (2, 10, 0)]
        keys.append(TaskKey(TaskName("report")))
        tasks = [waiting(key, note=key.address) for key in keys]
        assert store.add_run(a_run("r1", frozen), tasks, frozen, None)
        stored = store.load(RunId("r1")).tasks
        assert [(key.address, task.note) for key, task in stored.items()] == [
            (address, address) for address in ("fit.0", "fit.2", "fit.10", "report")
        ]

    def test_of_a_key_is_created_once(self, store: Store) -> None:
        frozen = a_frozen("extract")
        assert store.add_run(a_run("r1", frozen, run_key="key:a"), task_runs(frozen), frozen, None)
        before = everything(store)
        other = a_frozen("extract", text="another text")
        assert not store.add_run(a_run("r2", other, run_key="key:a"), task_runs(other), other, None)
        assert everything(store) == before
        assert store.run_of_key(PipelineName("nightly"), "key:a") == "r1"
        with pytest.raises(NotFound):
            store.manifest_text(other.sha256)

    def test_of_a_key_that_another_pipeline_has(self, store: Store) -> None:
        one, two = a_frozen("extract"), a_frozen("extract", pipeline="weekly")
        assert store.add_run(a_run("r1", one, run_key="key:a"), task_runs(one), one, None)
        assert store.add_run(a_run("r2", two, run_key="key:a"), task_runs(two), two, None)
        assert store.run_of_key(PipelineName("weekly"), "key:a") == "r2"

    def test_an_id_is_given_once(self, store: Store) -> None:
        add(store, "r1")
        frozen = a_frozen("extract")
        with refused(store, Conflict):
            store.add_run(a_run("r1", frozen, run_key="key:b"), task_runs(frozen), frozen, None)

    def test_a_task_run_is_given_once(self, store: Store) -> None:
        frozen = a_frozen("extract")
        with refused(store, Conflict):
            store.add_run(a_run("r1", frozen), [*task_runs(frozen), *task_runs(frozen)], frozen, None)

    def test_two_pipelines_of_one_text_are_kept_apart(self, store: Store) -> None:
        """`nbflow run --task` runs a part of what the manifest declares."""
        whole, part = a_frozen("extract", "load", text="same"), a_frozen("load", text="same")
        add(store, "r1", whole)
        add(store, "r2", part)
        assert list(store.load(RunId("r1")).pipeline.tasks) == ["extract", "load"]
        assert list(store.load(RunId("r2")).pipeline.tasks) == ["load"]

    def test_creation_is_the_first_line_of_its_change_log(self, store: Store) -> None:
        frozen = a_frozen("extract")
        store.add_run(a_run("r1", frozen, created_by="ada"), task_runs(frozen), frozen, None)
        [change] = store.changes(0)
        assert replace(change, seq=0) == Change(
            at=NOW, run=RunId("r1"), pipeline=PipelineName("nightly"), event="run", after="queued", by="ada"
        )

    def test_times_keep_their_instant_and_come_back_in_utc(self, store: Store) -> None:
        frozen = a_frozen("extract")
        kathmandu = timezone(timedelta(hours=5, minutes=45))
        at = datetime(2026, 3, 29, 2, 30, 0, 1, tzinfo=kathmandu)
        store.add_run(a_run("r1", frozen, logical_date=at.astimezone(UTC), created_at=at), [], frozen, None)
        stored = store.load(RunId("r1")).run
        assert stored.created_at == stored.logical_date == at
        assert stored.logical_date.tzinfo is UTC
        assert stored.logical_date.isoformat() == "2026-03-28T20:45:00.000001+00:00"

    def test_text_that_no_database_holds_does_not_stop_the_run(self, store: Store) -> None:
        frozen = a_frozen("extract")
        text = "before \x00 \udc80 after"
        task = waiting(EXTRACT, reason=text, outputs={"message": text})
        assert store.add_run(a_run("r1", frozen, created_by=text), [task], frozen, None)
        stored = store.load(RunId("r1"))
        for kept in (stored.run.created_by, stored.tasks[EXTRACT].reason, stored.tasks[EXTRACT].outputs["message"]):
            assert kept.startswith("before ")
            assert kept.endswith(" after")
