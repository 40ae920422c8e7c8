"""Named points at which a test can kill a process (`kill -9`), to prove what is promised about crashes.

A test facility: without the environment variable `NBFLOW_FAILPOINT` a point does nothing. The variable is the name of a
point, or `name:victim`:

| victim | who is killed when the point is passed |
|---|---|
| `self` (default) | the process that passes it |
| `parent` | its parent: of a runner that is the guard |
| `group` | its whole process group: guard and runner are one |

The points, in the order in which a scheduled run and its attempts pass them: scheduler.before_fire,
scheduler.after_fire, scheduler.before_begin_item, engine.before_save, store.before_commit, engine.after_save,
executor.prepared, executor.spawned, guard.locked, guard.begun, guard.forked, runner.started, runner.kernel_started,
runner.cell_start, runner.cell_end, runner.before_outcome, runner.after_outcome, runner.parted, guard.runner_ended,
guard.swept, guard.sealed, guard.done. Of those who work beside: courier.claimed, courier.sent,
housekeeping.rows_removed.
"""

from __future__ import annotations

import os
import signal

VARIABLE = "NBFLOW_FAILPOINT"


def failpoint(name: str) -> None:
    """Kill the victim if this point is the one that was asked for."""
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    point, _, victim = wanted.partition(":")
    if point == name:
        _kill(victim or "self")


def _kill(victim: str) -> None:
    match victim:
        case "self":
            os.kill(os.getpid(), signal.SIGKILL)
        case "parent":
            os.kill(os.getppid(), signal.SIGKILL)
        case "group":
            os.killpg(0, signal.SIGKILL)
        case _:
            raise ValueError(f"{VARIABLE}: no victim is called {victim!r}")
