"""Routes of users and tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field, SecretStr

from nbflow import shapes
from nbflow.api import Api, Role
from nbflow.documents import (
    CallerDocument,
    NewTokenDocument,
    TokensDocument,
    UserDocument,
    UsersDocument,
)
from nbflow.people import LONGEST_PASSWORD, SHORTEST_PASSWORD
from nbflow.rest.caller import TheApi
from nbflow.rest.routing import route
from nbflow.rest.values import Body, Duration, RoleWord

router = APIRouter(tags=["people"])

UserName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$", description="A user's name.")]
Password = Annotated[SecretStr, Field(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)]
TokenId = Annotated[int, Path(ge=1, le=2**53, description="A token's number.")]


@route(router, "GET /me", Role.VIEWER)
def show_caller(api: TheApi) -> CallerDocument:
    """Say who asks, and with what role."""
    return shapes.caller(api.caller)


# --- users ----------------------------------------------------------------------------------------------------------


@route(router, "GET /users", Api.users)
def list_users(api: TheApi) -> UsersDocument:
    """List the users by name."""
    return shapes.users_document(api.users())


class NewUser(Body):
    """A person with a password, or a program without."""

    name: UserName
    role: RoleWord
    password: Password | None = None


@route(router, "POST /users", Api.add_user, status=201, errors=[400, 409])
def add_user(api: TheApi, body: NewUser) -> UserDocument:
    """Add a user; the first one must be admin."""
    password = body.password.get_secret_value() if body.password else None
    return shapes.user(api.add_user(body.name, Role.parse(body.role), password=password))


class NewRole(Body):
    role: RoleWord


@route(router, "PATCH /users/{name}", Api.set_role, errors=[400, 404, 409])
def set_role(api: TheApi, name: UserName, body: NewRole) -> UserDocument:
    """Give a user another role; it limits the tokens of the user at once."""
    return shapes.user(api.set_role(name, Role.parse(body.role)))


class NewPassword(Body):
    """`old` is needed by everybody but an admin."""

    password: Password
    old: SecretStr | None = None


@route(router, "PUT /users/{name}/password", Api.set_password, status=204, errors=[400, 404])
def set_password(api: TheApi, name: UserName, body: NewPassword) -> None:
    """Set a password; whoever is signed in by that name is signed out."""
    old = body.old.get_secret_value() if body.old else None
    api.set_password(name, body.password.get_secret_value(), old=old)


@route(router, "DELETE /users/{name}", Api.remove_user, status=204, errors=[404, 409])
def remove_user(api: TheApi, name: UserName) -> None:
    """Remove a user with every token."""
    api.remove_user(name)


# --- tokens ---------------------------------------------------------------------------------------------------------


@route(router, "GET /tokens", Api.tokens, errors=[404])
def list_tokens(
    api: TheApi, user: Annotated[UserName | None, Query(description="Only of this user; for an admin.")] = None
) -> TokensDocument:
    """List one's own tokens and sessions, or as an admin all."""
    return shapes.tokens_document(api.tokens(user))


class NewToken(Body):
    """A token that may do no more than its user and its maker."""

    role: RoleWord
    expires: Duration | None = Field(description="How long it is valid, such as 12h or 90d; null for always.")
    user: UserName | None = Field(default=None, description="Whose it is; one's own without it.")
    note: str = Field(default="", max_length=200, description="What it is for.")


@route(router, "POST /tokens", Api.create_token, status=201, errors=[400, 404])
def create_token(api: TheApi, body: NewToken) -> NewTokenDocument:
    """Make a token. Its secret is in this answer, and nowhere else."""
    made = api.create_token(Role.parse(body.role), expires=body.expires, user=body.user, note=body.note)
    return shapes.new_token_document(made)


@route(router, "DELETE /tokens/{number}", Api.revoke_token, status=204, errors=[404, 409])
def revoke_token(api: TheApi, number: TokenId) -> None:
    """End a token or a session at once."""
    api.revoke_token(number)
