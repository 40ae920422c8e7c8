"""The door to messages that wait to be sent. They are written with what they tell of, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, Protocol

from nbflow.notice import Notice


class MessageState(StrEnum):
    """`joined`: held back, and counted in a later message. `dropped`: given up."""

    WAITING = "waiting"
    JOINED = "joined"
    SENT = "sent"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A notice on its way to one channel."""

    id: str
    """Stays the same however often it is sent."""
    channel: str
    notice: Notice
    due: datetime
    """Not to be claimed before."""
    state: MessageState = MessageState.WAITING
    tries: int = 0
    """How often it was claimed."""
    lead: str | None = None
    """Of a joined one: the message that counts it."""
    done: tuple[str, ...] = ()
    """Marks of the channel's addresses that have taken it."""
    error: str = ""
    """Why the last try failed."""
    ended_at: datetime | None = None
    """When it was sent, joined or dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to send one message until its `due`; `held` are those it counts, oldest first."""

    message: Message
    held: tuple[Notice, ...] = ()


class Outbox(Protocol):
    """Messages, durable. Every method is one transaction.

    A notice becomes one message for each of its channels. A notice that is there already is passed over, and so is a
    recovery of a pipeline whose last failure or recovery in the outbox is no failure.
    """

    def tell(self, notices: Sequence[Notice]) -> None:
        """Keep notices that no decision and no tick carries."""
        ...

    def claim_message(self, *, now: datetime, ttl: timedelta) -> Claim | None:
        """The next message to send, by the rule of `alerts.pick`; nobody else gets it for `ttl`. None: nothing to do.

        A message whose sender died is claimed again after that, with the same id and the same held ones.
        """
        ...

    def mark_sent(self, message: Message, *, now: datetime) -> None:
        """It has been sent to all; nothing happens where that is known already."""
        ...

    def put_off_message(self, message: Message, *, due: datetime) -> None:
        """Try again at `due`; `message` has the error, and the addresses that took it.

        Nothing happens if it was claimed by another sender meanwhile.
        """
        ...

    def drop_message(self, message: Message, *, now: datetime) -> None:
        """Never try it again; `message` has the error. Nothing happens if it was claimed by another meanwhile."""
        ...

    def messages(self, *, only_troubled: bool = False, limit: int = 50) -> Sequence[Message]:
        """Newest first. A troubled one was dropped, or waits after a try that failed."""
        ...


def messages_of(notice: Notice) -> tuple[Message, ...]:
    """What a store keeps of a new notice."""
    return tuple(
        Message(id=f"{notice.id}/{channel}", channel=channel, notice=notice, due=notice.at)
        for channel in notice.channels
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What a message says, in the forms that channels take."""

    id: str
    """The message's."""
    subject: str
    """One line."""
    text: str
    html: str
    short: str
    """A few lines for a chat, to go under the subject."""
    tone: Literal["failure", "warning", "success", "info"] = "info"
    """What some services colour it by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a letter."""

    done: tuple[str, ...] = ()
    """Marks of the addresses that have taken it, now or before."""
    errors: tuple[str, ...] = ()
    """Why the others have not. Empty: it has been sent."""


class Notifier(Protocol):
    """The way out to people."""

    def send(self, channel: str, letter: Letter, done: Sequence[str] = ()) -> Delivery:
        """Give the letter to every address of the channel whose mark is not in `done`.

        Never raises, and returns within a minute an address.
        """
        ...
