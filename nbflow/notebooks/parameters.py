"""Parameters on their way into a Python notebook: dates become real dates, everything else is papermill's."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from itertools import groupby
from typing import Any

from papermill.translators import PythonTranslator, papermill_translators

from nbflow.errors import InvalidInput
from nbflow.model import Param

_KINDS = {"date": date, "datetime": datetime}
_DATE = re.compile(r"(?:(?P<module>[\w.]+)\.)?(?P<kind>date|datetime)")


class Moment(str):
    """The ISO text of a date or a time, and the name that the notebook has for its class."""

    module: str
    """Empty where the class was imported by its own name."""
    kind: str

    @property
    def expression(self) -> str:
        name = f"{self.module}.{self.kind}" if self.module else self.kind
        return f'{name}.fromisoformat("{self}")'

    @property
    def import_line(self) -> str:
        """Empty for a module of another name, which the notebook must have imported itself."""
        if not self.module:
            return f"from datetime import {self.kind}"
        return "import datetime" if self.module == "datetime" else ""


class Translator(PythonTranslator):  # type: ignore[misc]
    """Papermill's, with the import that a date needs: the very name that the notebook's own annotation uses."""

    @classmethod
    def translate(cls, value: Any) -> Any:
        return value.expression if isinstance(value, Moment) else super().translate(value)

    @classmethod
    def translate_str(cls, value: str) -> str:
        """Readable in every script: what can be printed is not escaped."""
        runs = ((is_foreign, "".join(run)) for is_foreign, run in groupby(value, _is_foreign))
        return f'"{"".join(run if is_foreign else cls.translate_escaped_str(run)[1:-1] for is_foreign, run in runs)}"'

    @classmethod
    def codify(cls, parameters: Mapping[str, Any], comment: str = "Parameters") -> str:
        lines = dict.fromkeys(value.import_line for value in parameters.values() if isinstance(value, Moment))
        imports = "".join(f"{line}\n" for line in lines if line)
        heading, _, assignments = super().codify(parameters, comment).partition("\n")
        return f"{heading}\n{imports}\n{assignments}" if imports else f"{heading}\n{assignments}"


def _is_foreign(character: str) -> bool:
    return not character.isascii() and character.isprintable()


def register() -> None:
    """Let papermill use the translator, in this process."""
    papermill_translators.register("python", Translator)


def typed(values: Mapping[str, Any], declared: Iterable[Param]) -> dict[str, Any]:
    """The values, with a Moment for each text whose parameter is annotated as a date or a datetime.

    Raises InvalidInput for a text that is none.
    """
    annotations = {param.name: param.type for param in declared}
    return {name: _typed(name, value, annotations.get(name, "")) for name, value in values.items()}


def _typed(name: str, value: Any, annotation: str) -> Any:
    members = _members(annotation)
    kinds = [found for found in map(_DATE.fullmatch, members) if found]
    if not kinds or not isinstance(value, str):
        return value
    for found in kinds:
        with contextlib.suppress(ValueError):
            moment = Moment(_KINDS[found["kind"]].fromisoformat(value).isoformat())
            moment.module, moment.kind = found["module"] or "", found["kind"]
            return moment
    if "str" in members:
        return value
    raise InvalidInput(f"the parameter '{name}' is to be a {kinds[0]['kind']}, and {value!r} is none")


def _members(annotation: str) -> list[str]:
    """`date | None`, `Optional[date]` and `"date"` all allow a date."""
    bare = annotation.strip().strip("'\"")
    if optional := re.fullmatch(r"(?:\w+\.)?Optional\[(.*)\]", bare):
        return [optional[1].strip()]
    return [member.strip() for member in bare.split("|")]
