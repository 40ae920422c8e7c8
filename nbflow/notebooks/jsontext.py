"""JSON that every reader takes, of whatever a kernel sent: no NaN, no half characters. Pure."""

from __future__ import annotations

import json
import math
from typing import Any


def dump(value: Any) -> bytes:
    """One line of UTF-8. What JSON has no word for (NaN, infinities) becomes null."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(finite(value), ensure_ascii=False, allow_nan=False)
    return encode(text)


def encode(json_text: str) -> bytes:
    """UTF-8. A lone surrogate, which UTF-8 cannot say, is written the way JSON escapes it."""
    return json_text.encode("utf-8", "backslashreplace")


def finite(value: Any) -> Any:
    """The value with None in place of every float that is no finite number."""
    match value:
        case float() if not math.isfinite(value):
            return None
        case dict():
            return type(value)((name, finite(each)) for name, each in value.items())
        case list() | tuple():
            return [finite(each) for each in value]
        case _:
            return value
