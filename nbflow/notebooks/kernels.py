"""One kernel, from its start to its end. Knows processes and sockets; what is executed in it is not its business."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import zmq
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from traitlets import Type, default

from nbflow.errors import NbflowError
from nbflow.notebooks import warm
from nbflow.notebooks.client import Client, Words
from nbflow.notebooks.endings import how_it_ended
from nbflow.notebooks.kernelserver import COMMAND_LINE, PARTING
from nbflow.notebooks.kernelspecs import is_ipykernel
from nbflow.notebooks.memory import peak_of, peak_of_the_dead
from nbflow.notebooks.waits import end_of_process, first_of

START_TIMEOUT = 60.0
"""Seconds until a kernel must have answered."""

PULSE = 0.1
"""Seconds between two looks at the kernel's process."""

AFTER_CLOSE = 0.5
"""Seconds that a kernel gets to be gone after it has closed its sockets. Its `atexit` handlers have run by then."""

UNKILLABLE = 5.0
"""Seconds after which a process that SIGKILL does not end (it hangs in the system) is left to the guard."""

PIPE = 1 << 16
"""Bytes that a pipe holds."""

RECONNECT_MS = 2
"""ZMQ's own 100 ms are waited for whenever the client is there before the kernel, which is always."""


ADAPT = (
    "(lambda iopub, control: (iopub.schedule(lambda: iopub.socket.set(__import__('zmq').SNDHWM, 0)),"
    f" __import__('atexit').register(lambda: (control.stop(), control.join({PARTING})))))"
    "(get_ipython().kernel.iopub_thread, get_ipython().kernel.control_thread)"
)
"""Tells ipykernel what `kernelserver` tells a forked one: to queue its output without a limit, as it would drop what a
busy machine has not sent yet; and to end its control thread before the thread that this one speaks through."""


class KernelFailed(NbflowError):
    """The kernel did not start."""


