from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from nbflow.scalars import describe, read_duration, read_scalar, read_value, write_duration


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("no", "no"),
        ("on", "on"),
        ("12", 12),
        ("-7", -7),
        ("+7", 7),
        ("012", 12),
        ("0o14", 12),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("1.5", 1.5),
        (".5e3", 500.0),
        ("1e5", 100_000.0),
        ("1.", 1.0),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1e999", "1e999"),
        ("9" * 5000, "9" * 5000),
        ("2026-04-01", "2026-04-01"),
        ("06:30", "06:30"),
        ("=", "="),
    ],
)
def test_read_scalar_follows_yaml_1_2(text: str, value: Any) -> None:
    found = read_scalar(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), ("a, b", "a, b"), ('["a", 1]', ["a", 1]), (' {"a": null}', {"a": None}), ('"5"', "5")]
)
def test_read_value_is_json_or_a_scalar(text: str, value: Any) -> None:
    assert read_value(text) == value


@pytest.mark.parametrize("text", ["[1, 2", "{a: 1}", "[NaN]", "[1e999]"])
def test_read_value_refuses_broken_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_value(text)


@pytest.mark.parametrize(
    ("text", "seconds", "canonical"),
    [
        ("30s", 30, "30s"),
        ("2m", 120, "2m"),
        ("1h30m", 5400, "1h30m"),
        ("90m", 5400, "1h30m"),
        ("1d", 86_400, "1d"),
        ("36h", 129_600, "1d12h"),
        ("1d2h3m4s", 93_784, "1d2h3m4s"),
        ("0s", 0, "0s"),
        ("0.5s", 0.5, "0.5s"),
        ("1m0.250s", 60.25, "1m0.25s"),
    ],
)
def test_durations(text: str, seconds: float, canonical: str) -> None:
    assert read_duration(text) == timedelta(seconds=seconds)
    assert write_duration(timedelta(seconds=seconds)) == canonical


@pytest.mark.parametrize(
    "text", ["", "30", "s", "30 s", "1m1h", "-5s", "1.5h", "2 hours", "1w", "٣s", "9999999999999d"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no duration|is too long"):
        read_duration(text)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing"),
        (True, "true"),
        (3, "the number 3"),
        (2.5, "the number 2.5"),
        ("abc", "the text 'abc'"),
        ("x" * 50, f"the text '{'x' * 39}…'"),
        ([1, "é"], 'the list [1, "é"]'),
        ({"a": None}, 'the mapping {"a": null}'),
        (object, "type"),
    ],
)
def test_describe(value: object, words: str) -> None:
    assert describe(value) == words
