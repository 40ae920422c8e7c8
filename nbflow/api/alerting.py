"""Messages to people: whether a channel works, and what became of those that were sent."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from nbflow.api.bound import Bound
from nbflow.api.roles import Role, needs
from nbflow.errors import NotFound, Unavailable
from nbflow.ports import Message
from nbflow.text import did_you_mean


class Alerting(Bound):
    """Reads and commands about alerts."""

    @needs(Role.ADMIN)
    def try_channel(self, channel: str) -> int:
        """Send a message that says it is a test; returns how many addresses took it.

        Raises NotFound for a channel that nbflow.toml does not have, Unavailable with each address that failed.
        """
        if channel not in self._channels:
            hint = did_you_mean(channel, self._channels) or f'Write [channels.{channel}] with urls = ["mailto://…"].'
            raise NotFound(f"nbflow.toml has no channel '{channel}'", hint=hint)
        from nbflow import messages

        letter = messages.trial(f"test/{uuid4()}", channel, self._project)
        delivery = self._notifier.send(channel, letter)
        if delivery.errors:
            raise Unavailable("; ".join(delivery.errors), hint="Check the address in nbflow.toml, and the network.")
        return len(delivery.done)

    @needs(Role.VIEWER)
    def messages(self, *, only_troubled: bool = False, limit: int = 50) -> Sequence[Message]:
        """What was told to people, newest first; the troubled ones could not be sent."""
        return self._store.messages(only_troubled=only_troubled, limit=limit)
