"""Fork guards from a process that has papermill imported. Holds no database, thread or socket of nbflow's but its own.

Started by exec like any fork server (see `nbflow.notebooks.kernelserver`); what it forks is the same guard that
`python -m nbflow.executors.worker` would be, with the attempt folder as its only contract, and outlives it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from pathlib import Path

from nbflow.notebooks.folder import AttemptFolder
from nbflow.notebooks.kernelserver import ForkServer, Request, options, preload, start_afresh

STATUS, LIFELINE = 3, 4
"""Where a guard finds its pipes."""

START_UP = (
    "papermill",
    "nbflow.executors.worker",
    "nbflow.notebooks.seal",
    "nbflow.notebooks.warm",
)


class AttemptServer(ForkServer):
    """Before it forks a guard it sees to it that the kernel's own fork server is there."""

    def prepare(self, request: Request) -> None:
        from nbflow.notebooks import servers, warm

        with contextlib.suppress(Exception):  # the kernel then starts the ordinary way, and says what is wrong
            order = AttemptFolder(Path(request["folder"])).order()
            if order is not None:
                acting = {name: value for name, value in order.env.items() if servers.acts_at_start(name)}
                warm.start_server(order.kernel, {**request["env"], **acting})


def become_guard(request: Request) -> int:
    """Be a fresh guard; returns its exit code."""
    from nbflow.executors import worker

    log, status, *lifeline = request["descriptors"]
    pipes = {STATUS: status, **({LIFELINE: lifeline[0]} if lifeline else {})}
    start_afresh(request, {1: log, 2: log, **pipes})
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.chdir(request["project"])
    for pipe in pipes:
        os.set_inheritable(pipe, False)
    if request["close"]:
        return worker.close(Path(request["folder"]), None, STATUS)
    return worker.main(Path(request["folder"]), LIFELINE if lifeline else None, STATUS)


def main() -> None:
    given = options(argparse.ArgumentParser(description=__doc__))
    for descriptor in (given.listen, given.lock):
        os.set_inheritable(descriptor, False)
    server = AttemptServer(given.listen, given.lock, given.idle)
    preload(START_UP)
    from nbflow.notebooks.rehearsal import rehearse

    rehearse()
    request = server.serve()
    if request is not None:
        code = become_guard(request)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # nothing of a server's own is left to be undone


if __name__ == "__main__":
    main()
