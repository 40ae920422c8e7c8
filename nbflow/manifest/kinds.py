"""How each kind of single value is written in a manifest: one reader and one JSON Schema a kind. Knows no key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from keyword import iskeyword
from typing import Any

from nbflow.errors import InvalidInput
from nbflow.manifest.document import Node
from nbflow.manifest.report import Report
from nbflow.params import templates
from nbflow.scalars import LONGEST, Unfit, cut, describe, is_too_long, read_duration, write_duration
from nbflow.text import did_you_mean

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """`read` gives the value or raises Unfit; what is wrong deeper inside it reports, and leaves out."""

    read: Callable[[Node, Report], Any]
    schema: Schema


def _single(
    expected: str, convert: Callable[[Any], Any], schema: Schema, advise: Callable[[Any], str] = lambda _: ""
) -> Kind:
    """A kind of scalar. `convert` raises ValueError and the like for others, `advise` says how to write it."""

    def read(node: Node, _: Report) -> Any:
        try:
            return convert(node.value)
        except (ValueError, TypeError, OverflowError):
            raise Unfit(f"must be {expected}, not {describe(node.plain())}", advise(node.value)) from None

    return Kind(read, schema)


def _only(*kinds: type) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool)):
            return value
        raise TypeError

    return convert


def _in_quotes(value: Any) -> str:
    return "Put it in quotes." if is_scalar(value) else ""


def is_scalar(value: Any) -> bool:
    return isinstance(value, bool | int | float | str)


_YES_NO = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def _true_or_false(value: Any) -> str:
    word = _YES_NO.get(str(value).lower())
    return f"Write {word}." if word else ""


_ANY_TEXT = _single("text", _only(str), {"type": "string"}, _in_quotes)


def _text(node: Node, report: Report) -> str:
    """What a variable, a path and a column of every database can hold."""
    text: str = _ANY_TEXT.read(node, report)
    if "\0" in text:
        raise Unfit("has a null character", "Take the \\0 out.")
    return text


TEXT = Kind(_text, _ANY_TEXT.schema)
FLAG = _single("true or false", _only(bool), {"type": "boolean"}, _true_or_false)
JSON = Kind(lambda node, _: node.plain(), {})


def _word(node: Node, report: Report) -> str:
    text: str = TEXT.read(node, report)
    if not text.strip():
        raise Unfit("cannot be empty")
    return text


WORD = Kind(_word, {"type": "string", "pattern": r"\S"})

GREATEST = 2**31 - 1
"""The largest whole number that every database counts to."""


def integer(least: int | None = None) -> Kind:
    lowest = -GREATEST if least is None else least

    def convert(value: Any) -> int:
        number: int = _only(int)(value)
        if not lowest <= number <= GREATEST:
            raise ValueError
        return number

    def advise(value: Any) -> str:
        if not isinstance(value, int) or abs(value) <= GREATEST:
            return ""
        return f"Use {GREATEST} at most." if value > 0 else f"Use {lowest} at least."

    expected = "a whole number" if least is None else f"a whole number, {least} or more"
    return _single(expected, convert, {"type": "integer", "minimum": lowest, "maximum": GREATEST}, advise)


def number(least: float, most: float) -> Kind:
    def convert(value: Any) -> float:
        found = float(_only(int, float)(value))
        if not least <= found <= most:
            raise ValueError
        return found

    schema: Schema = {"type": "number", "minimum": least, "maximum": most}
    return _single(f"a number from {least:g} to {most:g}", convert, schema)


NUMBER = _single("a number", lambda value: float(_only(int, float)(value)), {"type": "number"})


def duration(more: str = "", *, least: timedelta = timedelta(0)) -> Kind:
    """`more` says what `least` asks for, behind `a duration`."""

    def convert(value: Any) -> timedelta:
        found = read_duration(_only(str)(value))
        if found < least:
            raise ValueError
        return found

    def advise(value: Any) -> str:
        if isinstance(value, str) and is_too_long(value):
            return f"Use {write_duration(LONGEST)} at most."
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return f"Write {value}s." if is_number and value >= least.total_seconds() else ""

    schema: Schema = {"type": "string", "pattern": r"^(?=\d)(\d+d)?(\d+h)?(\d+m)?(\d+(\.\d{1,6})?s)?$"}
    return _single(f"a duration{more} such as 90s, 5m or 1h30m", convert, schema, advise)


DURATION = duration()
SOME_TIME = duration(" longer than 0s", least=timedelta.resolution)
A_SECOND_OR_MORE = duration(" of 1s or more", least=timedelta(seconds=1))
A_MINUTE_OR_MORE = duration(" of 1m or more", least=timedelta(minutes=1))


def _day(value: Any) -> date:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", _only(str)(value)) is None:
        raise ValueError
    return date.fromisoformat(value)


def _time_of_day(value: Any) -> time:
    if re.fullmatch(r"\d\d:\d\d", _only(str)(value)) is None:
        raise ValueError
    return time.fromisoformat(value)


DATE = _single("a date such as 2026-04-01", _day, {"type": "string", "format": "date"})
TIME = _single("a time of day such as 06:30", _time_of_day, {"type": "string", "pattern": r"^\d\d:\d\d$"})


def one_of(*words: str) -> Kind:
    def read(node: Node, _: Report) -> str:
        if not isinstance(node.value, str):
            raise Unfit(f"must be one of {', '.join(words)}, not {describe(node.plain())}")
        if node.value not in words:
            raise Unfit(f"cannot be '{cut(node.value)}'", did_you_mean(node.value, words))
        return node.value

    return Kind(read, {"enum": list(words)})


def _when(node: Node, _: Report) -> bool | str:
    match node.value:
        case bool() as answer:
            return answer
        case str() as text if templates.is_template(text):
            if _is_surely_text(text):
                raise Unfit("gives text, but must give true or false", 'Write one "{{ … }}" and nothing around it.')
            return text
        case value:
            expected = "must be true, false or a template that gives one"
            raise Unfit(f"{expected}, not {describe(node.plain())}", _true_or_false(value))


def _is_surely_text(text: str) -> bool:
    try:
        return not templates.is_lone(text)
    except InvalidInput:
        return False  # what is wrong with the template is said where all templates are checked


WHEN = Kind(_when, {"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": r"\{\{"}]})


@dataclass(frozen=True, slots=True)
class Naming:
    """What the names of something must look like."""

    what: str
    pattern: str
    rule: str
    is_python: bool = False
    taken: Mapping[str, str] = field(default_factory=dict)
    """Names that something else has, and what that is."""

    def allows(self, name: str) -> bool:
        return re.fullmatch(self.pattern, name) is not None and not (self.is_python and iskeyword(name))

    def advice(self, name: str) -> str:
        """What to do about a name that is not allowed."""
        return self.taken.get(name, self.rule)


_NAME = r"[a-z][a-z0-9_]{0,99}"
_NAME_RULE = "Use up to 100 small letters, digits and _, a letter first."
PIPELINE_NAME = Naming(
    "a pipeline", rf"(?!new$){_NAME}", _NAME_RULE, taken={"new": "/pipelines/new is the app's page for new ones."}
)
TASK_NAME = Naming("a task", _NAME, _NAME_RULE)
PARAM_NAME = Naming("a parameter", r"[A-Za-z_][A-Za-z0-9_]*", "It becomes a variable of the notebook.", is_python=True)
ENV_NAME = Naming(
    "an environment variable",
    r"(?!NBFLOW_)[A-Za-z_][A-Za-z0-9_]*",
    "Use letters, digits and _, and begin neither with a digit nor with NBFLOW_.",
)


def named(naming: Naming) -> Kind:
    def read(node: Node, report: Report) -> str:
        text: str = TEXT.read(node, report)
        if not naming.allows(text):
            raise Unfit(f"cannot be '{cut(text)}'", naming.advice(text))
        return text

    return Kind(read, {"type": "string", "pattern": f"^{naming.pattern}$"})
