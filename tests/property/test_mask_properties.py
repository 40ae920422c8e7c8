"""Masking a text in pieces gives what masking the whole gives, and neither shows a secret."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nbflow.notebooks.mask import Mask

few_letters = st.text("ab\n/", max_size=40)
secrets = st.lists(st.text("ab/", min_size=4, max_size=9), max_size=3)


@given(secrets, st.lists(few_letters, max_size=8))
def test_pieces_make_the_whole(values: list[str], pieces: list[str]) -> None:
    mask = Mask(values)
    stream = mask.stream()
    together = "".join([*(stream.feed(piece) for piece in pieces), stream.flush()])
    assert together == mask.text("".join(pieces))


@given(secrets, few_letters)
def test_no_secret_is_left(values: list[str], text: str) -> None:
    masked = Mask(values).text(text)
    assert not [value for value in values if value in masked]


@given(st.text(min_size=4), st.text(), st.text())
def test_any_characters(secret: str, before: str, after: str) -> None:
    if "*" not in secret:
        assert secret not in Mask([secret]).text(before + secret + after)


@given(secrets, st.lists(few_letters, max_size=8))
def test_little_is_held_back(values: list[str], pieces: list[str]) -> None:
    stream = Mask(values).stream()
    shown = sum(len(stream.feed(piece)) for piece in pieces)
    longest = max(map(len, values), default=1) * 12  # `/` becomes longer in a URL
    assert shown + longest >= len(Mask(values).text("".join(pieces)))
