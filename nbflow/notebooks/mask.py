"""Hide the values of secrets in everything that is written. Pure: it is given the values and asks nobody."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST = 4
"""Characters. A shorter value would blot out innocent text, so it is refused as a secret before anything starts."""


class Mask:
    """Replaces every secret by `***`, also where it is escaped for JSON, Python, HTML or a URL.

    Of a value with several lines each line of at least 4 characters is hidden by itself as well. Where two secrets
    overlap, the one that begins first is hidden whole; of secrets that begin together, the longest.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        forms = {form for value in values for form in _forms(value)}
        self._forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        self._pattern = re.compile("|".join(map(re.escape, self._forms)))
        self._first = frozenset(form[0] for form in self._forms)
        self._longest = len(self._forms[0]) if self._forms else 0

    def __bool__(self) -> bool:
        return bool(self._forms)

    def text(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._is_hit(text) else text

    def value(self, value: Any) -> Any:
        """A JSON value with every text in it masked, keys too; a number that spells a secret becomes `***`."""
        if not self:
            return value
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.text(str(name)): self.value(each) for name, each in value.items()}
            case list() | tuple():
                return [self.value(each) for each in value]
            case int() | float() if self._is_hit(repr(value)):
                return MASK
            case _:
                return value

    def stream(self) -> StreamMask:
        return StreamMask(self)

    def split(self, text: str) -> tuple[str, str]:
        """The masked part that no further text can change, and the rest, which may be the beginning of a secret."""
        if not self:
            return text, ""
        open_from = self._open_from(text)
        pieces, at = [], 0
        for found in self._pattern.finditer(text) if self._is_hit(text) else ():
            if found.start() >= open_from:
                break
            pieces += [text[at : found.start()], MASK]
            at = found.end()
        cut = max(at, open_from)
        return "".join([*pieces, text[at:cut]]), text[cut:]

    def _is_hit(self, text: str) -> bool:
        return any(form in text for form in self._forms)

    def _open_from(self, text: str) -> int:
        """Where the longest end of the text begins that is the beginning, but not the whole, of a secret."""
        for at in range(max(0, len(text) - self._longest + 1), len(text)):
            if text[at] in self._first:
                end = text[at:]
                if any(len(form) > len(end) and form.startswith(end) for form in self._forms):
                    return at
        return len(text)


class StreamMask:
    """A mask for text that arrives in pieces: what may be the beginning of a secret is held back until it is decided.

    The pieces that come out, put together, are what `Mask.text` makes of the whole.
    """

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._held = ""

    def feed(self, text: str) -> str:
        done, self._held = self._mask.split(self._held + text)
        return done

    def flush(self) -> str:
        """What was held back, at the end of the text."""
        held, self._held = self._held, ""
        return self._mask.text(held)


def _forms(value: str) -> Iterator[str]:
    for part in {value, *value.splitlines()}:
        if len(part) >= SHORTEST:
            yield part
            yield json.dumps(part)[1:-1]
            yield json.dumps(part, ensure_ascii=False)[1:-1]
            yield repr(part)[1:-1]
            yield from (html.escape(part), html.escape(part, quote=False))
            yield from (quote(part), quote(part, safe=""), quote_plus(part))
