"""What holds for every DAG, every order of facts and every batch (issue: property tests of the core)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from building import NOW, VALUE_ERROR, Play, new_run, pipeline, task
from counting import calls_of
from hypothesis import given, settings
from hypothesis import strategies as st

from nbflow import lifecycle
from nbflow.live import LiveRun
from nbflow.model import Pipeline, Retries, TaskKey
from nbflow.run import AttemptEnded, AttemptStarted, Fact, RunOpened, SlotGranted, StartAttempt
from nbflow.states import AttemptState, Cause, JoinRule, RunState, TaskState


@st.composite
def pipelines(draw: st.DrawFn, rules: Sequence[JoinRule] = tuple(JoinRule), largest: int = 10) -> Pipeline:
    """Any DAG; the manifest's order is not the order of execution."""
    size = draw(st.integers(1, largest))
    names = [f"t{at}" for at in range(size)]
    tasks = []
    for at, name in enumerate(names):
        ups = draw(st.lists(st.sampled_from(names[:at]), unique=True, max_size=4)) if at else []
        tasks.append(
            task(
                name,
                " ".join(ups),
                run_if=draw(st.sampled_from(rules)),
                allow_failure=draw(st.booleans()),
                retries=Retries(max_retries=draw(st.integers(0, 2)), delay=timedelta(seconds=1)),
            )
        )
    return pipeline(*draw(st.permutations(tasks)))


def run_to_the_end(play: Play, slots: int, endings: random.Random) -> list[str]:
    """Execute with `slots` places; returns the names in the order in which attempts started."""
    started: list[str] = []
    while not play.live.has_ended:
        running = [key for key, each in play.live.tasks.items() if each.live]
        free = [key for _, key in play.live.ready()][: slots - len(running)]
        for key in free:
            play.start(key.address)
            started.append(key.address)
        busy = [key for key, each in play.live.tasks.items() if each.live]
        if not busy:
            assert play.live.wake_at() is not None, f"stuck: {play.states()}"
            play.now = play.live.wake_at()
            play.tell()
            continue
        end_somehow(play, endings.choice(busy), endings)
    return started


def end_somehow(play: Play, key: TaskKey, endings: random.Random) -> None:
    match endings.choice("SSSFKL"):
        case "S":
            play.end(key.address)
        case "F":
            play.end(key.address, AttemptState.FAILED, cause=Cause.ERROR, error=VALUE_ERROR)
        case "K":
            play.end(key.address, AttemptState.SKIPPED, reason="nothing to do")
        case "L":
            play.end(key.address, AttemptState.LOST, cause=Cause.LOST, reason="gone")


@given(pipe=pipelines(rules=[JoinRule.ALL_SUCCESS, JoinRule.ALL_DONE]), slots=st.integers(1, 5), seed=st.integers())
def test_every_edge_is_respected_with_any_number_of_slots(pipe: Pipeline, slots: int, seed: int) -> None:
    play = Play(pipe)
    ended_when_started: dict[str, set[str]] = {}
    tell = play.tell

    def noting(*facts: Fact):
        for fact in facts:
            if isinstance(fact, SlotGranted):
                ended = {key.address for key, each in play.live.tasks.items() if each.state.is_terminal}
                ended_when_started[fact.key.address] = ended
        return tell(*facts)

    play.tell = noting  # type: ignore[method-assign]
    run_to_the_end(play, slots, random.Random(seed))
    for name, ended in ended_when_started.items():
        assert set(pipe.tasks[name].depends_on) <= ended


@given(pipe=pipelines(), slots=st.integers(1, 5), seed=st.integers())
def test_every_run_ends_and_is_judged_by_all_its_tasks(pipe: Pipeline, slots: int, seed: int) -> None:
    play = Play(pipe)
    run_to_the_end(play, slots, random.Random(seed))
    assert play.live.run.state is judged_by_definition(play.live)


