"""Given facts, then orders and states: the rules of a run."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from building import NOW, VALUE_ERROR, Play, attempt_id, cancel, pipeline, ready, task

from nbflow.errors import InvalidInput
from nbflow.model import FrozenNotebook, Param, Retries, TaskKey
from nbflow.run import (
    AttemptEnded,
    AttemptStarted,
    RunOpened,
    SlotGranted,
    StartAttempt,
    StopAttempt,
)
from nbflow.states import AttemptState, Cause, JoinRule, RunState, TaskState

CHAIN = pipeline(extract="", clean="extract", publish="clean")
RETRYING = pipeline(task("extract", retries=Retries(max_retries=2, delay=timedelta(seconds=60))))


# --- order and success ----------------------------------------------------------------------------------------------


def test_a_new_run_waits_and_its_roots_are_ready() -> None:
    play = Play(CHAIN)
    assert play.live.run.state is RunState.QUEUED
    assert play.states() == {"extract": "queued", "clean": "waiting", "publish": "waiting"}


def test_a_slot_makes_an_attempt_and_an_order() -> None:
    decision = Play(CHAIN).tell(SlotGranted(key=TaskKey("extract"), token="t1", host="here"))
    (order,) = decision.orders
    assert isinstance(order, StartAttempt)
    assert (order.attempt, order.token, order.number) == (attempt_id("extract"), "t1", 1)
    (attempt,) = decision.attempts
    assert (attempt.state, attempt.host) == (AttemptState.QUEUED, "here")


def test_a_second_slot_for_the_same_task_changes_nothing() -> None:
    play = Play(CHAIN)
    grant = SlotGranted(key=TaskKey("extract"), token="t1")
    play.tell(grant)
    assert play.tell(replace(grant, token="t2")).is_empty


def test_the_run_starts_with_its_first_attempt_and_ends_with_its_last() -> None:
    play = Play(CHAIN)
    play.start("extract")
    assert play.live.run.state is RunState.RUNNING
    assert play.live.run.started_at == NOW
    play.end("extract")
    play.now += timedelta(seconds=5)
    play.succeed("clean", "publish")
    assert play.live.run.state is RunState.SUCCESS
    assert play.live.run.ended_at == NOW + timedelta(seconds=5)


def test_started_and_ended_in_one_batch_still_starts_the_run() -> None:
    play = Play(CHAIN)
    play.tell(SlotGranted(key=TaskKey("extract"), token="t"))
    started = AttemptStarted(attempt=attempt_id("extract"), token="t", at=NOW)
    ended = AttemptEnded(attempt=attempt_id("extract"), token="t", at=NOW, state=AttemptState.SUCCESS)
    play.tell(started, ended)
    assert play.live.run.state is RunState.RUNNING
    assert ready(play.live) == ["clean"]


def test_the_longest_way_to_the_end_starts_first_and_priority_beats_it() -> None:
    fan = pipeline(short="", long="", middle="long", end="middle")
    assert ready(Play(fan).live) == ["long", "short"]
    urgent = pipeline(task("short", priority=1), long="", end="long")
    assert ready(Play(urgent).live) == ["short", "long"]


def test_a_failure_blocks_its_descendants_only() -> None:
    play = Play(pipeline(a="", b="a", c="b", other="", after_other="other"))
    play.fail("a")
    assert play.states() == {
        "a": "failed",
        "b": "upstream_failed",
        "c": "upstream_failed",
        "other": "queued",
        "after_other": "waiting",
    }
    assert play["b"].reason == "blocked by a (failed)"
    assert play["c"].reason == "blocked by b (upstream failed)"
    play.succeed("other", "after_other")
    assert play.live.run.state is RunState.FAILED


def test_a_clean_up_leaf_never_hides_a_failure() -> None:
    play = Play(pipeline(task("work"), task("tidy", "work", run_if=JoinRule.ALL_DONE)))
    play.fail("work")
    play.succeed("tidy")
    assert play.live.run.state is RunState.FAILED


def test_an_allowed_failure_and_what_it_blocks_are_excused() -> None:
    play = Play(pipeline(task("nice_to_have", allow_failure=True), task("after", "nice_to_have"), must=""))
    play.fail("nice_to_have")
    play.succeed("must")
    assert play.states()["after"] == "upstream_failed"
    assert play.live.run.state is RunState.SUCCESS


def test_a_notebook_that_skips_itself() -> None:
    play = Play(CHAIN)
    play.start("extract")
    play.end("extract", AttemptState.SKIPPED, reason="no new files")
    assert play.states() == {"extract": "skipped", "clean": "skipped", "publish": "skipped"}
    assert play["extract"].reason == "no new files"
    assert play.live.run.state is RunState.SUCCESS


# --- templates, conditions and values -------------------------------------------------------------------------------


def test_values_reach_the_next_task_with_their_type() -> None:
    play = Play(
        pipeline(task("a"), task("b", "a", params={"rows": "{{ tasks.a.outputs.rows }}", "day": "{{ run_date }}"}))
    )
    play.succeed("a", rows=1234)
    (order,) = play.start("b")
    assert order.params == {"rows": 1234, "day": "2026-04-01"}


def test_a_value_that_was_not_reported_fails_the_task_and_names_both() -> None:
    play = Play(pipeline(task("a"), task("b", "a", params={"rows": "{{ tasks.a.outputs.rows }}"}), task("c", "b")))
    play.succeed("a", total=3)
    assert play["b"].state is TaskState.FAILED
    assert play["b"].cause is Cause.INVALID
    assert "rows" in play["b"].reason
    assert "'a'" in play["b"].reason
    assert play.states()["c"] == "upstream_failed"
    assert play.live.run.state is RunState.FAILED


def test_a_parameter_of_the_wrong_type_is_refused_before_the_start() -> None:
    pipe = pipeline(task("a"), task("b", "a", params={"rows": "{{ tasks.a.outputs.rows }}"}))
    play = Play(pipe)
    wants_int = FrozenNotebook(
        path="b.ipynb", folder="/", sha256="0", kernel="python3", params=(Param(name="rows", type="int"),)
    )
    play.live.tasks[TaskKey("b")] = replace(play["b"], notebook=wants_int)
    play.succeed("a", rows="many")
    assert (play["b"].state, play["b"].cause) == (TaskState.FAILED, Cause.INVALID)
    assert "rows" in play["b"].reason


@pytest.mark.parametrize(("when", "state"), [(False, "skipped"), ("{{ params.full }}", "skipped"), (True, "queued")])
def test_a_condition_is_asked_when_the_join_rule_says_run(when, state: str) -> None:
    pipe = replace(pipeline(task("a", when=when)), params={"full": Param(name="full", type="bool", default=False)})
    assert Play(pipe).states()["a"] == state


def test_environment_templates() -> None:
    play = Play(pipeline(task("a", env={"MODE": "{{ env.STAGE }}-{{ run_date }}"})), env={"STAGE": "test"})
    (order,) = play.start("a")
    assert order.env == {"MODE": "test-2026-04-01"}


def test_unknown_run_parameters_are_refused() -> None:
    with pytest.raises(InvalidInput, match="regon"):
        Play(replace(CHAIN, params={"region": Param(name="region", default="all")}), given={"regon": "emea"})


# --- retries --------------------------------------------------------------------------------------------------------


def test_a_failure_with_a_retry_left_waits_and_comes_back() -> None:
    play = Play(RETRYING)
    play.fail("extract")
    assert play["extract"].state is TaskState.RETRY_WAIT
    assert play["extract"].not_before == NOW + timedelta(seconds=60)
    assert play.live.wake_at() == NOW + timedelta(seconds=60)
    play.later(seconds=59)
    assert play["extract"].state is TaskState.RETRY_WAIT
    play.later(seconds=1)
    assert play["extract"].state is TaskState.QUEUED
    (order,) = play.start("extract")
    assert order.number == 2


def test_the_last_failure_is_final_and_says_so() -> None:
    play = Play(RETRYING)
    for _ in range(2):
        play.fail("extract")
        play.later(hours=1)
    play.fail("extract")
    assert play["extract"].state is TaskState.FAILED
    assert play["extract"].reason == "ValueError: bad country (no retry left of 2)"
    assert play.live.run.state is RunState.FAILED


def test_a_lost_attempt_uses_up_none_of_the_users_retries() -> None:
    play = Play(RETRYING)
    play.fail("extract", cause=Cause.LOST, error=None)
    assert (play["extract"].failures, play["extract"].strikes) == (0, 1)
    play.later(seconds=5)
    play.fail("extract")
    assert (play["extract"].failures, play["extract"].strikes) == (1, 0)


def test_the_third_loss_in_a_row_is_final() -> None:
    play = Play(CHAIN)
    for seconds in (5, 30):
        play.start("extract")
        play.end("extract", AttemptState.LOST, cause=Cause.LOST, reason="its runner is gone")
        assert play["extract"].not_before == play.now + timedelta(seconds=seconds)
        play.later(seconds=seconds)
    play.start("extract")
    play.end("extract", AttemptState.LOST, cause=Cause.LOST, reason="its runner is gone")
    assert play["extract"].state is TaskState.FAILED
    assert play["extract"].reason == "its runner is gone (3 times in a row)"


def test_an_attempt_may_fail_before_it_was_seen_running() -> None:
    play = Play(CHAIN)
    play.tell(SlotGranted(key=TaskKey("extract"), token="t"))
    play.end("extract", AttemptState.FAILED, cause=Cause.STORAGE, reason="no space left on device")
    assert play["extract"].state is TaskState.RETRY_WAIT


# --- late, repeated and foreign facts -------------------------------------------------------------------------------


def test_a_result_with_a_wrong_token_is_refused_and_noted() -> None:
    play = Play(CHAIN)
    play.start("extract")
    forged = AttemptEnded(attempt=attempt_id("extract"), token="other", at=NOW, state=AttemptState.SUCCESS)
    decision = play.tell(forged)
    assert play["extract"].state is TaskState.RUNNING
    assert [change.event for change in decision.changes] == ["refused"]


def test_a_late_result_of_an_earlier_attempt_is_refused() -> None:
    play = Play(RETRYING)
    (first,) = play.start("extract")
    play.end("extract", AttemptState.LOST, cause=Cause.LOST)
    play.later(seconds=5)
    play.start("extract")
    late = AttemptEnded(attempt=first.attempt, token=first.token, at=play.now, state=AttemptState.SUCCESS)
    assert [change.event for change in play.tell(late).changes] == ["refused"]
    assert play["extract"].state is TaskState.RUNNING


def test_started_twice_changes_nothing() -> None:
    play = Play(CHAIN)
    (order,) = play.start("extract")
    assert play.tell(AttemptStarted(attempt=order.attempt, token=order.token, at=NOW)).is_empty


def test_opening_again_changes_nothing() -> None:
    assert Play(CHAIN).tell(RunOpened()).is_empty


# --- cancel ---------------------------------------------------------------------------------------------------------


def test_cancelling_a_run_stops_everything_unfinished_clean_ups_too() -> None:
    play = Play(pipeline(task("a"), task("b", "a"), task("tidy", "b", run_if=JoinRule.ALL_DONE), other=""))
    play.succeed("other")
    play.start("a")
    decision = play.tell(cancel())
    assert [order.attempt for order in decision.orders if isinstance(order, StopAttempt)] == [attempt_id("a")]
    assert play.states() == {"a": "running", "b": "cancelled", "tidy": "cancelled", "other": "success"}
    play.end("a", AttemptState.CANCELLED, cause=Cause.CANCELLED)
    assert play.live.run.state is RunState.CANCELLED
    assert play["a"].reason == "cancelled by ana"


def test_a_cancelled_attempt_is_not_retried_even_when_it_failed_first() -> None:
    play = Play(RETRYING)
    play.start("extract")
    play.tell(cancel())
    play.end("extract", AttemptState.FAILED, cause=Cause.ERROR, error=VALUE_ERROR)
    assert play["extract"].state is TaskState.CANCELLED


def test_an_attempt_that_ended_well_before_the_cancel_reached_it_stays_a_success() -> None:
    play = Play(CHAIN)
    play.start("extract")
    play.tell(cancel())
    play.end("extract")
    assert play.states() == {"extract": "success", "clean": "cancelled", "publish": "cancelled"}


def test_cancelling_one_task_leaves_the_rest_to_their_join_rules() -> None:
    play = Play(pipeline(task("a"), task("b", "a"), task("tidy", "a", run_if=JoinRule.ALL_DONE), other=""))
    play.tell(cancel("a"))
    assert play.states() == {"a": "cancelled", "b": "cancelled", "tidy": "queued", "other": "queued"}


def test_cancelling_a_finished_run_is_refused_with_a_reason() -> None:
    play = Play(pipeline(a=""))
    play.succeed("a")
    (answer,) = play.tell(cancel()).answers
    assert answer.error == "run r1 has ended already: success"
