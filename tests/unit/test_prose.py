"""Sentences as HTML."""

from __future__ import annotations

import pytest

from nbflow.notebooks.render.prose import prose_html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("start `nbflow up`", "start <code>nbflow up</code>"),
        ("`a` and `b`", "<code>a</code> and <code>b</code>"),
        ("`<script>` & <b>", "<code>&lt;script&gt;</code> &amp; &lt;b&gt;"),
        ("a ` alone", "a ` alone"),
        ("`` is nothing", "`` is nothing"),
        ("not `over\nlines`", "not `over\nlines`"),
        ("", ""),
    ],
)
def test_what_stands_between_backticks_is_code_and_all_is_escaped(text: str, html: str) -> None:
    assert prose_html(text) == html
