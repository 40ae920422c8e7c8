"""What is wrong with one manifest, collected: every check adds to it, none stops at the first finding."""

from __future__ import annotations

from typing import Literal

from nbflow.errors import Problem
from nbflow.manifest.document import Mark, Node


class Report:
    """The problems of one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: dict[Problem, None] = {}  # an alias or a default would bring the same one twice

    def error(self, node: Node, message: str, hint: str = "", *, at: Mark | None = None) -> None:
        """Refuse a value; `at` where it is not the value itself that is wrong, but its key."""
        self._add("error", node, message, hint, at)

    def warn(self, node: Node, message: str, hint: str = "", *, at: Mark | None = None) -> None:
        self._add("warning", node, message, hint, at)

    @property
    def has_errors(self) -> bool:
        return any(problem.severity == "error" for problem in self._found)

    @property
    def problems(self) -> list[Problem]:
        """In the order of the text."""
        return sorted(self._found, key=lambda problem: (problem.line, problem.column))

    def _add(self, severity: Literal["error", "warning"], node: Node, message: str, hint: str, at: Mark | None) -> None:
        line, column = at or node.mark
        problem = Problem(
            file=self.file,
            message=message,
            line=line,
            column=column,
            where=node.where,
            hint=hint,
            severity=severity,
        )
        self._found.setdefault(problem)
