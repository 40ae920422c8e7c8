"""Commands about who may do what: user and token."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from nbflow.cli.help import Group
from nbflow.cli.session import Json, Session, command
from nbflow.cli.tables import new_table
from nbflow.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbflow.people import Token, User

PANEL = "People"

Name = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")]
FromInput = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input instead of asking for it.")
]


class RoleWord(StrEnum):
    """What a user may do; each role may do what those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    EDITOR = "editor"
    ADMIN = "admin"


def add_to(app: typer.Typer) -> None:
    user = typer.Typer(cls=Group, no_args_is_help=True)
    command(user, panel=PANEL, name="add")(add_user)
    command(user, panel=PANEL, name="list")(list_users)
    command(user, panel=PANEL, name="role")(set_role)
    command(user, panel=PANEL, name="password")(set_password)
    command(user, panel=PANEL, name="remove")(remove_user)
    app.add_typer(user, name="user", rich_help_panel=PANEL, help="Who may use the app and the REST API.")
    token = typer.Typer(cls=Group, no_args_is_help=True)
    command(token, panel=PANEL, name="create")(create_token)
    command(token, panel=PANEL, name="list")(list_tokens)
    command(token, panel=PANEL, name="revoke")(revoke_token)
    app.add_typer(token, name="token", rich_help_panel=PANEL, help="How programs use the REST API.")


# --- users ----------------------------------------------------------------------------------------------------------


def add_user(
    session: Session,
    name: Name,
    role: Annotated[RoleWord, typer.Option(help="What the user may do.")],
    password_stdin: FromInput = False,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="For a program: it comes with a token and never signs in.")
    ] = False,
) -> None:
    """Add a user; the first one must be admin.

    From then on the app asks everybody to sign in, and may be served on other addresses than this machine's own.
    """
    from nbflow.people import Role

    if password_stdin and no_password:
        raise InvalidInput("--password-stdin and --no-password exclude each other")
    with session.open() as live:
        password = None if no_password else _new_password(password_stdin)
        live.api.add_user(name, Role.parse(role), password=password)
    session.say(f"{name} is {role.value} now")


def list_users(session: Session, as_json: Json = False) -> None:
    """List the users with their roles."""
    from nbflow.shapes import users_document

    with session.open() as live:
        users = live.api.users()
    if as_json:
        session.print_json(users_document(users))
    elif users:
        _print_users(session, users)
    else:
        session.say("There is no user: the app is for this machine alone. The first one:")
        session.say(f"  {session.command('user', 'add', 'NAME', '--role', 'admin')}")


def _print_users(session: Session, users: Sequence[User]) -> None:
    table = new_table("user", "role", "signs in", "since")
    for user in users:
        table.add_row(user.name, user.role.word, "yes" if user.password else "no", _day(user.created_at))
    session.out.print(table)


def set_role(
    session: Session,
    name: Name,
    role: Annotated[RoleWord, typer.Argument(metavar="ROLE", help="viewer, operator, editor or admin.")],
) -> None:
    """Give a user another role; it limits the tokens of the user at once."""
    from nbflow.people import Role

    with session.open() as live:
        live.api.set_role(name, Role.parse(role))
    session.say(f"{name} is {role.value} now")


def set_password(session: Session, name: Name, password_stdin: FromInput = False) -> None:
    """Set a user's password; whoever is signed in by that name is signed out."""
    with session.open() as live:
        live.api.set_password(name, _new_password(password_stdin))
    session.say(f"{name} has a new password")


def remove_user(session: Session, name: Name) -> None:
    """Remove a user with every token; what the user did stays in the history."""
    with session.open() as live:
        live.api.remove_user(name)
    session.say(f"{name} is removed, with every token")


def _new_password(from_input: bool) -> str:
    if from_input:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise InvalidInput("a password is asked for at a terminal", hint="Use --password-stdin to hand one over.")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


# --- tokens ---------------------------------------------------------------------------------------------------------


def create_token(
    session: Session,
    role: Annotated[RoleWord, typer.Option(help="The most that the token may do.")],
    expires: Annotated[
        str, typer.Option(metavar="DURATION", help="How long it is valid, such as 12h or 90d; or never.")
    ],
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who acts by it. Without it, the user of your own name.")
    ] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What it is for; shown in the list.")] = "",
    as_json: Json = False,
) -> None:
    """Make a token for the REST API. It is printed once, and kept nowhere."""
    from nbflow.people import Role
    from nbflow.shapes import new_token_document

    until = _lifetime(expires)
    with session.open() as live:
        made = live.api.create_token(Role.parse(role), expires=until, user=user, note=note)
    if as_json:
        session.print_json(new_token_document(made))
        return
    typer.echo(made.secret)
    session.say(f"token {made.token.id} of {made.token.user}, {role.value}: keep it now, it is not shown again")


def _lifetime(text: str) -> timedelta | None:
    from nbflow.scalars import read_duration

    if text == "never":
        return None
    try:
        return read_duration(text)
    except ValueError as error:
        raise InvalidInput(f"--expires: {error}", hint="Write a duration such as 12h or 90d, or never.") from None


def list_tokens(
    session: Session,
    user: Annotated[str | None, typer.Option(metavar="NAME", help="Only those of this user.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what has ended, and the sessions of browsers.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the tokens that are valid, with what they may do and when they were used last."""
    from nbflow.people import TokenKind
    from nbflow.shapes import tokens_document

    now = datetime.now(UTC)
    with session.open() as live:
        tokens = live.api.tokens(user)
    shown = [each for each in tokens if everything or (each.kind is TokenKind.API and each.is_valid(now))]
    if as_json:
        session.print_json(tokens_document(shown))
    elif shown:
        _print_tokens(session, shown, now)
    else:
        session.say("There is no such token.")


def _print_tokens(session: Session, tokens: Sequence[Token], now: datetime) -> None:
    table = new_table("id", "user", "role", "kind", "valid until", "last used", "note")
    for token in tokens:
        until = _day(token.expires_at) or "always"
        table.add_row(
            str(token.id),
            token.user,
            token.role.word,
            token.kind.value,
            until if token.is_valid(now) else "ended",
            _day(token.last_used_at) or "never",
            token.note,
        )
    session.out.print(table)


def _day(at: datetime | None) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}" if at else ""


def revoke_token(
    session: Session, number: Annotated[int, typer.Argument(metavar="ID", min=1, help="Its number in the list.")]
) -> None:
    """End a token at once."""
    with session.open() as live:
        live.api.revoke_token(number)
    session.say(f"token {number} is revoked")
