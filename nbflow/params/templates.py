"""Templates in manifests: what they refer to, and what they give. Jinja2 in its sandbox; strict; values stay JSON.

The limits here keep a slip of the pen from filling the memory. They are no wall against an attacker: whoever may write
a template may write a notebook.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.environment import TemplateExpression
from jinja2.runtime import Context
from jinja2.sandbox import MAX_RANGE, SandboxedEnvironment
from jinja2.utils import missing

from nbflow.errors import InvalidInput
from nbflow.params.names import NAMES, Names, as_json, listed
from nbflow.scalars import describe
from nbflow.text import did_you_mean

LIMIT = 2**20
"""How long the text of a result, or its JSON, may be."""

Path = tuple[str, ...]

_FOREIGN: tuple[type[nodes.Node], ...] = (
    nodes.Macro,
    nodes.CallBlock,
    nodes.Block,
    nodes.Extends,
    nodes.Include,
    nodes.Import,
    nodes.FromImport,
)


# --- what a template refers to -------------------------------------------------------------------------------------


def is_template(text: str) -> bool:
    return "{{" in text or "{%" in text


def references(value: Any) -> frozenset[Path]:
    """What the templates in a value, however deep, refer to: `("tasks", "extract", "outputs", "rows")` and the like.

    A path ends where the template computes the rest of it. Raises InvalidInput where a template is wrong in itself.
    """
    return frozenset(path for text in _texts(value) for path in _parse(text).paths)


def tasks_named(value: Any) -> frozenset[str]:
    """The tasks that the templates in a value refer to."""
    return frozenset(path[1] for path in references(value) if path[0] == "tasks" and len(path) > 1)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str() if is_template(value):
            yield value
        case list() | tuple():
            for each in value:
                yield from _texts(each)
        case Mapping():
            yield from _texts(list(value.values()))


@dataclass(frozen=True, slots=True)
class _Parsed:
    paths: frozenset[Path]
    is_lone: bool


def is_lone(text: str) -> bool:
    """True where the text is one `{{ … }}` and nothing else, so that its value keeps its type."""
    return is_template(text) and _parse(text).is_lone


@lru_cache(maxsize=4096)
def _parse(text: str) -> _Parsed:
    try:
        tree = _tree(text)
        local = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"} | {"loop", "range"}
        paths = frozenset(path for path in _paths(tree) if path[0] not in local)
    except InvalidInput:
        raise
    except RecursionError:
        raise InvalidInput("not a valid template: it is nested too deep") from None
    except Exception as error:  # Jinja's own, and what Python says of a number with 5,000 digits
        raise InvalidInput(f"not a valid template: {str(error).rstrip('.')}") from None
    return _Parsed(paths, _lone_expression(tree, text) is not None)


def _tree(text: str) -> nodes.Template:
    tree = _ENVIRONMENT.parse(text.strip())
    _refuse_unknown(tree)
    return tree


def _refuse_unknown(tree: nodes.Template) -> None:
    for foreign in tree.find_all(_FOREIGN):
        raise InvalidInput(f"not a valid template: {type(foreign).__name__.lower()} is not available in manifests")
    for kind, known in ((nodes.Filter, _ENVIRONMENT.filters), (nodes.Test, _ENVIRONMENT.tests)):
        for node in tree.find_all(kind):
            if node.name not in known:
                word = type(node).__name__.lower()
                message = f"not a valid template: there is no {word} '{node.name}'"
                raise InvalidInput(message, hint=did_you_mean(node.name, known))


def _lone_expression(tree: nodes.Template, text: str) -> nodes.Expr | None:
    match tree.body:
        case [nodes.Output(nodes=[only])] if text.strip()[:2] == "{{" and text.strip()[-2:] == "}}":
            return None if isinstance(only, nodes.TemplateData) else only
        case _:
            return None


def _paths(node: nodes.Node) -> Iterator[Path]:
    steps: list[str] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        match node:
            case nodes.Getattr(attr=name) | nodes.Getitem(arg=nodes.Const(value=str(name))):
                steps.append(name)
            case nodes.Getitem(arg=computed):
                steps.clear()
                yield from _paths(computed)
        node = node.node
    if isinstance(node, nodes.Name):
        yield (node.name, *reversed(steps))
    for child in node.iter_child_nodes():
        yield from _paths(child)


# --- what a template gives -----------------------------------------------------------------------------------------


def resolve(value: Any, names: Mapping[str, Any]) -> Any:
    """The value with every template in it, however deep, replaced by what it gives; always JSON.

    A lone `{{ … }}` keeps its type, everything else gives text. Raises InvalidInput.
    """
    match value:
        case str() if is_template(value):
            return _render(value, names)
        case list() | tuple():
            return [resolve(each, names) for each in value]
        case Mapping():
            return {name: resolve(each, names) for name, each in value.items()}
        case _:
            return value


def condition(when: bool | str, names: Mapping[str, Any]) -> bool:
    """What `when` says. Raises InvalidInput where its template gives neither true nor false."""
    answer = resolve(when, names)
    if not isinstance(answer, bool):
        raise InvalidInput(f"'when' must give true or false, not {describe(answer)}")
    return answer


def _render(text: str, names: Mapping[str, Any]) -> Any:
    try:
        value = as_json(_compile(text)({**names, "range": _Range()}))
        if len(json.dumps(value, ensure_ascii=False, allow_nan=False)) > LIMIT:
            raise OverflowError(f"it gives more than {LIMIT:,} characters")
    except InvalidInput:
        raise
    except Exception as error:  # a template can raise whatever the code it calls raises
        raise InvalidInput(f"the template {_shown(text)} failed: {_reason(error)}") from None
    return value


@lru_cache(maxsize=1024)
def _compile(text: str) -> Callable[[Mapping[str, Any]], Any]:
    tree = _tree(text)
    only = _lone_expression(tree, text)
    if only is None:
        pieces = _ENVIRONMENT.from_string(text)
        return lambda names: _join(pieces.generate(names))
    # As `compile_expression` does it, of the tree at hand: that would parse the text anew, and without its braces.
    result = nodes.Assign(nodes.Name("result", "store"), only, lineno=1)
    template = _ENVIRONMENT.from_string(nodes.Template([result], lineno=1))
    return TemplateExpression(template, undefined_to_none=False)


def _join(pieces: Iterable[str]) -> str:
    text = ""
    for piece in pieces:
        text += piece
        if len(text) > LIMIT:
            raise OverflowError(f"it gives more than {LIMIT:,} characters")
    return text


def _reason(error: Exception) -> str:
    if isinstance(error, TemplateError | OverflowError | TypeError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _shown(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


# --- Jinja, made strict and small ------------------------------------------------------------------------------------


class _Undefined(StrictUndefined):
    """Fails with a sentence that lists what exists."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        match self._undefined_obj:
            case Names() as names:
                return names.lacks(self._undefined_name)
            case Mapping() as mapping:
                return f"there is no '{self._undefined_name}'; {listed(map(str, mapping))}"
            case value if value is missing:
                return f"'{self._undefined_name}' is not defined; {listed(NAMES)}"
            case _:
                return super()._undefined_message


