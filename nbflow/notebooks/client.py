"""What a runner says to its kernel, and how it reads what the kernel says. Knows no process."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from hmac import compare_digest
from queue import Empty
from typing import Any

import zmq
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.session import Session
from traitlets import Type


class Words(Session):
    """Messages as a runner reads them. Dates stay texts: nobody asks for one, and to parse them took half the time."""

    def deserialize(self, msg_list: Any, content: bool = True, copy: bool = True) -> dict[str, Any]:
        """Raises ValueError for a message that the kernel's key did not sign."""
        signature, *parts = map(bytes, msg_list)
        if self.auth is not None and not compare_digest(signature, self.sign(parts[:4])):
            raise ValueError("a message with a wrong signature")
        header, parent, metadata, body = map(self.unpack, parts[:4])
        if not str(header.get("version", "")).startswith("5."):
            return super().deserialize(msg_list, content, copy)  # a kernel with an old protocol
        about = {"header": header, "msg_id": header["msg_id"], "msg_type": header["msg_type"]}
        rest = {"metadata": metadata, "content": body, "buffers": [memoryview(part) for part in parts[4:]]}
        return {**about, "parent_header": parent, **rest}

    def clone(self) -> Words:
        """The same for every connection of one runner: nothing of it belongs to one."""
        return self


class Channel(AsyncZMQSocketChannel):
    """Hears what arrives also while it sends, as widgets do in the middle of a cell."""

    def send(self, msg: dict[str, Any]) -> None:
        """jupyter_client sends past asyncio, and ZMQ then tells asyncio of nothing that had arrived: it looks again."""
        super().send(msg)
        self.socket.get(zmq.EVENTS)


class Client(AsyncKernelClient):
    """Talks to a kernel."""

    shell_channel_class = Type(Channel)

    def start_channels(self, *_: Any, **__: Any) -> None:
        """Without stdin, so that `input()` fails at once, without a heartbeat, because the process itself is watched,
        and without a control channel: the manager has one."""
        super().start_channels(shell=True, iopub=True, stdin=False, hb=False, control=False)

    def stop_channels(self) -> None:
        """These; jupyter_client's own makes and connects the others first, to see whether they run."""
        for channel in (self.shell_channel, self.iopub_channel):
            channel.stop()

    async def introduce(self) -> Mapping[str, Any]:
        """The kernel's `kernel_info`, once it answers on both channels; asks again and again until then."""
        while True:
            request = self.kernel_info()
            with contextlib.suppress(Empty, TimeoutError):
                reply = await self._recv_reply(request, timeout=1)
                await self._heard_of(request)
                content: Mapping[str, Any] = reply["content"]
                return content

    async def reply_to(self, request: str) -> Mapping[str, Any]:
        """The reply to an earlier request, whenever it comes."""
        reply: Mapping[str, Any] = await self._recv_reply(request)
        return reply

    async def evaluate(self, expression: str) -> str | None:
        """What a kernel shows for the value of an expression; None if it cannot, or does not answer soon."""
        request = self.execute(
            "",
            silent=True,
            store_history=False,
            user_expressions={"value": expression},
            allow_stdin=False,
            stop_on_error=False,
        )
        try:
            reply = await self._recv_reply(request, timeout=5)
            return str(reply["content"]["user_expressions"]["value"]["data"]["text/plain"])
        except (TimeoutError, KeyError, TypeError):
            return None

    async def _heard_of(self, request: str) -> None:
        """Return when iopub has carried anything about the request. Raises Empty: not subscribed yet."""
        while True:
            message = await self.iopub_channel.get_msg(timeout=0.2)
            if message["parent_header"].get("msg_id") == request:
                return
