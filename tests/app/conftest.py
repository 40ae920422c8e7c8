"""What the tests of the app share: a project and its app, and a real browser, the system's Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from making import write_notebook
from playwright.sync_api import Browser, Page, expect, sync_playwright

expect.set_options(timeout=60_000)  # a busy machine starts a kernel late
os.environ["PANEL_CDN_ROOT"] = "/panel/"
"""As the app's server sets it; a test module that is read before any server began must not import panel without it."""

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


numbers = count()


@pytest.fixture(scope="module")  # not longer: Playwright leaves its event loop running
def chromium() -> Iterator[Browser]:
    path: Any = next(filter(None, map(shutil.which, NAMES)), None)
    assert path, f"the tests need a browser: install one of {', '.join(NAMES)}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGS))
        yield browser
        browser.close()


@pytest.fixture
def world(tmp_path: Path) -> Any:
    """A project with one pipeline, `nightly`."""
    from app_world import World

    world = World(tmp_path)
    world.pipeline()
    return world


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The app over such a project."""
    from app_server import served
    from app_world import World

    world = World(tmp_path_factory.mktemp("project"))
    world.pipeline()
    with served(world) as running:
        yield running


@pytest.fixture
def ada(up: Any, chromium: Browser) -> Iterator[Any]:
    """Somebody who looks at what the module serves as `up`. Nothing of it may be faulty or come from elsewhere."""
    from app_up import person

    with person(up, chromium) as eyes:
        yield eyes
        assert eyes.faults == []


@pytest.fixture
def page(running: Any, chromium: Browser) -> Iterator[Page]:
    """A window on the app that the module serves as `running`."""
    from app_server import window

    with window(running, chromium) as page:
        yield page


@pytest.fixture
def name(running: Any) -> str:
    """A pipeline of three tasks in it that nobody else edits."""
    from app_world import CHAIN

    made: str = running.world.pipeline(CHAIN.replace("name: nightly", f"name: story_{next(numbers)}"))
    typed = "day: str = ''  # the day\nrows: int = 10"
    write_notebook(running.world.folder / made / "a.ipynb", "print(1)", parameters=typed)
    return made
