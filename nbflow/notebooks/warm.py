"""Warm kernels: a Jupyter kernel provisioner that has the kernel forked by a process with ipykernel imported.

Where that cannot be done (another language, an unusual command, no server to be had) the kernel starts the ordinary
way, and `start` says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from nbflow.errors import Unavailable
from nbflow.notebooks import forkserver, kernelserver, servers
from nbflow.notebooks.environment import IDLE, PRELOAD, SPARE, START
from nbflow.notebooks.waits import readable

NAME = "nbflow-warm"
"""Of the provisioner, as an entry point."""

PARENT = "JPY_PARENT_PID"
"""Makes a kernel end when it loses its parent: a forked one would end with its server."""

LAUNCHER = ["-m", "ipykernel_launcher"]
ANSWER = 20.0
"""Seconds that a server may take over its imports and one fork; after that the kernel starts the ordinary way."""


def is_wanted(env: Mapping[str, str]) -> bool:
    """Only Linux can tie a forked kernel to its runner."""
    return sys.platform == "linux" and env.get(START) == "warm"


def start_server(kernel: str, env: Mapping[str, str]) -> Path | None:
    """See to it that a fresh server for this kernel and environment is there. Raises OSError, NoSuchKernel.

    Returns its address, None where the kernel is to start the ordinary way. Called by whoever outlives the attempts:
    what an attempt itself starts ends with it.
    """
    command = list(KernelSpecManager().get_kernel_spec(kernel).argv)
    if command[0] in {"python", f"python{sys.version_info[0]}", f"python{sys.version_info[0]}.{sys.version_info[1]}"}:
        command[0] = sys.executable
    if not is_wanted(env) or (split := _split(command)) is None:
        return None
    plain = {name: value for name, value in env.items() if not name.startswith("NBFLOW_") and name != PARENT}
    at = _address(split[0], env)
    for _ in range(2):
        if _is_fresh(servers.reach(at, _server(split[0], env), plain)):
            break
    return at


def is_fresh(at: Path) -> bool:
    """Whether the server at this address is there, and has imported what is installed now."""
    try:
        return _is_fresh(servers.connect(at))
    except OSError:
        return False


def _is_fresh(connection: socket.socket) -> bool:
    with connection:
        connection.settimeout(ANSWER)
        connection.sendall(b'{"ping": true}\n')
        return b"fresh" in connection.recv(4096)


def _server(interpreter: Sequence[str], settings: Mapping[str, str]) -> list[str]:
    """The command line of the server for kernels of this interpreter."""
    preload = [name for name in settings.get(PRELOAD, "").split(",") if name]
    command = [*interpreter, str(Path(kernelserver.__file__)), "--idle", settings.get(IDLE, "600")]
    command += ["--spare", settings.get(SPARE, "0")]
    return [*command, "--preload", *preload] if preload else command


def _address(interpreter: Sequence[str], env: Mapping[str, str], settings: Mapping[str, str] | None = None) -> Path:
    """Of a server with this very code: one that an upgrade of nbflow has left running is not asked any more."""
    edition = str(max(Path(str(part.__file__)).stat().st_mtime_ns for part in (kernelserver, forkserver)))
    return servers.address("kernel", [*_server(interpreter, env if settings is None else settings), edition], env)


def _split(command: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """The interpreter with its flags, and the kernel's own arguments; None for an unusual command."""
    words = list(command)
    for at in range(1, len(words) - 1):
        if words[at : at + 2] == LAUNCHER:
            flags = words[1:at]
            return (words[:at], words[at + 2 :]) if all(flag.startswith("-") for flag in flags) else None
    return None


