"""What pages watch: which changes are about it, what they are told, and when nobody needs to look."""

from __future__ import annotations

from datetime import timedelta

import pytest
from app_world import CHAIN, FAILS, World
from nbflow_app.rooms import News, Seen, Subject
from nbflow_app.subjects import OneRun, subject_of

from nbflow.api import Role
from nbflow.errors import NotFound
from nbflow.testing.executor import Script


@pytest.fixture
def world(world: World) -> World:
    world.pipeline(CHAIN.replace("nightly", "weekly"))
    return world


def watched(world: World, name: str) -> Subject:
    return subject_of(name, lambda: world.visit({}, {}, Role.VIEWER), world.frame, world.attempts)


def test_a_run_is_looked_at_again_only_while_something_runs(world: World) -> None:
    run = world.begin(extract=Script(after=timedelta(minutes=1)))
    subject = watched(world, f"run:{run.id}")
    told = subject.news([])
    assert "cell 2 of 7" in told.parts["task-extract"]
    assert subject.pulse > 0
    world.engine.drive(run.id)
    assert subject.news([]).parts.keys() == {"head"}
    assert subject.pulse == 0


def test_a_run_that_waits_is_told_what_keeps_it_now(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run = world.tick()
    subject = watched(world, f"run:{run.id}")
    assert isinstance(subject, OneRun)
    assert "Held up" not in subject.news([]).parts["head"]
    assert subject.pulse > 0
    monkeypatch.setattr(world.store, "leader", lambda: None)
    subject.outside_at = 0  # some time later
    told = subject.news([])
    assert "no scheduler is running" in told.parts["head"]
    assert told.parts.keys() == {"head", "task-extract", "task-clean", "task-report"}
    world.engine.drive(run.id)
    assert subject.news([]).parts.keys() == {"head"}
    assert subject.pulse == 0


def test_rows_that_wait_for_what_changed_are_told_too(world: World) -> None:
    run = world.begin(extract=Script(after=timedelta(minutes=1)))
    after = world.store.latest_change()
    subject = watched(world, f"run:{run.id}")
    world.clock.advance(timedelta(minutes=2))
    world.step()
    changes = [change for change in world.store.changes(after) if subject.concerns(change)]
    assert {change.key.address for change in changes if change.key} == {"extract", "clean"}
    assert subject.news(changes).parts.keys() == {"head", "task-extract", "task-clean", "task-report"}


def test_all_that_wait_are_told_when_their_run_starts(world: World) -> None:
    run = world.api().create_run("nightly")
    after = world.store.latest_change()
    subject = watched(world, f"run:{run.id}")
    world.engine.own(run.id)
    world.step()
    world.step()
    told = subject.news(list(world.store.changes(after)))
    assert "waits for clean" in told.parts["task-report"]


def test_changes_of_other_runs_and_pipelines_concern_nobody_else(world: World) -> None:
    mine = world.run("nightly")
    after = world.store.latest_change()
    world.run("weekly")
    changes = world.store.changes(after)
    assert not any(watched(world, f"run:{mine.id}").concerns(change) for change in changes)
    assert not any(watched(world, "pipeline:nightly").concerns(change) for change in changes)
    assert any(watched(world, "pipeline:weekly").concerns(change) for change in changes)
    lists = [change for change in changes if watched(world, "runs").concerns(change)]
    assert lists
    assert all(change.key is None for change in lists), "no list looks again for each task"


def test_the_first_page_looks_again_when_a_run_or_a_task_goes_wrong_and_as_time_passes(world: World) -> None:
    after = world.store.latest_change()
    world.run("nightly", clean=FAILS)
    now = watched(world, "now")
    told = [change for change in world.store.changes(after) if now.concerns(change)]
    assert [change.key.address for change in told if change.key] == ["clean"]
    assert any(change.key is None for change in told)
    assert now.pulse > 0
    assert now.news([]).refresh


def test_a_page_that_comes_late_is_told_what_it_missed(world: World) -> None:
    run = world.begin(extract=Script(after=timedelta(minutes=1)))
    before = Seen(world.store.latest_change(), 0)
    world.clock.advance(timedelta(minutes=2))
    world.step()
    now = Seen(world.store.latest_change(), 0)
    told = watched(world, f"run:{run.id}").since(before)
    assert {"head", "task-extract", "task-clean"} <= told.parts.keys()
    assert watched(world, "pipeline:nightly").since(before).refresh
    for name in (f"run:{run.id}", "pipeline:nightly", "runs", "now"):
        assert watched(world, name).since(now) == News()


@pytest.mark.parametrize("name", ["", "everything", "run:nope", "attempt:a", "attempt:a/b/c", "attempt:nope/b/1"])
def test_what_is_not_there_cannot_be_watched(world: World, name: str) -> None:
    with pytest.raises(NotFound):
        watched(world, name)
