"""What axe-core finds in a page."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(sys.prefix) / "node/node_modules/axe-core/axe.min.js"
"""`make system` puts it there."""


def serious(page: Page, *without: str) -> list[str]:
    """What it calls serious or critical, but in frames and in elements of these selectors."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    about = json.dumps({"exclude": [[each] for each in without]})
    result: Any = page.evaluate(f"axe.run({about}, {{resultTypes: ['violations'], iframes: false}})")
    return [
        f"{each['id']}: {node['html'][:150]} {node['failureSummary']}"
        for each in result["violations"]
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"][:3]
    ]
