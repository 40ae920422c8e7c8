"""Parameters and the templates that give them values. Pure: nothing here runs a notebook or evaluates Python."""

from nbflow.params.names import context
from nbflow.params.templates import condition, is_template, references, resolve, tasks_named
from nbflow.params.values import check, merge, parse_text, parse_texts, resolve_for

__all__ = [
    "check",
    "condition",
    "context",
    "is_template",
    "merge",
    "parse_text",
    "parse_texts",
    "references",
    "resolve",
    "resolve_for",
    "tasks_named",
]
