"""Which run a person means: an id, the beginning of one, or `latest[:PIPELINE]` (RUN of the command line)."""

from __future__ import annotations

from collections.abc import Sequence

from nbflow.errors import InvalidInput, NotFound
from nbflow.model import PipelineName, RunId
from nbflow.text import did_you_mean, join_names

CANDIDATES = 5
"""How many runs an error names, at most."""


def latest_of(ref: str) -> tuple[bool, PipelineName | None]:
    """Whether `ref` asks for the latest run, and of which pipeline; None for any."""
    word, _, pipeline = ref.partition(":")
    return word == "latest", PipelineName(pipeline) if pipeline else None


def no_latest(pipeline: PipelineName | None, known: Sequence[PipelineName]) -> NotFound:
    """`known` are the pipelines that have runs."""
    if pipeline is None:
        return NotFound("there is no run yet", hint="Start one: nbflow run PIPELINE.")
    return NotFound(f"pipeline '{pipeline}' has no run", hint=did_you_mean(pipeline, known))


def the_one(ref: str, found: Sequence[RunId], newest: Sequence[RunId]) -> RunId:
    """The only run of `found`, some of those whose ids begin with `ref`. Raises NotFound, or InvalidInput for several.

    `newest` are the latest runs of all, named where nothing fits.
    """
    if len(found) == 1:
        return found[0]
    if found:
        message = f"'{ref}' is the beginning of several runs, such as {join_names(found)}"
        raise InvalidInput(message, hint="Give more of the id.")
    hint = f"The latest are {join_names(newest)}." if newest else "There is no run yet."
    raise NotFound(f"there is no run '{ref}'", hint=hint)