def judged_by_definition(live: LiveRun) -> RunState:
    """Semantics §2, word by word."""

    def is_excused(key: TaskKey) -> bool:
        if live.tasks[key].state is TaskState.FAILED:
            return live.task(key).allow_failure
        bad = {TaskState.FAILED, TaskState.UPSTREAM_FAILED}
        return all(is_excused(up) for up in live.ups[key] if live.tasks[up].state in bad)

    states = {key: each.state for key, each in live.tasks.items()}
    bad = [key for key, state in states.items() if state in {TaskState.FAILED, TaskState.UPSTREAM_FAILED}]
    if not all(is_excused(key) for key in bad):
        return RunState.FAILED
    return RunState.CANCELLED if TaskState.CANCELLED in states.values() else RunState.SUCCESS


@given(pipe=pipelines(), slots=st.integers(1, 5), seed=st.integers())
def test_the_counts_kept_change_by_change_are_those_counted_afresh(pipe: Pipeline, slots: int, seed: int) -> None:
    play = Play(pipe)
    run_to_the_end(play, slots, random.Random(seed))
    afresh = LiveRun(play.live.run, pipe, play.live.tasks)
    assert play.live.tallies == afresh.tallies
    assert +play.live.counts == +afresh.counts
    assert play.live.unexcused == afresh.unexcused


@settings(max_examples=150)
@given(pipe=pipelines(largest=8), seed=st.integers(), data=st.data())
def test_the_same_facts_in_any_order_and_batches_end_in_the_same_states(
    pipe: Pipeline, seed: int, data: st.DataObject
) -> None:
    """Each attempt's ending is fixed beforehand; when and in which company its facts arrive is not."""
    endings = {name: random.Random(f"{seed}{name}").choice("SFK") for name in pipe.tasks}

    def play_out(shuffle: random.Random) -> dict[str, str]:
        live = new_run(pipe)
        hand_in(live, [RunOpened()])
        pending: list[Fact] = []
        while True:
            grants = [SlotGranted(key=key, token=f"{key.address}") for _, key in live.ready()]
            shuffle.shuffle(grants)
            for order in hand_in(live, grants):
                pending += facts_of(order, endings[order.key.address])
            if not pending:
                return {key.address: str(each.state) for key, each in live.tasks.items()}
            shuffle.shuffle(pending)
            batch = shuffle.randint(1, len(pending))
            hand_in(live, pending[:batch])
            del pending[:batch]

    first = play_out(random.Random(1))
    assert play_out(random.Random(data.draw(st.integers()))) == first


def facts_of(order: StartAttempt, ending: str) -> list[Fact]:
    """Both facts of an attempt, one of them twice: delivery is at least once."""
    state = {"S": AttemptState.SUCCESS, "F": AttemptState.FAILED, "K": AttemptState.SKIPPED}[ending]
    cause = Cause.INVALID if ending == "F" else None  # never retried, so that one attempt tells all
    ended = AttemptEnded(attempt=order.attempt, token=order.token, at=NOW, state=state, cause=cause)
    return [AttemptStarted(attempt=order.attempt, token=order.token, at=NOW), ended, ended]


def hand_in(live: LiveRun, facts: Sequence[Fact]) -> list[StartAttempt]:
    decision = lifecycle.advance(live, facts, NOW)
    live.apply(decision, replace(decision.run, version=live.run.version + 1))
    return [order for order in decision.orders if isinstance(order, StartAttempt)]


def calls_of_a_whole_run(pipe: Pipeline) -> int:
    """What nbflow's rules do for every fact of a run."""
    play = Play(pipe)

    def to_its_end() -> None:
        while not play.live.has_ended:
            _, key = next(iter(play.live.ready()))
            play.start(key.address)
            play.end(key.address)

    return calls_of(to_its_end)


def chain(size: int) -> Pipeline:
    return pipeline(*(task(f"t{at}", f"t{at - 1}" if at else "") for at in range(size)))


def fan(size: int) -> Pipeline:
    middle = [task(f"m{at}", "first") for at in range(size - 2)]
    return pipeline(task("first"), *middle, task("last", " ".join(each.name for each in middle)))


def independent(size: int) -> Pipeline:
    return pipeline(*(task(f"t{at}") for at in range(size)))


@pytest.mark.parametrize("shape", [chain, fan, independent])
def test_the_cost_of_a_fact_does_not_grow_with_the_run(shape) -> None:
    """Two facts a task: ten times the facts cost at most twelve times the work."""
    assert calls_of_a_whole_run(shape(3_300)) <= 12 * calls_of_a_whole_run(shape(330))