class Manager(AsyncKernelManager):
    """Starts the kernel's process: warm where that is wanted and its description names no way of its own."""

    client_factory: Type[type[Client], type[Client]] = Type(klass=Client)

    def __init__(self, spec: KernelSpec, **traits: Any) -> None:
        """`spec` was looked up already, and is not again."""
        self._spec = spec
        super().__init__(**traits)

    @property
    def kernel_spec(self) -> KernelSpec:
        return self._spec

    @default("context")
    def _context_default(self) -> zmq.asyncio.Context:
        """Of its own connection and its client's.

        Never loses output: ZMQ would drop messages when a thousand are waiting to be read.
        """
        context = super()._context_default()
        context.setsockopt(zmq.RCVHWM, 0)
        context.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        return context

    async def _async_pre_start_kernel(self, **kwargs: Any) -> Any:
        if self.provisioner is None and warm.is_wanted(os.environ):
            self._spec.metadata.setdefault("kernel_provisioner", {"provisioner_name": warm.NAME})
        return await super()._async_pre_start_kernel(**kwargs)

    pre_start_kernel = _async_pre_start_kernel

    async def start_kernel(self, **kwargs: Any) -> None:  # type: ignore[override]
        """Its steps and no more: jupyter_client's own sleeps for 0.01 s then, so that its tests can see the state."""
        command, kwargs = await self.pre_start_kernel(**kwargs)
        await self._launch_kernel(command, **kwargs)
        await self.post_start_kernel(**kwargs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a kernel runs."""

    folder: str
    """Its working folder."""
    env: Mapping[str, str]
    marker: Path
    """Opened for it, so that its descendants can be found."""
    sockets: Path
    """A short private folder of its own."""


class Kernel:
    """The kernel of one attempt, in a session of its own. `exited` is set when its process is gone."""

    def __init__(self, name: str, spec: KernelSpec, place: Place, raw: Callable[[bytes], None]) -> None:
        """`raw` is called with what the process writes to its descriptors 1 and 2, and with nothing at its end."""
        self.exited = asyncio.Event()
        self.returncode: int | None = None
        """Negative for a signal; None while it runs."""
        self.info: Mapping[str, Any] = {}
        """What it said of itself when it answered first; empty before."""
        self.peak_memory: int | None = None
        """Bytes that its process had at most, as far as seen."""
        self.left_nothing = False
        """It has ended, and certainly no process lives that it has started."""
        self.manager = Manager(
            spec, session=Words(), kernel_name=name, connection_file=str(place.sockets / "kernel.json")
        )
        if is_ipykernel(spec):
            self.manager.transport, self.manager.ip = "ipc", str(place.sockets / "kernel")
        self._spec, self._place, self._raw = spec, place, raw
        self._client: Client | None = None
        self._watch: asyncio.Task[None] | None = None
        self._reading: int | None = None
        self._pulse = PULSE
        self._is_doomed = False

    @property
    def has_started(self) -> bool:
        return bool(self.info)

    @property
    def language_info(self) -> Mapping[str, Any]:
        """As nbformat keeps it."""
        found = self.info.get("language_info")
        return found if isinstance(found, dict) and "name" in found else {}

    @property
    def how_started(self) -> str:
        """`cold`, unless its provisioner knows better."""
        return str(getattr(self.manager.provisioner, "start", "cold"))

    @property
    def client(self) -> Client:
        assert self._client is not None
        return self._client

    async def start(self) -> None:
        """Return when the kernel answers. Raises KernelFailed."""
        try:
            await self._launch()
        except Exception as error:  # whatever a kernel's description can make a provisioner do
            raise KernelFailed(f"the kernel could not be started: {error}") from error
        self._watch = asyncio.create_task(self._watch_process())
        if self._is_doomed:
            await self.kill()
        await first_of(self._listens(), self.exited.wait(), timeout=START_TIMEOUT)
        self._client = cast("Client", self.manager.client(context=self.manager.context))
        self.client.start_channels()
        introduction = asyncio.create_task(self.client.introduce())
        await first_of(introduction, self.exited.wait(), timeout=START_TIMEOUT)
        if introduction.done():
            self.info = introduction.result()
            if is_ipykernel(self._spec) and self.how_started == "cold":  # a forked one knows
                await first_of(self.client.evaluate(ADAPT), self.exited.wait())
            return
        introduction.cancel()
        if self.returncode is not None:
            raise KernelFailed(f"the kernel {how_it_ended(self.returncode)} before it answered")
        raise KernelFailed(f"the kernel did not answer within {START_TIMEOUT:g} s")

    async def interrupt(self) -> None:
        """The way its description asks for: by signal or by message."""
        if not self.exited.is_set():
            await self.manager.interrupt_kernel()

    async def kill(self) -> None:
        """SIGKILL for its process group; returns when it is gone. A kernel that is being started is killed then."""
        self._is_doomed = True
        if self._watch is not None and not self.exited.is_set():
            self._pulse = PULSE / 10
            await self._provisioner.kill()
            await first_of(self.exited.wait(), timeout=UNKILLABLE)

    async def shut_down(self, limit: float) -> None:
        """Let it end in order, `atexit` handlers included, for at most `limit` seconds; kill it then.

        It has closed its sockets when the handlers have run. What it may still wait for after that is a thread of its
        own that hangs, so it gets little time from there.
        """
        if not self.exited.is_set():
            self._pulse = PULSE / 10
            closed = self.client.iopub_channel.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
            await self.manager.request_shutdown()
            await first_of(self.exited.wait(), closed.recv_multipart(), timeout=limit)
            await first_of(self.exited.wait(), timeout=min(limit, AFTER_CLOSE))
            await self.kill()

    async def close(self) -> None:
        """Kill what is left, and let go of everything."""
        await self.kill()
        if self._reading is not None:
            self._read()
            self._stop_reading()
        if self._client is not None:
            self._client.stop_channels()
        await self.manager.cleanup_resources()

    # --- the process ------------------------------------------------------------------------------------------------

    async def _launch(self) -> None:
        self._reading, writing = os.pipe()  # neither is inherited by anybody
        os.set_blocking(self._reading, False)
        asyncio.get_running_loop().add_reader(self._reading, self._read)
        marker = os.open(self._place.marker, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            await self.manager.start_kernel(
                cwd=self._place.folder,
                env=dict(self._place.env),
                stdout=writing,
                stderr=writing,
                pass_fds=(marker,),
                extra_arguments=[*COMMAND_LINE] if is_ipykernel(self._spec) else [],
            )
        finally:
            os.close(writing)
            os.close(marker)

    async def _listens(self) -> None:
        """Return when a kernel that tells so has its sockets: trying to connect before costs more than waiting."""
        if isinstance(self._provisioner, warm.WarmProvisioner):
            await self._provisioner.listens()

    @property
    def _provisioner(self) -> KernelProvisionerBase:
        assert self.manager.provisioner is not None
        return self.manager.provisioner

    async def _watch_process(self) -> None:
        while (returncode := await self._provisioner.poll()) is None:
            self.peak_memory = peak_of(getattr(self._provisioner, "pid", None), self.peak_memory)
            await first_of(self._ended(), timeout=self._pulse)
        self.returncode = returncode
        self.peak_memory = self._peak_of_all()
        process = getattr(self._provisioner, "process", None)
        self.left_nothing = isinstance(process, warm.ForkedKernel) and not process.has_left_orphans
        self.exited.set()

    async def _ended(self) -> None:
        """Return at the end of a process that can be waited for; never, where only looking tells."""
        process, pid = getattr(self._provisioner, "process", None), getattr(self._provisioner, "pid", None)
        if isinstance(process, warm.ForkedKernel):
            await process.ended()
        elif process is not None and pid is not None:
            await end_of_process(pid)
        else:
            await asyncio.Event().wait()

    def _peak_of_all(self) -> int | None:
        process = getattr(self._provisioner, "process", None)
        if isinstance(process, warm.ForkedKernel):
            return max(filter(None, (self.peak_memory, process.peak_memory)), default=None)
        return peak_of_the_dead(self.peak_memory)

    @property
    def how_it_ended(self) -> int | None:
        """`returncode`, or None where the process's parent died before it could tell."""
        is_known = getattr(getattr(self._provisioner, "process", None), "is_known", True)
        return self.returncode if is_known else None

    def _read(self) -> None:
        """Take what the pipe has: all that fits into one, so nothing of a dead kernel is left."""
        assert self._reading is not None
        with contextlib.suppress(BlockingIOError):
            if data := os.read(self._reading, PIPE):
                self._raw(data)
            else:
                self._stop_reading()

    def _stop_reading(self) -> None:
        """At the pipe's end, or when the kernel is gone: whoever it has started can hold the pipe open for ever."""
        if self._reading is not None:
            self._raw(b"")
            asyncio.get_running_loop().remove_reader(self._reading)
            os.close(self._reading)
            self._reading = None
