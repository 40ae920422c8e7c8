"""What is sent, what is tried again, and what is given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import time, timedelta
from threading import Event
from typing import Any

import pytest

from nbflow.alerts import QUIET, backoff
from nbflow.courier import GIVE_UP, TTL, Courier
from nbflow.lookout import Lookout
from nbflow.model import Alerts, TaskKey, TaskName
from nbflow.notice import NoticeKind
from nbflow.ports import Delivery, FailedCell, Letter, MessageState
from nbflow.run import Attempt
from nbflow.states import AttemptState, Cause, RunKind, RunState, TaskState
from nbflow.testing.clock import FakeClock
from nbflow.testing.dict_store import DictStore
from nbflow.testing.samples import NOW, a_frozen, a_run, add, an_attempt, full_notice, save, task_runs

CELL = FailedCell(number=3, source="check(orders)", output=("ValueError: bad country",))


@dataclass
class FakeNotifier:
    """Keeps what it is given; `errors` are what it answers, one call each, then nothing but success."""

    errors: list[str] = field(default_factory=list)
    sent: list[tuple[str, Letter]] = field(default_factory=list)

    def send(self, channel: str, letter: Letter, done: Sequence[str] = ()) -> Delivery:
        self.sent.append((channel, letter))
        error = self.errors.pop(0) if self.errors else ""
        return Delivery(done=(*done, f"try {len(self.sent)}"), errors=(error,) if error else ())


class FakeLogs:
    def failing_cell(self, attempt: Attempt, pipeline: str, *, lines: int) -> FailedCell:
        return CELL


@pytest.fixture
def store() -> DictStore:
    return DictStore()


@pytest.fixture
def notifier() -> FakeNotifier:
    return FakeNotifier()


@pytest.fixture
def courier(store: DictStore, notifier: FakeNotifier) -> Courier:
    return Courier(store=store, logs=FakeLogs(), notifier=notifier, server_url="http://here")


def a_notice(name: str, **about: Any) -> Any:
    return full_notice(id=name, run=None, key=None, attempt=None, at=NOW, **about)


def a_failed_run(store: DictStore) -> None:
    frozen = a_frozen("extract", "load")
    lease = add(store, "r1", frozen)
    extract, load = task_runs(frozen)
    attempt = an_attempt(
        "r1", "extract", 2, state=AttemptState.FAILED, cause=Cause.ERROR, reason="ValueError: bad", failing_cell=3
    )
    failed = {"state": TaskState.FAILED, "cause": Cause.ERROR, "reason": "ValueError: bad", "attempts": 2}
    notice = full_notice(key=TaskKey(TaskName("extract")), attempt=2, at=NOW)
    save(store, lease, tasks=[replace(extract, **failed), load], attempts=[attempt], notices=[notice])


def test_a_failure_is_told_with_what_its_log_and_its_run_say(
    store: DictStore, courier: Courier, notifier: FakeNotifier
) -> None:
    good = a_run("r0", state=RunState.SUCCESS, created_at=NOW - timedelta(days=1), ended_at=NOW)
    frozen = a_frozen("extract", "load")
    store.add_run(good, task_runs(frozen), frozen, None)
    a_failed_run(store)
    assert courier.deliver(NOW)
    [(channel, letter)] = notifier.sent
    assert (channel, letter.id) == ("ops", "failed/r1/4/ops")
    assert "ValueError: bad — in cell 3" in letter.text
    assert "check(orders)" in letter.text
    assert "http://here/pipelines/nightly/runs/r1/tasks/extract/2#c3" in letter.text
    assert "last good run  for 2026-04-01, ended" in letter.text
    assert not courier.deliver(NOW)
    assert [message.state for message in store.messages()] == [MessageState.SENT]


def test_a_message_about_a_run_that_is_gone_is_sent_all_the_same(
    store: DictStore, courier: Courier, notifier: FakeNotifier
) -> None:
    store.tell([full_notice(at=NOW)])
    assert courier.deliver(NOW)
    assert notifier.sent[0][1].subject == "✕ nightly failed: fit.3"


def test_a_message_about_a_run_that_cannot_be_read_is_sent_all_the_same(
    store: DictStore, courier: Courier, notifier: FakeNotifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold up all that follows it: one that was tried goes before the others."""
    a_failed_run(store)
    monkeypatch.setattr(FakeLogs, "failing_cell", lambda *_, **__: 1 / 0)
    assert courier.deliver(NOW)
    assert notifier.sent[0][1].subject == "✕ nightly failed: extract"
    assert [message.state for message in store.messages()] == [MessageState.SENT]


def test_what_could_not_be_sent_is_tried_again_with_the_same_id_and_longer_waits(
    store: DictStore, courier: Courier, notifier: FakeNotifier
) -> None:
    store.tell([a_notice("a")])
    notifier.errors = ["no route", "no route"]
    now = NOW
    for wait in (timedelta(minutes=1), timedelta(minutes=2)):
        assert courier.deliver(now)
        [message] = store.messages(only_troubled=True)
        assert (message.error, message.due) == ("no route", now + wait)
        assert not courier.deliver(message.due - timedelta(seconds=1))
        now = message.due
    assert courier.deliver(now)
    assert store.messages(only_troubled=True) == []
    assert [letter.id for _, letter in notifier.sent] == ["a/ops"] * 3
    assert store.messages()[0].done == ("try 1", "try 2", "try 3")


