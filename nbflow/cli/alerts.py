"""Commands about alerts: whether a channel works, and what was sent."""

from __future__ import annotations

from typing import Annotated

import typer

from nbflow.cli.help import Group
from nbflow.cli.session import Json, Session, command
from nbflow.cli.tables import print_messages

PANEL = "Alerts"


def add_to(app: typer.Typer) -> None:
    alerts = typer.Typer(cls=Group, no_args_is_help=True)
    command(alerts, panel=PANEL, name="test")(try_channel)
    command(alerts, panel=PANEL, name="list")(list_messages)
    app.add_typer(alerts, name="alerts", rich_help_panel=PANEL, help="What people are told, and where.")


def try_channel(
    session: Session,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="A channel of nbflow.toml.")],
) -> None:
    """Send a test message to every address of a channel.

    Exits 1 if an address does not take it.
    """
    with session.open() as live:
        taken = live.api.try_channel(channel)
    session.say(f"sent: {taken} of {taken} addresses of channel {channel} took it")


def list_messages(
    session: Session,
    troubled: Annotated[bool, typer.Option("--troubled", help="Only those that could not be sent.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="How many at most.")] = 20,
    as_json: Json = False,
) -> None:
    """List the messages to people, newest first, and what became of them."""
    from nbflow.shapes import messages_document

    with session.open() as live:
        found = live.api.messages(only_troubled=troubled, limit=limit)
    if as_json:
        session.print_json(messages_document(found))
    elif found:
        print_messages(session.out, found)
    else:
        session.say("There is no such message.")
