"""What pages watch: which changes are about it, what they are told, and when nobody needs to look."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from app_world import CHAIN, World
from nbflow_app.rooms import Subject
from nbflow_app.subjects import subject_of

from nbflow.api import Role
from nbflow.errors import NotFound
from nbflow.testing.executor import Script


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.pipeline()
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


def test_rows_that_wait_for_what_changed_are_told_too(world: World) -> None:
    run = world.begin(extract=Script(after=timedelta(minutes=1)))
    after = world.store.latest_change()
    subject = watched(world, f"run:{run.id}")
    world.clock.advance(timedelta(minutes=2))
    world.step()
    changes = [change for change in world.store.changes(after) if subject.concerns(change)]
    assert {change.key.address for change in changes if change.key} == {"extract", "clean"}
    assert subject.news(changes).parts.keys() == {"head", "task-extract", "task-clean", "task-report"}


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


@pytest.mark.parametrize("name", ["", "everything", "run:nope", "attempt:a", "attempt:a/b/c", "attempt:nope/b/1"])
def test_what_is_not_there_cannot_be_watched(world: World, name: str) -> None:
    with pytest.raises(NotFound):
        watched(world, name)
