"""Templates in manifests: what they refer to, and what they give. Jinja2 in its sandbox; strict; values stay JSON.

The limits here keep a slip of the pen from filling the memory. They are no wall against an attacker: whoever may write
a template may write a notebook.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import MAX_RANGE, SandboxedEnvironment
from jinja2.utils import missing

from nbflow.errors import InvalidInput
from nbflow.run import Run
from nbflow.scalars import describe
from nbflow.text import did_you_mean

LIMIT = 2**20
"""How long the text of a result, or its JSON, may be."""

NAMES: dict[str, tuple[str, ...] | None] = {
    "run_date": None,
    "logical_date": None,
    "data_interval": ("start", "end"),
    "run": ("id", "kind"),
    "pipeline": ("name",),
    "params": None,
    "tasks": None,
    "env": None,
    "item": None,
}
"""What a template may name, and of a fixed namespace its names."""

TASK_NAMES = ("outputs", "state")
Path = tuple[str, ...]

_NO_ITEM = object()
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
        tree = _ENVIRONMENT.parse(text.strip())
    except TemplateSyntaxError as error:
        raise InvalidInput(f"not a valid template: {(error.message or '').rstrip('.')}") from None
    except RecursionError:
        raise InvalidInput("not a valid template: it is nested too deep") from None
    _refuse_unknown(tree)
    local = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"} | {"loop", "range"}
    return _Parsed(frozenset(path for path in _paths(tree) if path[0] not in local), _is_lone(tree, text.strip()))


def _refuse_unknown(tree: nodes.Template) -> None:
    for foreign in tree.find_all(_FOREIGN):
        raise InvalidInput(f"not a valid template: {type(foreign).__name__.lower()} is not available in manifests")
    for kind, known in ((nodes.Filter, _ENVIRONMENT.filters), (nodes.Test, _ENVIRONMENT.tests)):
        for node in tree.find_all(kind):
            if node.name not in known:
                word = type(node).__name__.lower()
                message = f"not a valid template: there is no {word} '{node.name}'"
                raise InvalidInput(message, hint=did_you_mean(node.name, known))


def _is_lone(tree: nodes.Template, text: str) -> bool:
    match tree.body:
        case [nodes.Output(nodes=[only])]:
            return not isinstance(only, nodes.TemplateData) and text.startswith("{{") and text.endswith("}}")
        case _:
            return False


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
    evaluate = _compile(text)
    try:
        value = _as_json(evaluate({**names, "range": _Range()}))
        if len(json.dumps(value, ensure_ascii=False, allow_nan=False)) > LIMIT:
            raise OverflowError(f"it gives more than {LIMIT:,} characters")
    except Exception as error:  # a template can raise whatever the code it calls raises
        raise InvalidInput(f"the template {_shown(text)} failed: {_reason(error)}") from None
    return value


@lru_cache(maxsize=1024)
def _compile(text: str) -> Callable[[Mapping[str, Any]], Any]:
    if not _parse(text).is_lone:
        pieces = _ENVIRONMENT.from_string(text)
        return lambda names: _join(pieces.generate(names))
    inner = text.strip()[2:-2].removesuffix("-")
    expression = inner[1:] if inner[:1] in {"-", "+"} else inner  # white space control, no sign
    return _ENVIRONMENT.compile_expression(expression, undefined_to_none=False)


def _join(pieces: Iterable[str]) -> str:
    text = ""
    for piece in pieces:
        text += piece
        if len(text) > LIMIT:
            raise OverflowError(f"it gives more than {LIMIT:,} characters")
    return text


def _as_json(value: Any) -> Any:
    match value:
        case Undefined():
            return str(value)  # raises, with what is missing
        case None | bool() | int() | float():
            return value
        case str():
            return str(value)
        case Mapping():
            return {str(name): _as_json(each) for name, each in value.items()}
        case Iterable():
            return [_as_json(each) for each in islice(value, LIMIT)]
        case _:
            kind = "a function" if callable(value) else type(value).__name__
            raise TypeError(f"it gives {kind}, which is no JSON value")


def _reason(error: Exception) -> str:
    if isinstance(error, TemplateError | OverflowError | TypeError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _shown(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


# --- what a template sees ------------------------------------------------------------------------------------------


class Names(Mapping[str, Any]):
    """Values by name. A template sees only those, and none of a mapping's methods: `outputs.items` is a value."""

    __slots__ = ("_missing", "_values")

    def __init__(self, values: Mapping[str, Any], missing: str) -> None:
        self._values = values
        self._missing = missing

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __str__(self) -> str:
        return json.dumps(_as_json(self), ensure_ascii=False)

    def lacks(self, name: object) -> str:
        return f"{self._missing} '{name}'; {_listed(self)}"


def context(
    run: Run,
    *,
    upstream: Mapping[str, tuple[str, Mapping[str, Any]]],
    env: Mapping[str, str] | None = None,
    item: Any = _NO_ITEM,
) -> Mapping[str, Any]:
    """What the templates of one task run may name.

    `upstream` has the state and the reported values of each upstream task; `env` what nbflow.toml allows of the
    environment; `item` the item of a `for_each`.
    """
    tasks = {
        name: Names(
            {"outputs": Names(outputs, f"task '{name}' reported no value"), "state": str(state)},
            f"tasks.{name} has no",
        )
        for name, (state, outputs) in upstream.items()
    }
    names: dict[str, Any] = {
        "run_date": run.run_date.isoformat(),
        "logical_date": run.logical_date.isoformat(),
        "data_interval": _fixed("data_interval", run.interval.start.isoformat(), run.interval.end.isoformat()),
        "run": _fixed("run", run.id, run.kind.value),
        "pipeline": _fixed("pipeline", run.pipeline),
        "params": Names(run.params, "there is no parameter"),
        "tasks": Names(tasks, "there is no upstream task"),
        "env": Names(env or {}, "no environment variable is allowed by the name"),
    }
    return names if item is _NO_ITEM else {**names, "item": item}


def _fixed(name: str, *values: str) -> Names:
    return Names(dict(zip(NAMES[name] or (), values, strict=True)), f"{name} has no")


def _listed(names: Iterable[str]) -> str:
    listed = ", ".join(islice(names, 20))
    return f"there are: {listed}" if listed else "there are none"


class _Undefined(StrictUndefined):
    """Fails with a sentence that lists what exists."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        match self._undefined_obj:
            case Names() as names:
                return names.lacks(self._undefined_name)
            case Mapping() as mapping:
                return f"there is no '{self._undefined_name}'; {_listed(map(str, mapping))}"
            case value if value is missing:
                return f"'{self._undefined_name}' is not defined; {_listed(NAMES)}"
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
