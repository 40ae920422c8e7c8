"""Secrets become `***`, in every spelling in which they leave a notebook."""

from __future__ import annotations

import html
import json
from urllib.parse import quote, quote_plus

import pytest

from nbflow.notebooks.mask import Mask

SECRET = 'p4ss/w0rd & "ünit"\''


@pytest.mark.parametrize(
    "spell",
    [
        str,
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        repr,
        quote,
        quote_plus,
        lambda text: quote(text, safe=""),
        html.escape,
        lambda text: html.escape(text, quote=False),
    ],
)
def test_every_spelling(spell) -> None:
    masked = Mask([SECRET]).text(f"before {spell(SECRET)} after")
    assert masked.replace('"', "").replace("'", "") == "before *** after"


def test_nothing_to_hide() -> None:
    mask = Mask()
    assert not mask
    value = {"a": [1, "text"]}
    assert mask.value(value) is value
    assert mask.text("text") == "text"
    assert mask.stream().feed("text") == "text"


def test_longer_secrets_win_and_short_ones_are_left() -> None:
    assert Mask(["token", "token-long"]).text("token-long token") == "*** ***"
    assert not Mask(["abc", ""])


def test_the_lines_of_a_key() -> None:
    mask = Mask(["-----BEGIN-----\nabcdef\nxy\n-----END-----"])
    assert mask.text("abcdef and xy") == "*** and xy"
    assert mask.text('{"key": "-----BEGIN-----\\nabcdef\\nxy\\n-----END-----"}') == '{"key": "***"}'


def test_json_values() -> None:
    mask = Mask(["12345678", "s3cret"])
    value = {"s3cret": ["a s3cret", 12345678, 1.5, True, None, {"deep": ("s3cret",)}], "n": 912345678}
    assert mask.value(value) == {"***": ["a ***", "***", 1.5, True, None, {"deep": ["***"]}], "n": "***"}


def test_a_secret_in_two_pieces() -> None:
    stream = Mask(["s3cret"]).stream()
    assert [stream.feed(piece) for piece in ("it is s3", "c", "ret, or s", "ecret s")] == [
        "it is ",
        "",
        "***, or ",
        "secret ",
    ]
    assert stream.flush() == "s"
    assert stream.flush() == ""


def test_what_is_held_back_is_bounded() -> None:
    stream = Mask(["aaaaaaab"]).stream()
    out = "".join(stream.feed("aaaa") for _ in range(1000))
    assert len(out) == 4000 - 7
    assert stream.flush() == "aaaaaaa"


def test_one_secret_begins_inside_another() -> None:
    """The end of the second is not hidden, but what is shown does not depend on how the text was cut."""
    mask = Mask(["abcd", "dbzz"])
    stream = mask.stream()
    assert mask.text("abcdbzz!") == "***bzz!"
    assert "".join([stream.feed("abcdb"), stream.feed("zz!"), stream.flush()]) == "***bzz!"
