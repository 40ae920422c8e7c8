"""Given requests of an operator, then orders and states: repair, marks, and a run whose owner is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from building import VALUE_ERROR, Play, asked, mark, pipeline, ready, reset, task

from nbflow.model import FrozenNotebook, Param, Retries, TaskKey
from nbflow.run import (
    RetryNowRequested,
    RunAbandoned,
    StopAttempt,
)
from nbflow.states import AttemptState, Cause, JoinRule, RunState, TaskState

CHAIN = pipeline(extract="", clean="extract", publish="clean")
RETRYING = pipeline(task("extract", retries=Retries(max_retries=2, delay=timedelta(seconds=60))))


# --- repair ---------------------------------------------------------------------------------------------------------


def failed_chain() -> Play:
    play = Play(
        pipeline(task("a"), task("b", "a"), task("c", "b"), task("tidy", "b", run_if=JoinRule.ALL_DONE), other="")
    )
    play.succeed("a", "other")
    play.fail("b")
    play.succeed("tidy")
    return play


def test_a_repair_runs_the_failed_and_all_below_again_in_the_same_run() -> None:
    play = failed_chain()
    fresh = FrozenNotebook(path="b.ipynb", folder="/project", sha256="fixed", kernel="python3")
    (answer,) = play.tell(reset(notebooks={"b": fresh})).answers
    assert answer.error == ""
    assert play.states() == {"a": "success", "b": "queued", "c": "waiting", "tidy": "waiting", "other": "success"}
    assert play.live.run.state is RunState.QUEUED
    assert play.live.run.ended_at is None
    (order,) = play.start("b")
    assert (order.number, order.notebook.sha256) == (2, "fixed")
    play.end("b")
    play.succeed("c", "tidy")
    assert play.live.run.state is RunState.SUCCESS


def test_only_resets_the_chosen_and_what_was_blocked_below() -> None:
    play = failed_chain()
    play.tell(reset("b", only=True))
    assert play.states() == {"a": "success", "b": "queued", "c": "waiting", "tidy": "success", "other": "success"}


def test_the_order_of_the_manifest_does_not_matter_to_a_repair() -> None:
    play = Play(pipeline(c="b", b="a", a=""))
    play.fail("a")
    play.tell(reset())
    assert play.states() == {"c": "waiting", "b": "waiting", "a": "queued"}


def test_a_repair_gives_a_fresh_allowance_and_attempt_numbers_go_on() -> None:
    play = Play(RETRYING)
    for _ in range(3):
        play.fail("extract")
        play.later(hours=1)
    play.tell(reset())
    assert (play["extract"].failures, play["extract"].attempts) == (0, 3)
    play.fail("extract")
    assert play["extract"].not_before == play.now + timedelta(seconds=60)


def test_a_repair_with_changed_parameters() -> None:
    pipe = pipeline(task("a", params={"region": "{{ params.region }}"}))
    play = Play(replace(pipe, params={"region": Param(name="region", default="all")}))
    play.fail("a")
    play.tell(reset(params={"region": "emea"}))
    (order,) = play.start("a")
    assert order.params == {"region": "emea"}


def test_a_running_task_is_not_reset_unless_it_may_be_killed() -> None:
    play = Play(CHAIN)
    play.start("extract")
    (answer,) = play.tell(reset("extract")).answers
    assert answer.error.startswith("still running: extract")
    decision = play.tell(reset("extract", kill=True))
    assert [type(order) for order in decision.orders] == [StopAttempt]
    assert play["extract"].state is TaskState.RUNNING  # never two at once
    play.end("extract", AttemptState.CANCELLED, cause=Cause.CANCELLED)
    assert play["extract"].state is TaskState.QUEUED


def test_nothing_to_repair_is_refused() -> None:
    play = Play(pipeline(a=""))
    play.succeed("a")
    (answer,) = play.tell(reset()).answers
    assert "nothing in run r1 failed" in answer.error


def test_of_two_who_repair_at_once_the_second_is_told_that_the_run_goes_on_already() -> None:
    play = failed_chain()
    decision = play.tell(reset(), reset())
    assert [answer.error.startswith("run r1 goes on already") for answer in decision.answers] == [False, True]
    (answer,) = play.tell(reset()).answers
    assert "Somebody may have run it again just now." in answer.error
    assert "--task" not in answer.error


def test_an_unknown_task_is_refused_with_the_nearest_name() -> None:
    (answer,) = Play(CHAIN).tell(reset("claen")).answers
    assert answer.error == "run r1 has no task 'claen'. Did you mean 'clean'?"


# --- marks ----------------------------------------------------------------------------------------------------------


def test_a_mark_frees_what_the_join_rules_had_blocked_or_skipped() -> None:
    play = Play(
        pipeline(task("a"), task("b", "a"), task("c", "b"), task("alarm", "a", run_if=JoinRule.ONE_FAILED), other="")
    )
    play.succeed("other")
    play.fail("a")
    play.succeed("alarm")
    play.tell(mark("a", TaskState.SUCCESS, note="loaded by hand", outputs={"rows": 3}))
    assert play.states() == {"a": "success", "b": "queued", "c": "waiting", "alarm": "success", "other": "success"}
    assert (play["a"].set_by, play["a"].note, play["a"].outputs) == ("ana", "loaded by hand", {"rows": 3})
    play.succeed("b", "c")
    assert play.live.run.state is RunState.SUCCESS


def test_a_marked_success_keeps_the_values_its_last_attempt_reported() -> None:
    play = Play(pipeline(task("a"), task("b", "a", params={"rows": "{{ tasks.a.outputs.rows }}"})))
    play.start("a")
    play.end("a", AttemptState.FAILED, cause=Cause.ERROR, error=VALUE_ERROR, outputs={"rows": 5})
    play.tell(mark("a", TaskState.SUCCESS))
    assert play["b"].params == {"rows": 5}


def test_marking_failed_fails_a_finished_run() -> None:
    play = Play(pipeline(a="", b=""))
    play.succeed("a", "b")
    play.tell(mark("a", TaskState.FAILED, note="wrong numbers"))
    assert play.live.run.state is RunState.FAILED


def test_a_running_task_is_not_marked_unless_it_may_be_killed() -> None:
    play = Play(CHAIN)
    play.start("extract")
    (answer,) = play.tell(mark("extract", TaskState.SUCCESS)).answers
    assert answer.error.startswith("task 'extract' is running")
    play.tell(mark("extract", TaskState.SUCCESS, kill=True, note="enough"))
    assert play.states()["clean"] == "waiting"  # nothing below starts beside the dying notebook
    play.end("extract", AttemptState.CANCELLED, cause=Cause.CANCELLED)
    assert play.states() == {"extract": "success", "clean": "queued", "publish": "waiting"}
    assert (play["extract"].set_by, play["extract"].note) == ("ana", "enough")


def test_only_an_ending_can_be_marked() -> None:
    (answer,) = Play(CHAIN).tell(mark("extract", TaskState.RUNNING)).answers
    assert "cannot be marked running" in answer.error


def test_retry_now_ends_the_wait() -> None:
    play = Play(RETRYING)
    play.fail("extract")
    play.tell(asked(RetryNowRequested(by="ana", key=TaskKey("extract"))))
    assert play["extract"].state is TaskState.QUEUED
    (answer,) = play.tell(asked(RetryNowRequested(by="ana", key=TaskKey("extract")))).answers
    assert answer.error == "task 'extract' does not wait for a retry: it is queued"


# --- an owner that is gone ------------------------------------------------------------------------------------------


def test_an_abandoned_run_is_closed_as_failed_and_can_be_repaired() -> None:
    play = Play(pipeline(a="", b="a", c="b", retrying="", ready="", done=""))
    play.live.pipeline = replace(
        play.live.pipeline,
        tasks={**play.live.pipeline.tasks, "retrying": task("retrying", retries=Retries(max_retries=1))},
    )
    play.succeed("done")
    play.fail("retrying")
    play.start("a")
    play.end("a", AttemptState.LOST, cause=Cause.LOST, reason="its runner is gone")
    play.tell(RunAbandoned())
    assert play.states() == {
        "a": "failed",
        "b": "upstream_failed",
        "c": "upstream_failed",
        "retrying": "failed",
        "ready": "failed",
        "done": "success",
    }
    assert play.live.run.state is RunState.FAILED
    assert {play[name].cause for name in ("a", "ready")} == {Cause.LOST}
    play.tell(reset())
    assert play.states()["a"] == "queued"
    assert play.states()["done"] == "success"


def test_a_clean_up_of_an_abandoned_run_does_not_start() -> None:
    play = Play(pipeline(task("a"), task("tidy", "a", run_if=JoinRule.ALL_DONE)))
    play.tell(RunAbandoned())
    assert play.states() == {"a": "failed", "tidy": "failed"}
    assert ready(play.live) == []
