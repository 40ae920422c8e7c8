"""What of an address no log and no error may show."""

from __future__ import annotations

import pytest

from nbflow.notebooks.mask import Mask
from nbflow.notify import secrets_of

SAID = "RuntimeError from line 3: the user may not say text in the format that nbflow and smtp.example.org want"


@pytest.mark.parametrize(
    "url",
    [
        "mailto://user:k7Q9x2@smtp.example.org?from=nbflow&to=user&format=text&name=nbflow",
        "json://user:k7Q9x2@smtp.example.org:8080/?format=text&overflow=split",
    ],
)
def test_words_that_stand_openly_in_an_address_blot_out_nothing(url: str) -> None:
    assert Mask(secrets_of(url)).text(SAID) == SAID


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("mailtos://user:k7%40Q9x2@example.org", ["k7%40Q9x2", "k7@Q9x2"]),
        ("slack://T0kenAAA/T0kenBBB/T0kenCCC/#alerts", ["T0kenAAA", "T0kenBBB", "T0kenCCC"]),
        ("ntfy://T0kenAAA@ntfy.example.org/topic", ["T0kenAAA"]),
        ("jsons://T0kenAAA@example.org/T0kenBBB", ["T0kenAAA", "T0kenBBB"]),
        ("jsons://example.org/hook?+X-Key=T0kenAAA&token=T0kenBBB&T0kenCCC", ["T0kenAAA", "T0kenBBB", "T0kenCCC"]),
        ("discord://botname@4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", ["4174216298", "JHMHI8qBe7bk2ZwO5U711o3dV_js"]),
    ],
)
def test_passwords_and_tokens_are_hidden_as_written_and_as_meant(url: str, secrets: list[str]) -> None:
    mask = Mask(secrets_of(url))
    assert [mask.text(f"refused: {each}") for each in (url, *secrets)] == ["refused: ***"] * (len(secrets) + 1)
