"""Messages that wait to be sent (ports.Outbox). A decision's notices are kept in the decision's own transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from nbflow import alerts
from nbflow.notice import INCIDENT, Notice, NoticeKind
from nbflow.ports import Claim, Message, MessageState
from nbflow.ports.outbox import messages_of
from nbflow.stores.base import SqlSide
from nbflow.stores.rows import message_of, message_row
from nbflow.stores.schema import SENT, UNSENT, outbox


class SqlOutbox(SqlSide):
    """The outbox of a store."""

    def tell(self, notices: Sequence[Notice]) -> None:
        with self._database.write() as connection:
            keep_notices(connection, notices)

    def claim_message(self, *, now: datetime, ttl: timedelta) -> Claim | None:
        with self._database.read() as connection:
            if _pick(connection, now) is None:  # mostly so: then nobody waits for this
                return None
        with self._database.write() as connection:
            picked = _pick(connection, now)
            if picked is None:
                return None
            lead, joined = picked
            claimed = replace(lead, tries=lead.tries + 1, due=now + ttl)
            _set(connection, [lead.id], tries=claimed.tries, due=claimed.due)
            _set(connection, [each.id for each in joined], state=MessageState.JOINED, lead=lead.id, ended_at=now)
            held = select(outbox.c.notice).where(outbox.c.lead == lead.id).order_by(outbox.c.seq)
            return Claim(message=claimed, held=tuple(connection.scalars(held)))

    def mark_sent(self, message: Message, *, now: datetime) -> None:
        with self._database.write() as connection:
            done = {"state": MessageState.SENT, "done": message.done, "error": "", "ended_at": now}
            connection.execute(update(outbox).where(outbox.c.id == message.id, UNSENT).values(done))

    def put_off_message(self, message: Message, *, due: datetime) -> None:
        with self._database.write() as connection:
            later = {"due": due, "done": message.done, "error": message.error}
            connection.execute(update(outbox).where(_is_held(message)).values(later))

    def drop_message(self, message: Message, *, now: datetime) -> None:
        with self._database.write() as connection:
            given_up = {"state": MessageState.DROPPED, "done": message.done, "error": message.error, "ended_at": now}
            connection.execute(update(outbox).where(_is_held(message)).values(given_up))

    def messages(self, *, only_troubled: bool = False, limit: int = 50) -> Sequence[Message]:
        query = select(outbox).order_by(outbox.c.seq.desc()).limit(limit)
        if only_troubled:
            query = query.where(outbox.c.error != "", outbox.c.state.in_([MessageState.WAITING, MessageState.DROPPED]))
        with self._database.read() as connection:
            return [message_of(row) for row in connection.execute(query).mappings()]


def keep_notices(connection: Connection, notices: Iterable[Notice]) -> None:
    """Those that are news, a message for each channel."""
    for notice in notices:
        if notice.kind is NoticeKind.RECOVERED and _last_incident(connection, notice) is not NoticeKind.FAILED:
            continue
        made = {message.id: message for message in messages_of(notice)}
        known = set(connection.scalars(select(outbox.c.id).where(outbox.c.id.in_(made))))
        if rows := [message_row(message) for message in made.values() if message.id not in known]:
            connection.execute(insert(outbox), rows)


def _last_incident(connection: Connection, notice: Notice) -> NoticeKind | None:
    of_pipeline = select(outbox.c.kind).where(outbox.c.pipeline == notice.pipeline, outbox.c.kind.in_(INCIDENT))
    return connection.scalar(of_pipeline.order_by(outbox.c.seq.desc()).limit(1))


def _pick(connection: Connection, now: datetime) -> tuple[Message, Sequence[Message]] | None:
    groups: dict[tuple[str | None, str], list[Message]] = {}
    for row in connection.execute(select(outbox).where(UNSENT).order_by(outbox.c.seq)).mappings():
        groups.setdefault((row["pipeline"], row["channel"]), []).append(message_of(row))
    for (pipeline, channel), waiting in groups.items():
        about_it = outbox.c.pipeline.is_(None) if pipeline is None else outbox.c.pipeline == pipeline
        sent = select(func.max(outbox.c.ended_at)).where(about_it, outbox.c.channel == channel, SENT)
        if picked := alerts.pick(waiting, connection.scalar(sent), now):
            return picked
    return None


def _set(connection: Connection, ids: Sequence[str], **values: Any) -> None:
    if ids:
        connection.execute(update(outbox).where(outbox.c.id.in_(ids)).values(values))


def _is_held(message: Message) -> ColumnElement[bool]:
    return (outbox.c.id == message.id) & UNSENT & (outbox.c.tries == message.tries)