def test_the_waits_grow_to_an_hour() -> None:
    assert [backoff(tries) // timedelta(minutes=1) for tries in (1, 2, 3, 4, 5, 6, 7, 8, 99)] == [
        1,
        2,
        4,
        8,
        16,
        32,
        60,
        60,
        60,
    ]


def test_after_a_day_it_is_given_up(store: DictStore, courier: Courier, notifier: FakeNotifier) -> None:
    store.tell([a_notice("a")])
    notifier.errors = ["no route", "no route"]
    courier.deliver(NOW)
    late = NOW + GIVE_UP + timedelta(seconds=1)
    assert courier.deliver(late)
    [message] = store.messages(only_troubled=True)
    assert (message.state, message.error) == (MessageState.DROPPED, "no route")
    assert not courier.deliver(late + QUIET)


def test_an_incident_that_fails_every_five_minutes_does_not_flood(
    store: DictStore, courier: Courier, notifier: FakeNotifier
) -> None:
    for minutes in range(0, 24 * 60, 5):
        now = NOW + timedelta(minutes=minutes)
        store.tell([full_notice(id=f"failed/{minutes}", at=now)])
        while courier.deliver(now):
            pass
    assert len(notifier.sent) == 24
    first, *others = (letter.text for _, letter in notifier.sent)
    assert "held back" not in first
    assert all("11 messages before this one were held back: 11 failed." in text for text in others)


def test_the_work_goes_on_after_whatever_fault_and_ends_when_told(courier: Courier, store: DictStore) -> None:
    stop, calls = Event(), []

    class Broken:
        def send(self, *_: object) -> Delivery:
            calls.append(1)
            stop.set()
            raise ZeroDivisionError

    store.tell([a_notice("a")])
    broken = Courier(store=store, logs=FakeLogs(), notifier=Broken())
    broken.work(FakeClock(NOW), stop)
    assert calls == [1]
    courier.work(FakeClock(NOW + TTL), Event(), is_last=True)
    assert store.messages()[0].state is MessageState.SENT


# --- the lookout ----------------------------------------------------------------------------------------------------


def test_a_run_that_cannot_be_read_keeps_no_other_from_being_told_of(
    store: DictStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts = Alerts(on_late=("ops",), late_after=time(6, 30))
    for run, pipeline in (("r1", "daily"), ("r2", "nightly"), ("r3", "weekly")):
        frozen = a_frozen("extract", pipeline=pipeline)
        frozen = replace(frozen, pipeline=replace(frozen.pipeline, alerts=alerts))
        add(store, a_run(run, frozen, kind=RunKind.SCHEDULED, created_at=NOW), frozen)
    load = store.load
    monkeypatch.setattr(store, "load", lambda run: {}["of another version"] if run == "r2" else load(run))
    Lookout(store).look(NOW + timedelta(days=2))
    assert {message.notice.run for message in store.messages()} == {"r1", "r3"}


def test_the_lookout_tells_an_overrun_once_and_again_after_the_next_attempt(store: DictStore) -> None:
    frozen = a_frozen("extract")
    frozen = replace(frozen, pipeline=replace(frozen.pipeline, alerts=Alerts(on_late=("ops",))))
    for at in range(5):
        made = a_run(f"old{at}", frozen, created_at=NOW - timedelta(days=at + 1), state=RunState.SUCCESS)
        ended = {"state": AttemptState.SUCCESS, "started_at": NOW - timedelta(seconds=60), "ended_at": NOW}
        save(store, add(store, made, frozen), attempts=[an_attempt(f"old{at}", "extract", **ended)])
    lease = add(store, "r1", frozen)
    [waiting] = task_runs(frozen)

    def begin(number: int, at: timedelta) -> None:
        started = {"state": AttemptState.RUNNING, "started_at": NOW + at}
        running = replace(waiting, state=TaskState.RUNNING, attempts=number)
        attempt = an_attempt("r1", "extract", number, **started)
        save(store, lease, run={"state": RunState.RUNNING}, tasks=[running], attempts=[attempt])

    begin(1, timedelta(0))
    lookout = Lookout(store)
    for minutes in (5, 12, 13):
        lookout.look(NOW + timedelta(minutes=minutes))
    Lookout(store).look(NOW + timedelta(minutes=14))  # after a restart
    assert [message.id for message in store.messages()] == ["overrun/r1/extract/1/ops"]
    assert store.messages()[0].notice.kind is NoticeKind.OVERRUN
    ended = an_attempt("r1", "extract", 1, state=AttemptState.LOST, started_at=NOW, ended_at=NOW)
    save(store, lease, attempts=[ended])
    begin(2, timedelta(minutes=15))
    lookout.look(NOW + timedelta(minutes=30))
    assert [message.id for message in store.messages()] == ["overrun/r1/extract/2/ops", "overrun/r1/extract/1/ops"]
