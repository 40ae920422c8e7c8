"""What the scheduler makes of manifests that change, break, vanish and come back."""

from __future__ import annotations

import pytest
from scheduling import (
    DAILY,
    DAY,
    MINUTE,
    SECOND,
    Machine,
    at,
    go_to,
    scheduled,
)

from nbflow.model import Schedule


def test_a_broken_manifest_keeps_the_last_good_version() -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    machine.workspace.spoil("nightly", "a tab where spaces belong")
    go_to(process, at(31))
    process.step(SECOND)
    assert machine.keys() == ["2026-03-31T02:00:00Z"]
    assert [each.message for each in process.scheduler.catalog.problems] == ["a tab where spaces belong"]
    process.kill()
    successor = machine.start()  # which never saw it whole
    successor.step(SECOND)
    go_to(successor, at(32))
    assert machine.keys() == ["2026-03-31T02:00:00Z", "2026-04-01T02:00:00Z"]


def test_the_old_name_of_a_pipeline_does_not_come_back_when_its_manifest_is_broken() -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    machine.workspace.remove("nightly")
    machine.workspace.put(scheduled("daily"), folder="nightly")
    process.work(10 * SECOND)
    machine.workspace.spoil("daily", folder="nightly")
    process.work(10 * SECOND)
    go_to(process, at(31))
    process.step(SECOND)
    assert (machine.keys("nightly"), machine.keys("daily")) == ([], ["2026-03-31T02:00:00Z"])


def test_a_removed_pipeline_starts_nothing_and_begins_anew_when_it_comes_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    machine.workspace.remove("nightly")
    go_to(process, at(32, 12))
    assert machine.runs() == []
    assert machine.store.standings()["nightly"].is_removed
    machine.workspace.put(scheduled())
    process.step(MINUTE)
    assert not machine.store.standings()["nightly"].is_removed
    go_to(process, at(33))
    assert machine.keys() == ["2026-04-02T02:00:00Z"]
    there, gone, back = (record.getMessage() for record in caplog.records if "nightly" in record.getMessage())
    assert there == back == f"pipeline nightly is there now: {machine.store.standings()['nightly'].path}"
    assert gone.startswith("pipeline nightly starts no more runs:")


def test_a_pipeline_whose_folder_cannot_be_entered_is_not_gone() -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    machine.workspace.hide("nightly")
    process = machine.start()
    go_to(process, at(31))
    process.step(SECOND)
    assert not machine.store.standings()["nightly"].is_removed
    assert machine.keys() == ["2026-03-31T02:00:00Z"]


def test_a_changed_schedule_starts_from_now() -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    go_to(process, at(31, 1))
    machine.workspace.put(scheduled(timing=Schedule(cron="0 1 * * *", missed="all")), text="an hour earlier")
    process.step(30 * MINUTE)
    go_to(process, at(31, 12))
    assert machine.runs() == []
    go_to(process, at(32, 1))
    assert machine.keys() == ["2026-04-01T01:00:00Z"]


def test_a_schedule_may_be_changed_in_the_moment_in_which_its_pipeline_is_paused() -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    process.kill()
    machine.clock.advance(DAY)
    machine.workspace.put(scheduled("nightly", Schedule(cron="0 5 * * *")), text="other times")
    successor = machine.start()
    successor.store.before["fire"] = lambda: machine.api.pause("nightly") if not is_paused() else None

    def is_paused() -> bool:
        return machine.store.standings()["nightly"].paused_at is not None

    successor.step(MINUTE)
    successor.step(MINUTE)
    assert is_paused()
    assert (machine.runs(), successor.scheduler.trouble) == ([], None)


def test_a_new_manifest_with_the_same_times_loses_no_tick() -> None:
    machine = Machine(scheduled())
    process = machine.start()
    process.step()
    go_to(process, at(31) - SECOND)
    machine.workspace.put(scheduled("nightly", DAILY, "only", "another"), text="one task more")
    process.step(2 * SECOND)
    process.step(2 * SECOND)
    assert machine.keys() == ["2026-03-31T02:00:00Z"]
