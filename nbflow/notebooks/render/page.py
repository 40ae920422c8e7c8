"""An executed notebook as one HTML file: no script, and no request to anywhere.

Its outputs are cleaned, and the page carries a policy that forbids the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from nbflow.notebooks.document import Notebook
from nbflow.notebooks.render.cells import folded, fragments, key_of
from nbflow.notebooks.render.styles import page_style

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"


def page(notebook: Notebook, *, title: str, state: str, facts: Mapping[str, str], failing_cell: int | None) -> str:
    """The whole page; `facts` stand below its title."""
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(said)}</dd></div>" for name, said in facts.items() if said)
    failing = key_of(failing_cell) if failing_cell else None
    jump = f'<p><a href="#{failing}">Go to the failing cell</a></p>' if failing else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{page_style()}</style></head>\n"
        f'<body><header class="nbx-header nbx-{escape(state)}"><h1>{escape(title)}</h1><dl>{rows}</dl>{jump}</header>\n'
        f"<main>{folded(fragments(notebook), failing)}</main></body></html>\n"
    )
