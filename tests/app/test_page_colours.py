"""The log that stands alone has the colours of the app."""

from __future__ import annotations

import re

from nbflow_app import theme

from nbflow.notebooks.render.styles import page_style, stylesheet


def test_a_log_that_stands_alone_has_the_colours_of_the_app() -> None:
    of_app, of_page = (
        dict(re.findall(r"(--nb-[\w-]+):\s*(light-dark\([^)]*\))", css)) for css in (theme.stylesheet(), page_style())
    )
    assert of_page
    assert {name: of_app.get(name) for name in of_page} == of_page


def test_every_colour_of_the_cells_is_known_to_both() -> None:
    used = set(re.findall(r"var\((--nb-[\w-]+)\)", stylesheet()))
    assert used
    for css in (theme.stylesheet(), page_style()):
        assert used <= set(re.findall(r"(--nb-[\w-]+):", css))
