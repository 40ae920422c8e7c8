"""Reach a fork server at its address, and start one where none answers. Knows nothing of what is forked."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import resource
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbflow.notebooks.sockets import private_folder

ACT_AT_START = (
    *("PYTHON", "LD_", "LANG", "LC_", "TZ", "MALLOC_", "GLIBC_TUNABLES"),
    *("OMP_", "MKL_", "OPENBLAS_", "BLIS_", "VECLIB_", "KMP_", "NUMEXPR_", "NUMBA_", "CUDA_", "MPL", "PYDEVD_"),
    *("JUPYTER", "IPYTHON"),
)
"""Beginnings of variables that act when an interpreter starts or a library is imported: servers that differ in one are
two."""

FORGOTTEN = 24 * 3600.0
"""Seconds after which the files of a server that was killed are removed."""

REACTION = 5.0
"""Seconds until the system must have taken what is sent to a server, whether that looks at it or not."""

PATIENCE = 1.0
"""Seconds to wait for a server that somebody else is just starting."""


def address(kind: str, command: Sequence[str], env: Mapping[str, str]) -> Path:
    """Where the server of this command and environment listens, in surroundings like our own."""
    start = {name: value for name, value in env.items() if acts_at_start(name)}
    about = [kind, list(command), start, surroundings()]
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    return private_folder("servers") / f"{kind}-{digest[:16]}"


def surroundings() -> list[Any]:
    """What a forked process would have from its server and not from who asked for it.

    Its control group, so that limits hold and the end of one job ends no kernels of another; namespaces, processors and
    rights.
    """
    own = Path("/proc/self")
    spaces = sorted(str(link.readlink()) for link in (own / "ns").iterdir())
    rights = [os.getgid(), sorted(os.getgroups()), os.nice(0)]
    return [(own / "cgroup").read_text(), spaces, sorted(os.sched_getaffinity(0)), rights]


def acts_at_start(name: str) -> bool:
    return name.startswith(ACT_AT_START)


def reach(at: Path, command: Sequence[str], env: Mapping[str, str]) -> socket.socket:
    """A connection to the server at this address, which is started if need be. Raises OSError.

    A fresh server takes the connection when it has done its imports; nobody waits for that here.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            return connect(at)
        if not _start(at, command, env) and time.monotonic() > deadline:
            raise TimeoutError(f"the server at {at} does not answer")
        time.sleep(0.005)


def connect(at: Path) -> socket.socket:
    """A connection to a server that is there; it does not wait for ever. Raises OSError."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(REACTION)
    try:
        connection.connect(str(at))
    except BaseException:
        connection.close()
        raise
    return connection


def _start(at: Path, command: Sequence[str], env: Mapping[str, str]) -> bool:
    """Start the server with its socket open already; False if another one holds the address."""
    lock = _hold(at)
    if lock is None:
        return False
    _forget_the_killed(at)
    with socket.socket(socket.AF_UNIX) as listener, at.with_suffix(".log").open("wb") as log:
        at.unlink(missing_ok=True)
        listener.bind(str(at))
        listener.listen(128)
        try:
            subprocess.Popen(
                [*command, "--listen", str(listener.fileno()), "--lock", str(lock)],
                env=dict(env),
                cwd="/",
                pass_fds=(listener.fileno(), lock),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            ).returncode = 0  # it outlives us, and is nobody's to wait for
        except BaseException:
            at.unlink(missing_ok=True)
            raise
        finally:
            os.close(lock)
    return True


def _hold(at: Path) -> int | None:
    """The lock of this address; None where somebody holds it, or has just removed its file."""
    path = at.with_suffix(".lock")
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), path.stat()):
            return lock
    os.close(lock)
    return None


def _forget_the_killed(mine: Path) -> None:
    """Remove the files of other servers that ended long ago and could not do it themselves."""
    for path in mine.parent.glob("*.lock"):
        other = path.with_suffix("")
        with contextlib.suppress(OSError):
            if other != mine and path.stat().st_mtime < time.time() - FORGOTTEN and (lock := _hold(other)) is not None:
                for file in (other, other.with_suffix(".log"), path):
                    file.unlink(missing_ok=True)
                os.close(lock)


def ask(connection: socket.socket, env: Mapping[str, str], descriptors: Sequence[int], **about: Any) -> None:
    """Send a request: what to fork, in which environment, with our own umask and limits."""
    limits = {number: limit for number in range(16) if (limit := _limit(number)) is not None}
    request = {**about, "env": dict(env), "umask": _umask(), "limits": limits}
    data = memoryview(json.dumps(request).encode() + b"\n")
    sent = socket.send_fds(connection, [data[:65536]], list(descriptors))
    connection.sendall(data[sent:])


def _limit(number: int) -> tuple[int, int] | None:
    """By number, because Python does not name them all, and an attempt's tag is one without a name."""
    try:
        return resource.getrlimit(number)
    except (ValueError, OSError):
        return None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