class WarmProvisioner(LocalProvisioner):
    """Like the local provisioner in everything but the launch, and the wait, which ends with the process."""

    start = "cold"
    """How the kernel was started in fact."""
    process: Any
    _death: int | None = None
    _ready: int | None = None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        split = _split(cmd)
        if split is not None and is_wanted(os.environ):
            with contextlib.suppress(OSError, ValueError, Unavailable):
                await self._fork(*split, **kwargs)
                self.start = "warm"
                return self.connection_info
        return await super().launch_kernel(cmd, **kwargs)

    async def _fork(self, interpreter: Sequence[str], arguments: Sequence[str], **kwargs: Any) -> None:
        env = {name: value for name, value in kwargs["env"].items() if name != PARENT}
        folder = os.open(kwargs.get("cwd") or Path.cwd(), os.O_RDONLY | os.O_DIRECTORY)
        (reading, writing), (ready, listening) = os.pipe(), os.pipe()
        try:
            given = [_descriptor(kwargs["stdout"]), reading, listening, folder]
            about = {"argv": list(arguments), "marker": str(Path(f"/proc/self/fd/{kwargs['pass_fds'][0]}").readlink())}
            connection = servers.connect(_address(interpreter, env, os.environ))
            try:
                self.process = await _fork_kernel(connection, env, given, about)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            os.close(writing)
            os.close(ready)
            raise
        finally:
            for descriptor in (reading, listening, folder):
                os.close(descriptor)
        self._death, self._ready = writing, ready  # the first is held until we end: then the kernel ends too
        self.pid = self.pgid = self.process.pid
        self.cwd = kwargs.get("cwd")

    async def listens(self) -> None:
        """Return when a forked kernel has bound its sockets, or has ended; at once for another one."""
        if self._ready is not None:
            await readable(self._ready)

    async def send_signal(self, signum: int) -> None:
        """To the kernel's group, as long as the kernel is there: its number may be somebody else's after that."""
        if not isinstance(self.process, ForkedKernel) or self.process.is_there:
            await super().send_signal(signum)

    async def wait(self) -> int | None:
        """The exit code, as soon as there is one."""
        if not isinstance(self.process, ForkedKernel):
            code: int | None = await super().wait()
            return code
        ended = self.process
        await ended.ended()
        self.process = None
        for pipe in filter(None, (self._death, self._ready)):
            os.close(pipe)
        self._death = self._ready = None
        return ended.returncode


def _descriptor(file: Any) -> int:
    return file if isinstance(file, int) else int(file.fileno())


async def _fork_kernel(
    connection: socket.socket, env: Mapping[str, str], given: Sequence[int], about: Mapping[str, Any]
) -> ForkedKernel:
    """Raises OSError where the server does not fork, ValueError where it says nothing that we know."""
    connection.settimeout(ANSWER)
    servers.ask(connection, env, given, **about)
    connection.setblocking(False)
    await asyncio.wait_for(readable(connection.fileno()), ANSWER)
    data, handles, _, _ = socket.recv_fds(connection, 4096, 1)
    answer = json.loads(data or b"{}")
    if not handles:
        raise ConnectionError(f"the kernel's server answered {answer}")
    return ForkedKernel(answer["pid"], handles[0], connection)


@dataclass(slots=True)
class ForkedKernel:
    """A kernel that is no child of ours, with what the provisioner uses of Popen.

    `returncode` is None while it lives; where the server died before it could tell, `is_known` is False.
    """

    pid: int
    handle: int
    """On this very process (pidfd); ours to close."""
    connection: socket.socket
    returncode: int | None = None
    is_known: bool = True
    peak_memory: int | None = None
    """Bytes that it had at most; known when it has ended."""
    has_left_orphans: bool = True
    """Processes that it started may have outlived it; False when it has ended and its server knows better."""
    stdin: None = None
    stdout: None = None
    stderr: None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self._look()
        return self.returncode

    def _look(self) -> None:
        try:
            answer = json.loads(self.connection.recv(4096) or b"{}")
        except BlockingIOError:
            return
        except OSError:
            answer = {}
        if "exit" in answer:
            self.peak_memory, self.has_left_orphans = answer["peak"], answer["orphans"]
            self._end(answer["exit"], is_known=True)
        elif not self.is_there:
            self._end(-signal.SIGKILL, is_known=False)

    @property
    def is_there(self) -> bool:
        """Whether this very process lives, whoever has its number now."""
        return self.returncode is None and not select.select([self.handle], [], [], 0)[0]

    def _end(self, code: int, *, is_known: bool) -> None:
        self.returncode, self.is_known = code, is_known
        self.connection.close()
        os.close(self.handle)

    async def ended(self) -> None:
        """Return when the process has ended and its exit code is known, or cannot be known any more."""
        while self.poll() is None:
            await readable(self.handle if self._is_orphan() else self.connection.fileno())

    def _is_orphan(self) -> bool:
        """Its server is gone: only the process itself tells of its end."""
        try:
            return self.connection.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def wait(self, timeout: float | None = None) -> int | None:
        return self.poll()

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            signal.pidfd_send_signal(self.handle, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)
