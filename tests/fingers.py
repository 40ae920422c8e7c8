"""What people do with a page beside pressing on it: touch, the keyboard alone, and reading what was done."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect


class Finger:
    """Touches a page, or several fingers of one hand do."""

    def __init__(self, page: Page) -> None:
        self._browser = page.context.new_cdp_session(page)

    def send(self, kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y, "id": at} for at, (x, y) in enumerate(points)]
        self._browser.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def down(self, x: float, y: float) -> None:
        self.send("touchStart", (x, y))

    def up(self) -> None:
        self.send("touchEnd")

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.down(*start)
        for part in (0.25, 0.5, 0.75, 1):
            self.send("touchMove", (start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1])))
        self.up()


def tab_to(page: Page, selector: str, key: str = "Tab") -> None:
    """By the keyboard alone, as far as it takes."""
    for _ in range(200):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press(key)
    raise AssertionError(f"the keyboard never reaches {selector}")


def edited(page: Page) -> Callable[[str], None]:
    """Waits until the page says that this was done."""
    return lambda said: expect(page.locator("#said")).to_have_text(said)
