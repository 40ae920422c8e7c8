"""What a runner does not wait for when it starts its kernel and parts from it: what jupyter_client waits for itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec
from making import PATIENCE

from nbflow.notebooks.client import Client
from nbflow.notebooks.kernels import Manager


def test_a_start_is_its_steps_and_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []

    def step(name: str, answer: Any = None) -> None:
        async def take(*_: Any, **__: Any) -> Any:
            taken.append(name)
            return answer

        monkeypatch.setattr(Manager, name, take)

    step("pre_start_kernel", ([], {}))
    step("_launch_kernel")
    step("post_start_kernel")
    monkeypatch.setattr(asyncio, "sleep", None)
    asyncio.run(Manager(KernelSpec()).start_kernel())
    assert taken == ["pre_start_kernel", "_launch_kernel", "post_start_kernel"]


def test_only_the_channels_that_are_used_are_ever_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for unused in ("connect_stdin", "connect_control", "connect_hb"):
        monkeypatch.setattr(Client, unused, None)

    async def talk() -> None:
        with zmq.asyncio.Context() as context:
            client = Client(context=context, transport="ipc", ip=str(tmp_path / "kernel"))
            client.shell_port, client.iopub_port = 1, 2
            client.start_channels()
            assert client.channels_running
            client.stop_channels()
            assert not client.channels_running

    asyncio.run(talk())


def test_a_reply_is_heard_that_arrives_while_a_widget_speaks(tmp_path: Path) -> None:
    async def talk() -> None:
        with zmq.asyncio.Context() as context, zmq.Context() as elsewhere:
            client = Client(context=context, transport="ipc", ip=str(tmp_path / "kernel"))
            client.shell_port, client.iopub_port = 1, 2
            client.start_channels()
            with elsewhere.socket(zmq.ROUTER) as kernel:
                kernel.bind(f"ipc://{tmp_path / 'kernel'}-1")
                request = client.execute("1")
                who, *_ = kernel.recv_multipart()
                replying = asyncio.create_task(client.reply_to(request))
                await asyncio.sleep(0)
                about = client.session.msg("execute_reply", {"status": "ok"}, parent={"msg_id": request})
                kernel.send_multipart([who, *client.session.serialize(about)])
                past_asyncio = zmq.Socket.shadow(client.shell_channel.socket.underlying)
                assert past_asyncio.poll(PATIENCE * 1000)  # as it may come about while something is sent
                client.shell_channel.send(client.session.msg("comm_msg", {}))
                reply = await asyncio.wait_for(replying, PATIENCE)
                assert reply["content"] == {"status": "ok"}
            client.stop_channels()

    asyncio.run(talk())
