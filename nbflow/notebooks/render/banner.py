"""What became of an attempt, in a sentence above its notebook."""

from __future__ import annotations

from html import escape

from nbflow.notebooks.render.cells import key_of
from nbflow.notebooks.render.prose import prose_html
from nbflow.run import Attempt
from nbflow.states import CAUSE_SENTENCES, AttemptState, in_words


def banner_html(attempt: Attempt) -> str:
    """Its end with the cause and the way to the cell; empty while it runs and where all went well."""
    if not attempt.state.is_terminal or attempt.state is AttemptState.SUCCESS:
        return ""
    because = attempt.reason or (CAUSE_SENTENCES[attempt.cause] if attempt.cause else "")
    cell = attempt.failing_cell
    jump = f' <a href="#{key_of(cell)}">Go to cell {cell}</a>' if cell is not None else ""
    word = escape(in_words(attempt.state))
    return f'<div class="nbx-banner nbx-{attempt.state}"><strong>{word}</strong>: {prose_html(because)}{jump}</div>'
