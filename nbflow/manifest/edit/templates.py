"""Rename a task in a template, and nothing else in it."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, TemplateSyntaxError

from nbflow.params import is_template


def rename_task(text: str, old: str, new: str) -> str:
    """The text with `tasks.old` and `tasks["old"]` renamed. A broken template stays as it is."""
    if not is_template(text) or old not in text:
        return text
    try:
        tokens = [(kind, value) for _, kind, value in _environment().lex(text)]
    except TemplateSyntaxError:
        return text
    if "".join(value for _, value in tokens) != text:
        return text  # Jinja makes \r\n one character
    words = [at for at, (kind, _) in enumerate(tokens) if kind != "whitespace"]
    written = [value for _, value in tokens]
    for before, tasks, link, name in zip([-1, *words], words, words[1:], words[2:], strict=False):
        if written[tasks] == "tasks" and tokens[tasks][0] == "name" and (before < 0 or written[before] != "."):
            written[name] = _renamed(tokens[link][1], *tokens[name], old, new)
    return "".join(written)


def _renamed(link: str, kind: str, value: str, old: str, new: str) -> str:
    if link == "." and kind == "name" and value == old:
        return new
    if link == "[" and kind == "string" and value[1:-1] == old:
        return f"{value[0]}{new}{value[0]}"
    return value


@cache
def _environment() -> Environment:
    return Environment(keep_trailing_newline=True)
