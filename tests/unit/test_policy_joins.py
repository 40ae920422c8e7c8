"""Join rules: the table of semantics §3, and the definition they are derived from."""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest

from nbflow.policy import Tally, Verdict, join
from nbflow.states import JoinRule, TaskState

RULES = [rule for rule in JoinRule if rule not in {JoinRule.ONE_DONE, JoinRule.ALWAYS}]

# One line a combination of upstreams, as printed in semantics §3.
TABLE = """
S    run   skip run   run   skip run   run   run   skip
F    UF    run  run   UF    run  UF    UF    run   skip
K    skip  skip run   skip  skip run   skip  skip  run
SF   UF    skip run   run   run  UF    UF    run   skip
SK   skip  skip run   run   skip run   run   skip  skip
So   wait  skip wait  run   wait wait  wait  wait  skip
Fo   UF    wait wait  wait  run  UF    UF    wait  skip
Ko   wait  skip wait  wait  wait wait  wait  skip  wait
FK   UF    skip run   UF    run  UF    UF    skip  skip
U    UF    run  run   UF    run  UF    UF    run   skip
SU   UF    skip run   run   run  UF    UF    run   skip
KU   UF    skip run   UF    run  UF    UF    skip  skip
Uo   UF    wait wait  wait  run  UF    UF    wait  skip
"""

STATES = {
    "S": TaskState.SUCCESS,
    "F": TaskState.FAILED,
    "K": TaskState.SKIPPED,
    "U": TaskState.UPSTREAM_FAILED,
    "C": TaskState.CANCELLED,
    "o": TaskState.RUNNING,
}
WORDS = {"run": Verdict.RUN, "skip": Verdict.SKIP, "UF": Verdict.UPSTREAM_FAILED, "wait": Verdict.WAIT}


def tally(letters: str) -> Tally:
    counted = Tally()
    for letter in letters:
        counted.move(None, STATES[letter])
    return counted


CASES = [
    (row.split()[0], rule, word)
    for row in TABLE.strip().splitlines()
    for rule, word in zip(RULES, row.split()[1:], strict=True)
]


@pytest.mark.parametrize(("upstreams", "rule", "word"), CASES)
def test_the_table_of_the_semantics(upstreams: str, rule: JoinRule, word: str) -> None:
    assert join(rule, tally(upstreams)) is WORDS[word]


@pytest.mark.parametrize(
    ("upstreams", "verdict"),
    [
        ("S", Verdict.RUN),
        ("F", Verdict.RUN),
        ("C", Verdict.RUN),
        ("Fo", Verdict.RUN),
        ("Ko", Verdict.WAIT),
        ("K", Verdict.SKIP),
        ("U", Verdict.SKIP),
        ("KU", Verdict.SKIP),
        ("SK", Verdict.RUN),
    ],
)
def test_one_done_runs_at_the_first_success_or_failure(upstreams: str, verdict: Verdict) -> None:
    assert join(JoinRule.ONE_DONE, tally(upstreams)) is verdict


@pytest.mark.parametrize("rule", JoinRule)
def test_a_task_without_upstream_runs(rule: JoinRule) -> None:
    assert join(rule, Tally()) is Verdict.RUN


@pytest.mark.parametrize("upstreams", ["o", "Fo", "ooo", "S", "U"])
def test_always_does_not_wait(upstreams: str) -> None:
    assert join(JoinRule.ALWAYS, tally(upstreams)) is Verdict.RUN


@pytest.mark.parametrize(
    ("upstreams", "verdict"),
    [
        ("C", Verdict.CANCELLED),
        ("SC", Verdict.CANCELLED),
        ("CK", Verdict.CANCELLED),
        ("CF", Verdict.UPSTREAM_FAILED),
        ("CU", Verdict.UPSTREAM_FAILED),
        ("CFo", Verdict.UPSTREAM_FAILED),
        ("Co", Verdict.WAIT),  # a failure may still turn the answer into upstream_failed
    ],
)
def test_a_cancelled_upstream_alone_cancels(upstreams: str, verdict: Verdict) -> None:
    assert join(JoinRule.ALL_SUCCESS, tally(upstreams)) is verdict


@pytest.mark.parametrize("rule", JoinRule)
def test_decided_exactly_when_no_ending_could_change_the_answer(rule: JoinRule) -> None:
    """The rule for unfinished upstreams follows from the answers for finished ones; all_done waits for them all."""
    for size in range(1, 5):
        for letters in combinations_with_replacement("SFKUC", size):
            for unfinished in range(1, 4):
                now = tally("".join(letters) + "o" * unfinished)
                possible = {
                    join(rule, tally("".join(letters) + "".join(endings)))
                    for endings in combinations_with_replacement("SFKUC", unfinished)
                }
                is_certain = len(possible) == 1 and rule is not JoinRule.ALL_DONE
                expected = possible.pop() if is_certain else Verdict.WAIT
                assert join(rule, now) is expected, (rule, letters, unfinished)


def test_a_tally_follows_its_upstreams() -> None:
    counted = tally("oo")
    counted.move(TaskState.RUNNING, TaskState.RETRY_WAIT)
    assert counted == tally("oo")
    counted.move(TaskState.RETRY_WAIT, TaskState.SUCCESS)
    assert counted == tally("So")
