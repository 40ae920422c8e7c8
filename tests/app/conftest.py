"""A real browser, the system's Chromium, started once for each module that looks at what the app shows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@pytest.fixture(scope="module")  # not longer: Playwright leaves its event loop running
def chromium() -> Iterator[Browser]:
    path: Any = next(filter(None, map(shutil.which, NAMES)), None)
    assert path, f"the tests need a browser: install one of {', '.join(NAMES)}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGS))
        yield browser
        browser.close()
