"""How much this machine can do at once."""

from __future__ import annotations

import os


def cores() -> int:
    """How many notebooks may compute at once here."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
