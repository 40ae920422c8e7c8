"""What a runner does not wait for when it starts its kernel and parts from it: what jupyter_client waits for itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec

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
