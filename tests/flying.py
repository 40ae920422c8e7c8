"""Imported by a runner: at SIGUSR1 time has passed until the first limit that its notebook has, however long that is.

So a test waits for what a cell does and not for a clock, and a busy machine reaches no limit before its time.
"""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

from nbflow.notebooks import execution

HOUR = timedelta(hours=1)
IMPORT = f"sys.path.insert(0, {str(Path(__file__).parent)!r}); import flying; flying.let_time_pass_at_a_signal()"

_limits: list[tuple[asyncio.TimerHandle, Any]] = []
_call_later = asyncio.BaseEventLoop.call_later


def let_time_pass_at_a_signal() -> None:
    asyncio.BaseEventLoop.call_later = _remembering  # type: ignore[assignment]
    execution.GRACE = HOUR  # nobody is killed for being slow


def _remembering(loop: asyncio.BaseEventLoop, delay: float, call: Any, *about: Any, **more: Any) -> asyncio.TimerHandle:
    handle = _call_later(loop, delay, call, *about, **more)
    if delay > HOUR.total_seconds() / 2:
        _limits.append((handle, call))
        loop.add_signal_handler(signal.SIGUSR1, _reach_the_first)
    return handle


def _reach_the_first() -> None:
    left = [each for each in _limits if not each[0].cancelled()]
    handle, call = min(left, key=lambda each: each[0].when())
    handle.cancel()
    call()
