"""What was printed, as HTML: colours as classes of the page's own palette, everything else as text."""

from __future__ import annotations

from html import escape

from nbflow.notebooks.texts import COLOURS, overwritten, safe

_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_RGB = ((0, 0, 0), (205, 49, 49), (13, 188, 121), (229, 229, 16), (36, 114, 200), (188, 63, 188), (17, 168, 205))


def terminal_html(text: str) -> str:
    """The text as a terminal would show it. Colours become the nearest of eight, which suit light and dark."""
    style = _Style()
    parts = COLOURS.split(safe(overwritten(text)))
    return "".join(style.take(part) if at % 2 else style.wrap(escape(part)) for at, part in enumerate(parts))


class _Style:
    """The colours that are switched on; codes as ECMA-48 has them (SGR)."""

    def __init__(self) -> None:
        self._on: dict[str, str] = {}

    def wrap(self, html: str) -> str:
        return f'<span class="{" ".join(self._on.values())}">{html}</span>' if self._on and html else html

    def take(self, sequence: str) -> str:
        """Heed a sequence; it shows nothing itself."""
        codes = [int(code or 0) for code in sequence[2:-1].split(";")]
        while codes:
            code = codes.pop(0)
            if code in {38, 48}:
                self._set("fg" if code == 38 else "bg", _extended(codes))
            else:
                self._plain(code)
        return ""

    def _plain(self, code: int) -> None:
        match code:
            case 0:
                self._on.clear()
            case 1:
                self._on["bold"] = "nbx-bold"
            case 3:
                self._on["italic"] = "nbx-italic"
            case 4:
                self._on["underline"] = "nbx-underline"
            case 22 | 23 | 24:
                self._on.pop({22: "bold", 23: "italic", 24: "underline"}[code], None)
            case 39 | 49:
                self._on.pop("fg" if code == 39 else "bg", None)
            case _:
                for first, ground in ((30, "fg"), (90, "fg"), (40, "bg"), (100, "bg")):
                    if first <= code < first + 8:
                        self._set(ground, _NAMES[code - first])

    def _set(self, ground: str, name: str | None) -> None:
        if name is not None:
            self._on[ground] = f"nbx-{ground}-{name}"


def _extended(codes: list[int]) -> str | None:
    """The name nearest to what follows 38 or 48: `5;n` of 256 colours, or `2;r;g;b`. Takes them off the list."""
    kind = codes.pop(0) if codes else None
    if kind == 5 and codes:
        return _of_256(codes.pop(0))
    if kind == 2 and len(codes) >= 3:
        red, green, blue = codes[:3]
        del codes[:3]
        return _nearest(red, green, blue)
    return None


def _of_256(number: int) -> str | None:
    if number < 16:
        return _NAMES[number % 8]
    if number < 232:
        red, green, blue = ((number - 16) // 36, (number - 16) // 6 % 6, (number - 16) % 6)
        return _nearest(*(each and each * 40 + 55 for each in (red, green, blue)))
    return None  # greys: the colour of text is grey enough


def _nearest(red: int, green: int, blue: int) -> str | None:
    """By hue; None for what is nearly grey."""
    if max(red, green, blue) - min(red, green, blue) < 48:
        return None
    near = [sum((a - b) ** 2 for a, b in zip((red, green, blue), rgb, strict=True)) for rgb in _RGB]
    return _NAMES[near.index(min(near[1:]), 1)]
