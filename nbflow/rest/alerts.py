"""Routes of what people are told, and where."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from nbflow import shapes
from nbflow.api import Api
from nbflow.documents import MessagesDocument
from nbflow.rest.caller import TheApi
from nbflow.rest.routing import route
from nbflow.rest.values import Limit

router = APIRouter(tags=["alerts"])

Channel = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,99}$", description="A channel of nbflow.toml.")]


@route(router, "GET /messages", Api.messages)
def list_messages(
    api: TheApi,
    troubled: Annotated[bool, Query(description="Only those that could not be sent.")] = False,
    limit: Limit = 50,
) -> MessagesDocument:
    """List the messages to people, newest first, and what became of them."""
    return shapes.messages_document(api.messages(only_troubled=troubled, limit=limit))


@route(router, "POST /channels/{channel}/test", Api.try_channel, status=204, errors=[404])
def try_channel(api: TheApi, channel: Channel) -> None:
    """Send a test message to every address of a channel; 503 says which did not take it."""
    api.try_channel(channel)
