"""Waiting in an event loop: for the first of several things, for a descriptor, for the end of a process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from typing import Any


async def first_of(*waits: Awaitable[Any], timeout: float | None = None) -> None:
    """Return when one of these is done, or after `timeout` seconds; the coroutines among them are given up then."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task, wait in zip(tasks, waits, strict=True):
            if task is not wait:
                task.cancel()


async def readable(descriptor: int) -> None:
    """Return when the descriptor has something to read, or its end."""
    loop, news = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, news.set)
    try:
        await news.wait()
    finally:
        loop.remove_reader(descriptor)


async def end_of_process(pid: int) -> None:
    """Return when our child of this number has ended, which nobody has waited for yet; only Linux can tell."""
    if not hasattr(os, "pidfd_open"):
        await asyncio.Event().wait()
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await readable(handle)
    finally:
        os.close(handle)
