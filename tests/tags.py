"""HTML as its tags and its words."""

from __future__ import annotations

from html.parser import HTMLParser


class Tags(HTMLParser):
    """Every tag with its attributes, and the text between."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)

    def of(self, tag: str, kind: str = "") -> list[dict[str, str | None]]:
        """The attributes of each such tag of a class."""
        return [each for name, each in self.tags if name == tag and kind in (each.get("class") or "")]

    def values(self, name: str) -> list[str | None]:
        """Of an attribute, wherever it stands."""
        return [each[name] for _, each in self.tags if name in each]
