"""Which events of a run are told, and which runs and tasks are late."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from building import NOW, Play, pipeline, task

from nbflow import lateness
from nbflow.model import Alerts, Pipeline, Retries, Schedule, Task, TaskKey
from nbflow.notice import Notice, NoticeKind
from nbflow.run import Asked, CancelRequested, Decision, MarkRequested, ResetRequested, Run, RunAbandoned
from nbflow.states import RunKind, TaskState

ALERTS = Alerts(on_failure=("ops",), on_recovery=("ops", "sales"), on_late=("boss",), late_after=time(6, 30))


def watched(*tasks: Task, **depends_on: str) -> Pipeline:
    return replace(pipeline(*tasks, **depends_on), alerts=ALERTS)


def told(play: Play) -> list[str]:
    return [notice.id for decision in play.decisions for notice in decision.notices]


def last(play: Play) -> Decision:
    return play.decisions[-1]


def reset(play: Play, *names: str) -> None:
    keys = tuple(TaskKey.parse(name) for name in names)
    play.tell(Asked(id=1, request=ResetRequested(by="ada", keys=keys)))


def mark(play: Play, name: str, state: TaskState) -> None:
    play.tell(Asked(id=1, request=MarkRequested(by="ada", key=TaskKey.parse(name), state=state)))


def test_the_first_final_failure_of_a_run_is_told_and_later_ones_join_it() -> None:
    play = Play(watched(task("a", retries=Retries(max_retries=1)), b="", c=""))
    play.fail("a")
    assert told(play) == []
    play.later(seconds=31)
    play.fail("a")
    assert last(play).notices == (
        Notice(
            id=f"failed/r1/{play.live.run.version}",
            kind=NoticeKind.FAILED,
            channels=("ops",),
            at=play.now,
            pipeline="nightly",
            run="r1",
            key=TaskKey("a"),
            attempt=2,
        ),
    )
    assert play.live.run.alerted_at == play.now
    play.fail("b")
    play.succeed("c")
    assert len(told(play)) == 1


def test_each_repair_that_fails_is_told_anew_also_while_another_task_stays_failed() -> None:
    play = Play(watched(a="", b=""))
    play.fail("a", "b")
    reset(play, "b")
    assert play.live.run.alerted_at is None
    play.fail("b")
    assert [name.split("/")[0] for name in told(play)] == ["failed", "failed"]
    assert len(set(told(play))) == 2


def test_what_cannot_start_and_what_is_abandoned_has_failed_too() -> None:
    refused = Play(watched(task("a"), task("b", "a", params={"x": "{{ tasks.a.outputs.x }}"})))
    refused.succeed("a")
    assert len(told(refused)) == 1
    gone = Play(watched(a=""))
    gone.tell(RunAbandoned())
    assert len(told(gone)) == 1


def test_nobody_is_told_of_an_excused_failure_a_mark_or_a_cancel() -> None:
    play = Play(watched(task("a", allow_failure=True), b="", c=""))
    play.fail("a")
    mark(play, "b", TaskState.FAILED)
    play.tell(Asked(id=2, request=CancelRequested(by="ada", key=TaskKey("c"))))
    assert [play[name].state for name in "abc"] == [TaskState.FAILED, TaskState.FAILED, TaskState.CANCELLED]
    assert told(play) == []


def test_a_failure_after_one_that_was_marked_is_told() -> None:
    play = Play(watched(a="", b=""))
    mark(play, "a", TaskState.FAILED)
    assert told(play) == []
    play.fail("b")
    assert len(told(play)) == 1


def test_a_success_is_offered_as_a_recovery_and_so_is_a_repaired_one() -> None:
    play = Play(watched(a=""))
    play.fail("a")
    reset(play, "a")
    play.succeed("a")
    failed, recovered = (decision.notices[0] for decision in play.decisions if decision.notices)
    assert (failed.kind, recovered.kind) == (NoticeKind.FAILED, NoticeKind.RECOVERED)
    assert recovered.channels == ("ops", "sales")


def test_a_run_that_is_marked_a_success_is_no_recovery() -> None:
    play = Play(watched(a=""))
    play.fail("a")
    mark(play, "a", TaskState.SUCCESS)
    assert [name.split("/")[0] for name in told(play)] == ["failed"]


def test_without_channels_nothing_is_told() -> None:
    play = Play(pipeline(a=""))
    play.fail("a")
    reset(play, "a")
    play.succeed("a")
    assert told(play) == []
    assert play.live.run.alerted_at is None


# --- late -----------------------------------------------------------------------------------------------------------


def scheduled(logical_date: datetime, zone: str = "UTC", late_after: time = time(6, 30)) -> tuple[Pipeline, Run]:
    alerts = replace(ALERTS, late_after=late_after)
    of = replace(watched(a=""), schedule=Schedule(cron="0 2 * * *", timezone=zone), alerts=alerts)
    return of, replace(Play(of).live.run, kind=RunKind.SCHEDULED, logical_date=logical_date)


@pytest.mark.parametrize(
    ("logical_date", "zone", "late_after", "due"),
    [
        ("2026-03-07T02:00Z", "UTC", "06:30", "2026-03-07T06:30Z"),
        ("2026-03-07T06:30Z", "UTC", "06:30", "2026-03-08T06:30Z"),
        ("2026-03-07T23:00Z", "UTC", "06:30", "2026-03-08T06:30Z"),
        ("2026-03-07T10:00Z", "America/Los_Angeles", "06:30", "2026-03-07T14:30Z"),
        ("2026-03-08T10:00Z", "America/Los_Angeles", "06:30", "2026-03-08T13:30Z"),
        ("2026-03-08T09:00Z", "America/Los_Angeles", "02:30", "2026-03-08T10:00Z"),  # 02:30 does not exist that day
        ("2026-11-01T08:00Z", "America/Los_Angeles", "01:30", "2026-11-01T08:30Z"),  # the first of two
    ],
)
def test_late_after_is_a_time_of_day_in_the_zone_of_the_schedule(
    logical_date: str, zone: str, late_after: str, due: str
) -> None:
    of, run = scheduled(datetime.fromisoformat(logical_date), zone, time.fromisoformat(late_after))
    assert lateness.late_at(of, run) == datetime.fromisoformat(due)


def test_an_unfinished_run_is_late_from_then_on_with_one_notice() -> None:
    of, run = scheduled(datetime(2026, 4, 1, 2, tzinfo=UTC))
    due = datetime(2026, 4, 1, 6, 30, tzinfo=UTC)
    assert lateness.late(of, run, due - timedelta(seconds=1)) is None
    first, second = lateness.late(of, run, due), lateness.late(of, run, due + timedelta(hours=1))
    assert first is not None
    assert second is not None
    assert (first.id, first.kind, first.channels, first.first) == (second.id, NoticeKind.LATE, ("boss",), due)
    assert lateness.late(replace(of, alerts=replace(ALERTS, on_late=())), run, due) is None
    assert lateness.late(replace(of, alerts=replace(ALERTS, late_after=None)), run, due) is None
    assert lateness.late(of, replace(run, kind=RunKind.MANUAL), due) is None
    assert lateness.late(of, replace(run, kind=RunKind.BACKFILL), due) is None


def test_a_finished_run_is_not_late() -> None:
    of, run = scheduled(datetime(2026, 4, 1, 2, tzinfo=UTC))
    play = Play(of)
    play.succeed("a")
    assert lateness.late(of, replace(run, state=play.live.run.state), NOW) is None


# --- far beyond the usual -------------------------------------------------------------------------------------------


def test_a_task_that_runs_far_beyond_its_usual_time_is_told_once() -> None:
    play = Play(watched(a="", b="", c="b"))
    play.start("a", "b")
    seconds = {"a": [60.0] * 5, "b": [60.0] * 4, "c": [1.0] * 9}

    def found(minutes: float) -> tuple[Notice, ...]:
        now = NOW + timedelta(minutes=minutes)
        return lateness.overruns(play.live.pipeline, play.live.run, play.live.tasks.values(), seconds, now)

    assert found(11) == ()
    [notice], [later] = found(11.1), found(20)
    assert (notice.id, notice.kind, notice.channels, notice.key) == (
        "overrun/r1/a/1",
        NoticeKind.OVERRUN,
        ("boss",),
        TaskKey("a"),
    )
    assert notice.text == "running for 11 min, usually done in 60 s"
    assert later.id == notice.id
    play.end("a")
    assert found(20) == ()
