"""Parameters: what a given value must be, and what stands where nothing was given. Values are JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from nbflow.errors import InvalidInput
from nbflow.model import Param
from nbflow.params import templates
from nbflow.params.annotations import Unfit, fit, read, read_annotation, same
from nbflow.scalars import describe
from nbflow.text import did_you_mean, join_names


def check(param: Param, value: Any) -> Any:
    """The value as the parameter takes it, dates in canonical ISO form. Raises InvalidInput."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()  # fails for half characters: of a command line that is no UTF-8, and no store keeps them
        return _chosen(param, fit(read_annotation(param.type), value))
    except Unfit:
        raise InvalidInput(f"parameter '{param.name}' must be {param.type}, not {describe(value)}") from None
    except (TypeError, ValueError):
        raise InvalidInput(f"parameter '{param.name}' must be a JSON value, not {describe(value)}") from None


def parse_text(param: Param, text: str) -> Any:
    """The value that `-p NAME=TEXT` means, by the parameter's type; without one YAML's scalars and JSON.

    Raises InvalidInput.
    """
    try:
        value = read(read_annotation(param.type), text)
    except Unfit:
        kind = param.type or "a JSON value"
        raise InvalidInput(f"parameter '{param.name}' must be {kind}, not {describe(text)}") from None
    if not param.type and param.choices and value not in param.choices and text in param.choices:
        value = text
    return check(param, value)


def parse_texts(declared: Mapping[str, Param], texts: Mapping[str, str]) -> dict[str, Any]:
    """All values of one command line. Raises InvalidInput, also for names that are not declared."""
    _refuse_unknown(declared, texts)
    return {name: parse_text(declared[name], text) for name, text in texts.items()}


def merge(declared: Mapping[str, Param], given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a run, complete and in declared order: what was given, else the defaults.

    Raises InvalidInput for an unknown name, a missing value, a wrong type or a value that is no choice.
    """
    _refuse_unknown(declared, given)
    missing = [name for name, param in declared.items() if param.is_required and name not in given]
    if missing:
        many = "s" if len(missing) > 1 else ""
        raise InvalidInput(
            f"no value for the parameter{many} {join_names(missing)}", hint=f"Give one with -p {missing[0]}=VALUE."
        )
    return {name: check(param, given[name]) if name in given else param.default for name, param in declared.items()}


def resolve_for(declared: Iterable[Param], given: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of one task run: templates resolved, then checked against what the notebook declares.

    Names that it does not declare pass: whether they may was decided when the manifest was read. Raises InvalidInput.
    """
    params = {param.name: param for param in declared}
    resolved: dict[str, Any] = {}
    for name, value in given.items():
        try:
            resolved[name] = templates.resolve(value, names)
        except InvalidInput as error:
            raise InvalidInput(f"parameter '{name}': {error.message}", hint=error.hint) from None
        if name in params:
            resolved[name] = check(params[name], resolved[name])
    return resolved


def _refuse_unknown(declared: Mapping[str, Param], given: Iterable[str]) -> None:
    for name in given:
        if name not in declared:
            raise InvalidInput(
                f"there is no parameter '{name}'", hint=did_you_mean(name, declared) or "The pipeline takes none."
            )


def _chosen(param: Param, value: Any) -> Any:
    try:
        return same(value, param.choices) if param.choices else value
    except Unfit:
        raise InvalidInput(
            f"parameter '{param.name}' cannot be {describe(value)}",
            hint=f"Its choices are: {', '.join(map(str, param.choices))}.",
        ) from None
