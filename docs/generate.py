"""Write the reference pages from the code: routes, commands, settings, manifest keys. `make docs`; a test runs it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
from typer.main import get_command

from nbflow.cli import app
from nbflow.manifest import keys
from nbflow.notice import NOTICE_SENTENCES
from nbflow.params.names import NAME_SENTENCES
from nbflow.rest import create_app
from nbflow.rest.routing import ROLE
from nbflow.settings import SETTINGS
from nbflow.states import ATTEMPT_SENTENCES, CAUSE_SENTENCES, JOIN_SENTENCES, RUN_SENTENCES, TASK_SENTENCES

FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py; change the code, then `make docs`. -->\n"

JOINS = (
    "A task is decided as soon as no ending of the tasks before it could change the answer. A failure weighs more than "
    "a skip: where a rule that asks for successes, or for no failure, cannot be met because of one, the task is "
    "`upstream_failed`, in every other case `skipped`. A task that could not run or was cancelled counts as a failed "
    "one, but for `one_done` one that could not run does not count. What a cancelled task alone blocks so is "
    "`cancelled` too."
)
TEMPLATES = (
    "The values of a task's `params` and `env` and its `when` may be templates of Jinja2: `{{ run_date }}`. "
    "One that is nothing but `{{ … }}` keeps the type of its value; with other text around it, it gives text. A name "
    "that does not exist is an error. Filters such as `default(0)` and conditions are there, macros and imports not."
)


def commands() -> str:
    """Every command with its arguments and options."""
    root = get_command(app)
    context = typer.Context(root, info_name="nbflow")
    return "\n".join([f"{NOTE}\n# Commands\n\n{root.help}\n\n{root.epilog}\n", *_commands(root, context, "nbflow")])


def _commands(group: Any, context: typer.Context, words: str) -> Iterator[str]:
    """What each command of a group does, and those of the groups in it."""
    for name in group.list_commands(context):
        command, line = group.get_command(context, name), f"{words} {name}"
        inner = typer.Context(command, info_name=line, parent=None)
        if hasattr(command, "list_commands"):
            yield from _commands(command, inner, line)
            continue
        pieces = " ".join(command.collect_usage_pieces(inner))
        yield f"## {line}\n\n```text\n{line} {pieces}\n```\n\n{_prose(command.help)}\n"
        rows = [row for parameter in command.params if (row := _option(parameter, inner))]
        if rows:
            yield "| | |\n|---|---|\n" + "\n".join(rows) + "\n"


def _prose(text: str | None) -> str:
    return "\n".join(line.strip() for line in (text or "").strip().splitlines())


def _option(parameter: Any, context: typer.Context) -> str:
    if getattr(parameter, "hidden", False):
        return ""
    if parameter.param_type_name == "argument":
        name, about = parameter.metavar or parameter.name.upper(), parameter.help or ""
    else:
        name, about = parameter.get_help_record(context)
    return f"| `{_cell(name)}` | {_cell(about)} |"


def _cell(text: str) -> str:
    """Text inside a table."""
    return " ".join(text.split()).replace("|", "\\|")


def settings() -> str:
    """Every setting with its environment variable, default and meaning."""
    head = (
        f"{NOTE}\n# Settings\n\nThe file `nbflow.toml` in the project's folder is optional, and so is every key. "
        "An environment variable beats the file.\n\n| key | variable | default | |\n|---|---|---|---|\n"
    )
    rows = [
        f"| `{each.key}` | `{each.variable}` | {f'`{each.default}`' if each.default else ''} | {each.about} |"
        for each in SETTINGS
    ]
    return head + "\n".join(rows) + "\n"


def manifest_keys() -> str:
    """Every key of a manifest, from the tables that read it."""
    intro = (
        f"{NOTE}\n# The manifest\n\nOne `pipeline.yaml` a pipeline, beside its notebooks. `nbflow validate` reports "
        "every problem of every manifest at once. Durations are written `30s`, `2m`, `1h30m`, `1d`. A key that is "
        "marked *not yet* is checked, and then refused: this version does not run it.\n"
    )
    tables = {
        "Keys of a pipeline": keys.PIPELINE,
        "Keys of a task": keys.TASK,
        "Keys of `retries`": keys.RETRIES,
        "Keys of `schedule`": keys.SCHEDULE,
        "Keys of a parameter": keys.PARAM,
        "Keys of `alerts`": keys.ALERTS,
        "Keys of `keep`": keys.KEEP,
    }
    joins = _sentences(JOIN_SENTENCES, "rule of `run_if`", "the task runs when")
    names = _sentences(NAME_SENTENCES, "name", "what it gives")
    return "\n".join(
        [
            intro,
            *(_table(title, table) for title, table in tables.items()),
            f"## Join rules\n\n{JOINS}\n\n{joins}",
            f"## Templates\n\n{TEMPLATES}\n\n{names}",
        ]
    )


def _table(title: str, table: Mapping[str, keys.Key]) -> str:
    rows = []
    for name, key in table.items():
        mark = " (required)" if key.is_required else "" if key.is_supported else " (not yet)"
        rows.append(f"| `{name}`{mark} | {_kind(key.kind.schema)} | {_cell(key.about)} |")
    return f"## {title}\n\n| key | value | meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " · ".join(f"`{each}`" for each in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(each) for each in schema["anyOf"]))
    kind = schema.get("type", "any value")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def states() -> str:
    """The words for where a run, a task run and an attempt stand."""
    tables = {
        "Runs": RUN_SENTENCES,
        "Tasks": TASK_SENTENCES,
        "Attempts": ATTEMPT_SENTENCES,
        "Causes": CAUSE_SENTENCES,
        "Alerts": NOTICE_SENTENCES,
    }
    parts = [f"{NOTE}\n# States and causes\n"]
    parts += [f"## {title}\n\n{_sentences(sentences)}" for title, sentences in tables.items()]
    return "\n".join(parts)


def _sentences(sentences: Mapping[Any, str], word: str = "", meaning: str = "") -> str:
    rows = "\n".join(f"| `{name}` | {sentence} |" for name, sentence in sentences.items())
    head = f"| {word} | {meaning} |" if word else "| | |"
    return f"{head}\n|---|---|\n{rows}\n"


def routes() -> str:
    """Every route of the REST API with its role, from the OpenAPI document."""
    document = create_app(_nobody, bearer=_nobody).openapi()
    intro = (
        f"{NOTE}\n# REST\n\nThe app serves these below its own address; `/api/v1/openapi.json` has every parameter and "
        "answer. How to use them: [Use nbflow from a program](../how-to/api.md). Each needs the role beside it, or a "
        "higher one.\n"
    )
    rows: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            row = f"| `{method.upper()} {path}` | {about[ROLE]} | {_cell(about['summary'])} |"
            rows.setdefault(about["tags"][0], []).append(row)
    tables = (
        f"## {tag.capitalize()}\n\n| route | role | |\n|---|---|---|\n" + "\n".join(found) + "\n"
        for tag, found in rows.items()
    )
    return "\n".join([intro, *tables])


def _nobody(_: object) -> Any:
    return None


PAGES = {
    "api.md": routes,
    "cli.md": commands,
    "settings.md": settings,
    "manifest.md": manifest_keys,
    "states.md": states,
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, write in PAGES.items():
        (FOLDER / name).write_text(write(), encoding="utf-8")
        sys.stdout.write(f"{FOLDER / name}\n")


if __name__ == "__main__":
    main()
