"""What people do with a page beside pressing on it: touch, the keyboard alone, and reading what was done."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect


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


def drag(page: Page, start: tuple[float, float], end: tuple[float, float], *, stop: bool = False) -> None:
    """With the mouse, not in a straight line; with `stop` the button is held at the end."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 10, steps=3)
    page.mouse.move(*end, steps=3)
    if not stop:
        page.mouse.up()


def tab_to(page: Page, target: Locator, key: str = "Tab") -> None:
    """By the keyboard alone, as far as it takes."""
    for _ in range(200):
        if target.evaluate("each => each === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"the keyboard never reaches {target}")


AT = """
window.at = name => {
  const {view, board} = nbflow.canvas, {left, top} = view.canvas_view.events_el.getBoundingClientRect()
  const {x, y} = board.place(name)
  return [left + view.frame.x_scale.compute(x), top + view.frame.y_scale.compute(y)]
}
null
"""
"""For a page with a canvas: where a task is in the window."""


def box(page: Page, task: str) -> tuple[float, float]:
    """The middle of a task of the canvas."""
    x, y = page.evaluate("name => at(name)", task)
    return x, y


def port(page: Page, task: str) -> tuple[float, float]:
    """Where its edges to others begin."""
    x, y = box(page, task)
    return x + 90 * page.evaluate("nbflow.canvas.sight.scale"), y


def edited(page: Page) -> Callable[[str], None]:
    """Waits until the page says that this was done."""
    return lambda said: expect(page.locator("#said")).to_have_text(said)
