"""Messages that wait to be sent."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table

from nbflow.notice import Notice, NoticeKind
from nbflow.ports import MessageState
from nbflow.stores.columns import Instant, Json, Words, one_of
from nbflow.stores.schema.base import SERIAL, is_one_of, metadata, partial_index

# The run is not referred to: a message outlives it, and so does what was told last of a pipeline.
outbox = Table(
    "outbox",
    metadata,
    Column("seq", SERIAL, primary_key=True),
    Column("id", Words, nullable=False, unique=True),
    Column("pipeline", Words),
    Column("channel", Words, nullable=False),
    Column("kind", one_of(NoticeKind, "kind"), nullable=False),
    Column("notice", Json(Notice), nullable=False),
    Column("state", one_of(MessageState, "state"), nullable=False),
    Column("due", Instant, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("lead", Words),
    Column("done", Json(tuple[str, ...]), nullable=False),
    Column("error", Words, nullable=False),
    Column("ended_at", Instant),
    sqlite_autoincrement=True,
)
UNSENT = is_one_of(outbox.c.state, frozenset({MessageState.WAITING}))
SENT = is_one_of(outbox.c.state, frozenset({MessageState.SENT}))
Index(None, outbox.c.pipeline, outbox.c.seq)
partial_index("ix_outbox_unsent", outbox.c.seq, where=UNSENT)
partial_index("ix_outbox_sent", outbox.c.pipeline, outbox.c.channel, outbox.c.ended_at, where=SENT)
partial_index("ix_outbox_lead", outbox.c.lead, where=outbox.c.lead.is_not(None))
