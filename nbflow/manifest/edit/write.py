"""Values as YAML in one line, in the hand of the text that they replace."""

from __future__ import annotations

import json
import re
from typing import Any

from nbflow.manifest.dump import is_harmless
from nbflow.scalars import read_scalar

_WORD = re.compile(r"\w+")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|[\u2028\u2029]")


def spell(value: Any) -> str:
    """The value with lists and mappings in brackets."""
    match value:
        case str():
            return value if is_harmless(value) else _quoted(value, "'" if '"' in value else '"')
        case dict():
            return "{" + ", ".join(f"{spell(name)}: {spell(each)}" for name, each in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(spell, value)) + "]"
        case _:
            return json.dumps(value)


def respell(raw: str, old: Any, new: Any) -> str:
    """What to write for `new` where `raw` stood for `old`.

    Quotes stay, and where only words differ so do line breaks and all between the words.
    """
    if not isinstance(old, str) or not isinstance(new, str):
        return spell(new)
    if raw[:1] in {"'", '"', "|", ">"}:
        return _reworded(raw, old, new) or _quoted(new, raw[0])
    reworded = _reworded(raw, old, new)
    return reworded if reworded and read_scalar(reworded) == reworded else spell(new)


def _reworded(raw: str, old: str, new: str) -> str:
    """Empty where more than words differ, or the words of the text are not those of the value."""
    header, body = re.fullmatch(r"([|>][^\r\n]*)?(.*)", raw, re.DOTALL).groups("")  # type: ignore[union-attr]  # fits any
    if _WORD.split(old) != _WORD.split(new) or _WORD.findall(old) != _WORD.findall(body):
        return ""
    words = iter(_WORD.findall(new))
    return header + _WORD.sub(lambda _: next(words), body)


def _quoted(text: str, quote: str) -> str:
    if quote == "'" and not _UNPRINTABLE.search(text):
        return "'" + text.replace("'", "''") + "'"
    return _UNPRINTABLE.sub(_escaped, json.dumps(text, ensure_ascii=False))


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
