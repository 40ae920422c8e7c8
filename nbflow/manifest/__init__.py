"""The manifest: YAML text in, a Pipeline out, or every problem with its place. Pure: what exists around it is given."""

from __future__ import annotations

from typing import Any

from nbflow.errors import InvalidManifest, Problem
from nbflow.manifest import parts
from nbflow.manifest.checks import check_text
from nbflow.manifest.containers import attempt
from nbflow.manifest.document import Node
from nbflow.manifest.dump import dump
from nbflow.manifest.keys import MANIFEST
from nbflow.manifest.reading import build
from nbflow.manifest.references import check_references
from nbflow.manifest.report import Report
from nbflow.manifest.surroundings import Surroundings, check_surroundings
from nbflow.model import Pipeline

__all__ = ["Surroundings", "check", "dump", "examine", "json_schema", "parse"]


def parse(text: str, *, file: str = "pipeline.yaml", around: Surroundings | None = None) -> Pipeline:
    """The pipeline of a manifest. Raises InvalidManifest with all its problems; see `check`."""
    pipeline, problems = check(text, file=file, around=around)
    if pipeline is None:
        raise InvalidManifest(problems)
    return pipeline


def check(
    text: str, *, file: str = "pipeline.yaml", around: Surroundings | None = None
) -> tuple[Pipeline | None, list[Problem]]:
    """The pipeline, None where an error forbids it, and all problems in the order of the text, warnings too.

    `file` is the manifest's path from the project folder: messages begin with it, and no notebook may lie outside.
    """
    report = Report(file)
    root = parts.read(text, report.error)
    pipeline = examine(root, report, around or Surroundings()) if root else None
    return None if report.has_errors else pipeline, report.problems


def examine(root: Node, report: Report, around: Surroundings) -> Pipeline | None:
    """The pipeline of a document, as far as it can be understood; adds to the report what is wrong with it."""
    found = attempt(MANIFEST, root, report)
    if not found:
        return None
    reading = build(root, found[0])
    check_text(reading, report)
    check_references(reading, report, around.env)
    check_surroundings(reading, report, around)
    return reading.pipeline


def json_schema() -> dict[str, Any]:
    """The form of a manifest as JSON Schema, for editors: completes and checks keys and kinds of values, not names."""
    return {"$schema": "https://json-schema.org/reading/2020-12/schema", "title": "nbflow pipeline", **MANIFEST.schema}
