"""Reads tables of wrong manifests: `=== name`, the manifest, a line `>>> line:column: message` for each problem."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    name: str
    text: str
    problems: list[str]
    """As `str(Problem)` gives them."""

    def __str__(self) -> str:
        return self.name


def read_cases(file: str) -> list[Case]:
    blocks = Path(__file__).with_name(file).read_text(encoding="utf-8").split("=== ")[1:]
    return [_case(*block.split("\n", 1)) for block in blocks]


def _case(name: str, body: str) -> Case:
    lines = body.splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith(">>> ")).rstrip("\n") + "\n"
    problems = [f"pipeline.yaml:{line[4:].rstrip()}" for line in lines if line.startswith(">>> ")]
    return Case(name, text, problems)
