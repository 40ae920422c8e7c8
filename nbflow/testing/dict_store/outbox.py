"""Messages that wait to be sent, in a dict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from nbflow import alerts
from nbflow.notice import INCIDENT, Notice, NoticeKind
from nbflow.ports import Claim, Message, MessageState
from nbflow.ports.outbox import messages_of
from nbflow.testing.dict_store.kept import Kept


class Outbox(Kept):
    def tell(self, notices: Sequence[Notice]) -> None:
        self._keep_notices(notices)

    def claim_message(self, *, now: datetime, ttl: timedelta) -> Claim | None:
        for waiting in self._groups().values():
            about = (waiting[0].notice.pipeline, waiting[0].channel)
            picked = alerts.pick(waiting, self._sent_at(about), now)
            if picked:
                return self._claim(*picked, now, ttl)
        return None

    def mark_sent(self, message: Message, *, now: datetime) -> None:
        if self._messages[message.id].state is MessageState.WAITING:
            self._change(message.id, state=MessageState.SENT, done=message.done, error="", ended_at=now)

    def put_off_message(self, message: Message, *, due: datetime) -> None:
        if self._is_held(message):
            self._change(message.id, due=due, done=message.done, error=message.error)

    def drop_message(self, message: Message, *, now: datetime) -> None:
        if self._is_held(message):
            state = MessageState.DROPPED
            self._change(message.id, state=state, done=message.done, error=message.error, ended_at=now)

    def messages(self, *, only_troubled: bool = False, limit: int = 50) -> Sequence[Message]:
        states = {MessageState.WAITING, MessageState.DROPPED}
        newest = reversed(self._messages.values())
        return [each for each in newest if not only_troubled or (each.error and each.state in states)][:limit]

    def _keep_notices(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            if notice.kind is NoticeKind.RECOVERED and self._last_incident(notice) is not NoticeKind.FAILED:
                continue
            for message in messages_of(notice):
                self._messages.setdefault(message.id, message)

    def _last_incident(self, notice: Notice) -> NoticeKind | None:
        told = (each.notice for each in reversed(self._messages.values()))
        return next((each.kind for each in told if each.pipeline == notice.pipeline and each.kind in INCIDENT), None)

    def _groups(self) -> dict[tuple[str | None, str], list[Message]]:
        groups: dict[tuple[str | None, str], list[Message]] = {}
        for each in self._messages.values():
            if each.state is MessageState.WAITING:
                groups.setdefault((each.notice.pipeline, each.channel), []).append(each)
        return groups

    def _sent_at(self, about: tuple[str | None, str]) -> datetime | None:
        sent = (each for each in self._messages.values() if each.state is MessageState.SENT)
        ends = [each.ended_at for each in sent if (each.notice.pipeline, each.channel) == about and each.ended_at]
        return max(ends, default=None)

    def _claim(self, lead: Message, joined: Sequence[Message], now: datetime, ttl: timedelta) -> Claim:
        self._change(lead.id, tries=lead.tries + 1, due=now + ttl)
        for each in joined:
            self._change(each.id, state=MessageState.JOINED, lead=lead.id, ended_at=now)
        held = tuple(each.notice for each in self._messages.values() if each.lead == lead.id)
        return Claim(message=self._messages[lead.id], held=held)

    def _is_held(self, message: Message) -> bool:
        kept = self._messages[message.id]
        return kept.state is MessageState.WAITING and kept.tries == message.tries

    def _change(self, name: str, **about: object) -> None:
        self._messages[name] = replace(self._messages[name], **about)  # type: ignore[arg-type]  # fields of Message
