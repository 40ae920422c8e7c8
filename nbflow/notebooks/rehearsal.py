"""What every attempt needs and is the same for all, done once: by the process from which runners are forked.

Starts no kernel and no thread, and leaves nothing open.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from jupyter_client.provisioning.factory import KernelProvisionerFactory
from nbformat.v4 import new_code_cell, new_notebook, writes

from nbflow.codec import prepare
from nbflow.errors import InvalidInput
from nbflow.model import AttemptId, FrozenNotebook, PipelineName, RunId, TaskKey
from nbflow.notebooks import kernelspecs, runner, sockets
from nbflow.notebooks.client import Words
from nbflow.notebooks.folder import AttemptFolder
from nbflow.run import AttemptEnded, StartAttempt, StopAttempt

TIMES = 2
"""How often an attempt is rehearsed: each costs 0.01 s, and the last of them no more than the one before."""

NO_KERNEL = {
    "argv": ["/nonexistent/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "display_name": "None",
    "language": "python",
}
"""The description of a kernel that cannot start."""


def rehearse(kernel: str = "python3") -> None:
    """Do what an attempt does until its kernel fails to start; look up a real one's description; write a message."""
    prepare(StartAttempt, StopAttempt, AttemptEnded)
    KernelProvisionerFactory.instance()
    with contextlib.suppress(InvalidInput):
        kernelspecs.find_spec(kernel)
    session = Words(key=b"key")
    session.deserialize(session.feed_identities(session.serialize(session.msg("status")))[1])
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Exception):
        for number in range(TIMES):
            _attempt(Path(folder), number)


def _attempt(place: Path, number: int) -> None:
    source = place / "source.ipynb"
    source.write_text(writes(new_notebook(cells=[new_code_cell("1") for _ in range(3)])))
    folder = AttemptFolder(place / str(number))
    order = _order(place)
    folder.prepare(order, source)
    with _only_kernel(place / "jupyter" / "kernels" / order.kernel):
        runner.run(folder)
    sockets.remove(order.token)  # as a guard would


def _order(place: Path) -> StartAttempt:
    now = datetime.now(UTC)
    return StartAttempt(
        attempt=AttemptId("rehearsal/task/1"),
        token=uuid4().hex,
        run=RunId("rehearsal"),
        pipeline=PipelineName("rehearsal"),
        key=TaskKey.parse("task"),
        number=1,
        notebook=FrozenNotebook(path="source.ipynb", folder=str(place), sha256="source", kernel="rehearsal"),
        params={"number": 1},
        kernel="rehearsal",
        env={},
        secrets={},
        logical_date=now,
        run_date=now.date(),
    )


@contextlib.contextmanager
def _only_kernel(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kernel.json").write_text(json.dumps(NO_KERNEL))
    before = os.environ.get("JUPYTER_PATH")
    os.environ["JUPYTER_PATH"] = str(folder.parents[1])
    try:
        yield
    finally:
        del os.environ["JUPYTER_PATH"]
        if before is not None:
            os.environ["JUPYTER_PATH"] = before
