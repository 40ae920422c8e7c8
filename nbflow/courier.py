"""Send what waits in the outbox: claim, read what there is to say, send, and only then note it as sent."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Event
from typing import Protocol

from nbflow import messages, repair
from nbflow.alerts import backoff
from nbflow.errors import NbflowError, NotFound, Unavailable
from nbflow.estimates import Past
from nbflow.failpoints import failpoint
from nbflow.live import LiveRun
from nbflow.messages import Facts, Failure
from nbflow.model import PipelineName, TaskKey
from nbflow.notice import Notice, NoticeKind
from nbflow.ports import Claim, Clock, Letter, Logs, Notifier, Outbox, ReadStore
from nbflow.run import Attempt, Run
from nbflow.states import RunState, TaskState

TTL = timedelta(minutes=5)
"""How long a claim holds: longer than a notifier needs for the addresses of a channel."""

GIVE_UP = timedelta(hours=24)
"""A message that could not be sent for so long is dropped, and `nbflow doctor` says so."""

EVERY = 2.0
"""Seconds between two looks at an outbox where nothing is due."""

LINES = 20
"""Lines of the failing cell's output in a mail."""


_log = logging.getLogger(__name__)


class Store(Outbox, ReadStore, Protocol):
    """The outbox, and what the messages are about."""


class Courier:
    """One sender of messages; several may work on one outbox. Raises only for a store that is away.

    `slots` and `pools` are what an estimate of a run's end goes by.
    """

    def __init__(
        self,
        *,
        store: Store,
        logs: Logs,
        notifier: Notifier,
        server_url: str | None = None,
        slots: int = 1,
        pools: Mapping[str, int] | None = None,
    ) -> None:
        self._store, self._logs, self._notifier, self._server_url = store, logs, notifier, server_url
        self._slots, self._pools = slots, pools or {}

    def deliver(self, now: datetime) -> bool:
        """Send the next message; False where none is due. Takes as long as the channel's addresses need."""
        claim = self._store.claim_message(now=now, ttl=TTL)
        if claim is None:
            return False
        failpoint("courier.claimed")
        message = claim.message
        delivery = self._notifier.send(message.channel, self._letter(claim, now), message.done)
        failpoint("courier.sent")
        message = replace(message, done=delivery.done, error="; ".join(delivery.errors))
        if not delivery.errors:
            self._store.mark_sent(message, now=now)
        elif now - message.notice.at > GIVE_UP:
            self._store.drop_message(message, now=now)
        else:
            self._store.put_off_message(message, due=now + backoff(message.tries))
        return True

    def work(self, clock: Clock, stop: Event, *, is_last: bool = False) -> None:
        """Send whatever is due until `stop`, in a thread of its own: no fault of a message or a store ends it.

        With `is_last` this also ends where nothing is due.
        """
        while not stop.is_set():
            try:
                is_busy = self.deliver(clock.now())
            except Unavailable:  # whoever writes to the store says so
                is_busy = False
            except Exception:
                if stop.is_set():  # the store is being closed
                    return
                _log.exception("a message could not be made; it is tried again")
                is_busy = False
            if not is_busy and is_last:
                return
            if not is_busy:
                stop.wait(EVERY)

    def _letter(self, claim: Claim, now: datetime) -> Letter:
        message, notice = claim.message, claim.message.notice
        facts = Facts(message=message.id, notice=notice, held=claim.held, server_url=self._server_url)
        try:
            facts = self._with_run(facts, notice, now)
        except NotFound:  # it is no longer kept; what the notice says must do
            pass
        except NbflowError:
            raise
        except Exception:
            _log.exception("what message %s is about cannot be read; it says less", message.id)
        return messages.render(facts)

    # --- what there is to say --------------------------------------------------------------------------------

    def _with_run(self, facts: Facts, notice: Notice, now: datetime) -> Facts:
        if notice.pipeline is None:
            return facts
        facts = replace(facts, last_good=self._last_good(notice.pipeline, notice))
        if notice.run is None:
            return facts
        stored = self._store.load(notice.run)
        live = LiveRun(stored.run, stored.pipeline, stored.tasks)
        facts = replace(facts, run=stored.run)
        if notice.kind is NoticeKind.FAILED and notice.key is not None:
            return replace(facts, failure=self._failure(live, notice.key, notice))
        if notice.kind in {NoticeKind.LATE, NoticeKind.OVERRUN}:
            estimate = self._past(notice.pipeline).finish(live, now)
            return replace(facts, ready=estimate.ready if estimate else None)
        return facts

    def _failure(self, live: LiveRun, key: TaskKey, notice: Notice) -> Failure:
        task_run, tried = live.get(key), self._store.attempts(live.run.id).get(key, ())
        shown = next((each for each in tried if each.number == notice.attempt), None)
        others = (each for each in live.tasks.values() if each.state is TaskState.FAILED and each.key != key)
        blocked = (each for each in repair.below(live, [key]) if live.tasks[each].state is TaskState.UPSTREAM_FAILED)
        has_failed = task_run.state is TaskState.FAILED  # else somebody has repaired it meanwhile
        return Failure(
            reason=task_run.reason if has_failed or shown is None else _reason(shown),
            cause=task_run.cause if has_failed or shown is None else shown.cause,
            attempts=notice.attempt or 0,
            allowed=live.task(key).retries.max_retries + 1,
            failing_cell=shown.failing_cell if shown else None,
            cell=self._logs.failing_cell(shown, live.run.pipeline, lines=LINES) if shown else None,
            blocked=tuple(each.address for each in blocked),
            also_failed=tuple(each.key.address for each in others),
        )

    def _last_good(self, pipeline: PipelineName, notice: Notice) -> Run | None:
        good = self._store.list_runs(pipeline=pipeline, state=RunState.SUCCESS, limit=2)
        return next((run for run in good if run.id != notice.run), None)

    def _past(self, pipeline: PipelineName) -> Past:
        return Past(seconds=self._store.durations(pipeline), good=(), slots=self._slots, pools=self._pools)


def _reason(attempt: Attempt) -> str:
    return f"{attempt.error.name}: {attempt.error.message}" if attempt.error else attempt.reason
