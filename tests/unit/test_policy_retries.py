"""Retries: delays, jitter, causes and names (semantics §4)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nbflow.model import Retries
from nbflow.policy import GiveUp, Retry, after_failure, delay
from nbflow.run import ErrorInfo
from nbflow.states import Cause


def seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


def judged(retries: Retries, cause: Cause, error: ErrorInfo | None = None, failures: int = 1, strikes: int = 0):
    return after_failure(retries, cause, error, failures=failures, strikes=strikes, seed="run/task")


VALUE_ERROR = ErrorInfo(name="ValueError", message="bad", bases=("Exception", "BaseException", "object"))
MODULE_NOT_FOUND = ErrorInfo(name="ModuleNotFoundError", message="x", bases=("ImportError", "Exception"))


def test_exponential_doubles_up_to_the_cap() -> None:
    policy = Retries(max_retries=9, delay=seconds(30), max_delay=seconds(600))
    assert [delay(policy, n, seed="").total_seconds() for n in range(1, 8)] == [30, 60, 120, 240, 480, 600, 600]


def test_fixed_stays() -> None:
    policy = Retries(max_retries=3, delay=seconds(45), backoff="fixed")
    assert [delay(policy, n, seed="").total_seconds() for n in (1, 2, 9)] == [45, 45, 45]


def test_a_fixed_delay_above_the_cap_is_capped() -> None:
    assert delay(Retries(delay=seconds(900), backoff="fixed", max_delay=seconds(600)), 1, seed="") == seconds(600)


@pytest.mark.parametrize("n", [64, 1_000, 10**9])
def test_no_number_of_retries_overflows(n: int) -> None:
    assert delay(Retries(), n, seed="") == timedelta(minutes=10)


def test_jitter_comes_before_the_cap_and_is_the_same_for_the_same_inputs() -> None:
    policy = Retries(delay=seconds(100), jitter=0.2, max_delay=seconds(600))
    first = [delay(policy, n, seed="run/task") for n in (1, 2, 3)]
    assert first == [delay(policy, n, seed="run/task") for n in (1, 2, 3)]
    assert first != [delay(policy, n, seed="run/other") for n in (1, 2, 3)]
    for n, base in ((1, 100), (2, 200), (3, 400)):
        assert seconds(base * 0.8) <= delay(policy, n, seed="run/task") <= seconds(base * 1.2)
    assert {delay(policy, 4, seed=str(at)) for at in range(20)} == {seconds(600)}  # 800 less a fifth is still above


@pytest.mark.parametrize("cause", [Cause.ERROR, Cause.TIMEOUT, Cause.KERNEL_DIED])
def test_the_users_retries(cause: Cause) -> None:
    policy = Retries(max_retries=2, delay=seconds(10))
    assert judged(policy, cause, failures=1) == Retry(delay=seconds(10))
    assert judged(policy, cause, failures=2) == Retry(delay=seconds(20))
    assert judged(policy, cause, failures=3) == GiveUp(why="no retry left of 2")


def test_no_retries_by_default() -> None:
    assert judged(Retries(), Cause.ERROR, VALUE_ERROR) == GiveUp()


@pytest.mark.parametrize("cause", [Cause.INVALID, Cause.CANCELLED])
def test_never_retried_causes(cause: Cause) -> None:
    assert judged(Retries(max_retries=5), cause) == GiveUp()


@pytest.mark.parametrize("cause", [Cause.LOST, Cause.KERNEL_START, Cause.STORAGE])
def test_own_failures_are_retried_without_the_users_allowance_until_the_third(cause: Cause) -> None:
    assert judged(Retries(), cause, failures=0, strikes=1) == Retry(delay=seconds(5))
    assert judged(Retries(), cause, failures=0, strikes=2) == Retry(delay=seconds(30))
    assert judged(Retries(max_retries=9), cause, failures=0, strikes=3) == GiveUp(why="3 times in a row")


def test_a_notebook_that_must_never_start_twice() -> None:
    assert judged(Retries(on_lost="fail"), Cause.LOST, strikes=1) == GiveUp(why="on_lost: fail")
    assert judged(Retries(on_lost="fail"), Cause.STORAGE, strikes=1) == Retry(delay=seconds(5))


@pytest.mark.parametrize("name", ["SyntaxError", "NameError", "ImportError", "AssertionError"])
def test_errors_that_cannot_heal(name: str) -> None:
    error = ErrorInfo(name=name, message="")
    assert judged(Retries(max_retries=3), Cause.ERROR, error) == GiveUp(why=f"not retried: {name}")


def test_base_class_names_match() -> None:
    assert judged(Retries(max_retries=3), Cause.ERROR, MODULE_NOT_FOUND) == GiveUp(why="not retried: ImportError")
    policy = Retries(max_retries=3, never_on=("Exception",))
    assert judged(policy, Cause.ERROR, VALUE_ERROR) == GiveUp(why="not retried: Exception")
    assert judged(Retries(max_retries=0), Cause.ERROR, MODULE_NOT_FOUND) == GiveUp()


def test_only_on_restricts_beats_the_built_in_list_and_touches_no_other_cause() -> None:
    policy = Retries(max_retries=3, only_on=("ImportError",))
    assert isinstance(judged(policy, Cause.ERROR, MODULE_NOT_FOUND), Retry)
    assert judged(policy, Cause.ERROR, VALUE_ERROR) == GiveUp(why="retries only on ImportError")
    assert isinstance(judged(policy, Cause.TIMEOUT), Retry)
