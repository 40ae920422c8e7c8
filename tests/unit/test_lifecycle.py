"""Given facts, then orders and states: the rules of a run."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from building import NOW, VALUE_ERROR, Play, attempt_id, pipeline, ready, task

from nbflow.errors import InvalidInput
from nbflow.model import FrozenNotebook, Param, Retries, TaskKey
from nbflow.run import (
    Asked,
    AttemptEnded,
    AttemptStarted,
    CancelRequested,
    MarkRequested,
    ResetRequested,
    RetryNowRequested,
    RunAbandoned,
    RunOpened,
    SlotGranted,
    StartAttempt,
    StopAttempt,
)
from nbflow.states import AttemptState, Cause, JoinRule, RunState, TaskState

CHAIN = pipeline(extract="", clean="extract", publish="clean")
RETRYING = pipeline(task("extract", retries=Retries(max_retries=2, delay=timedelta(seconds=60))))


def asked(request, number: int = 7) -> Asked:
    return Asked(id=number, request=request)


def cancel(name: str | None = None) -> Asked:
    return asked(CancelRequested(by="ana", key=TaskKey(name) if name else None))


def reset(*names: str, **about) -> Asked:
    return asked(ResetRequested(by="ana", keys=tuple(TaskKey(name) for name in names), **about))


def mark(name: str, state: TaskState, **about) -> Asked:
    return asked(MarkRequested(by="ana", key=TaskKey(name), state=state, **about))


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