class _Range:
    """Jinja's `range`, its limit counted over all calls of one rendering, so that nested loops cannot multiply it."""

    def __init__(self) -> None:
        self._left = MAX_RANGE

    def __call__(self, *bounds: int) -> range:
        numbers = range(*bounds)
        self._left -= len(numbers)
        if self._left < 0:
            raise OverflowError(f"it counts further than {MAX_RANGE:,}")
        return numbers


class _Environment(SandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Of a mapping its values first, and of Names nothing else; then as the sandbox has it."""
        if isinstance(obj, Mapping) and (attribute in obj or isinstance(obj, Names)):
            return self.getitem(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Names):
            return obj[argument] if argument in obj else self.undefined(obj=obj, name=argument)
        return super().getitem(obj, argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Refuse what would grow out of all proportion."""
        match operator, left, right:
            case "*", (str() | list() | tuple()) as many, int(times):
                is_huge = len(many) * times > LIMIT
            case "*", int(times), (str() | list() | tuple()) as many:
                is_huge = len(many) * times > LIMIT
            case "**", int(), int():
                is_huge = left.bit_length() * right > 4096
            case _:
                is_huge = False
        if is_huge:
            raise OverflowError(f"{operator} gives more than fits")
        return super().call_binop(context, operator, left, right)


_ENVIRONMENT = _Environment(undefined=_Undefined, keep_trailing_newline=True, autoescape=False)
_ENVIRONMENT.globals.clear()
