"""Fail on purpose, to see before the great day what a failure does to the rest of the pipeline."""

from __future__ import annotations


class RehearsedFailure(Exception):
    """Somebody asked for this failure. Trying again would not help, so the manifest never does."""


def fail_if(is_asked: bool) -> None:
    """Raise RehearsedFailure where the run's parameter `fail_in` names this step."""
    if is_asked:
        raise RehearsedFailure("this step was asked to fail; repair the run with fail_in=none")
