"""TOML text as plain values. Bad text raises ValueError and nothing else."""

from __future__ import annotations

import tomllib
from typing import Any


def read_toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:  # Python reads no longer numbers, and says so in words of its own
        raise ValueError("a number in it has more than 4,300 digits") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None
