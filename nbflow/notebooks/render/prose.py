"""A sentence of nbflow, or of an exception, as HTML: escaped, and what stands between backticks is code."""

from __future__ import annotations

import re
from html import escape

_CODE = re.compile(r"`([^`\n]+)`")


def prose_html(text: str) -> str:
    """`start &#x27;it&#x27;: <code>nbflow up</code>`."""
    return _CODE.sub(r"<code>\1</code>", escape(text))
