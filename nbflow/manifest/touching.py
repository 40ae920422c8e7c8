"""What notebooks read and write must be in the order of the tasks: who reads what another writes runs after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nbflow.manifest.reading import Reading
from nbflow.manifest.references import all_upstreams
from nbflow.manifest.report import Report


@dataclass(frozen=True, slots=True)
class Touches:
    """Files and tables that a notebook surely reads or writes, each by what messages call it; equal ones are one."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Gap:
    """An edge that seems to be missing, with its reason."""

    up: str
    down: str
    thing: str


def gaps(touches: Mapping[str, Touches], upstreams: Mapping[str, set[str]]) -> Iterator[Gap]:
    """Where one task reads what only one other writes, and neither runs after the other.

    `upstreams` has all tasks that come before each, however far. A task that writes the thing itself is left in peace,
    and so is one that runs before the writer: it means what the last run left.
    """
    writers: dict[str, list[str]] = {}
    for task, touched in touches.items():
        for thing in touched.writes:
            writers.setdefault(thing, []).append(task)
    for down, touched in touches.items():
        for thing in sorted(touched.reads - touched.writes):
            match writers.get(thing):
                case [up] if up not in upstreams[down] and down not in upstreams[up]:
                    yield Gap(up, down, thing)


def by_edge(gaps: Iterable[Gap]) -> Mapping[tuple[str, str], Sequence[str]]:
    """All that passes along each edge that seems to be missing, the upstream task first."""
    things: dict[tuple[str, str], list[str]] = {}
    for gap in gaps:
        things.setdefault((gap.up, gap.down), []).append(gap.thing)
    return things


def check_touches(reading: Reading, report: Report, touches: Mapping[str, Touches]) -> None:
    """Add a warning for each edge that seems to be missing."""
    for gap in gaps(touches, all_upstreams(reading.pipeline)):
        node = reading.own(gap.down, "depends_on") or reading.tasks[gap.down]
        message = f"'{gap.down}' reads {gap.thing}, which '{gap.up}' writes, but does not run after it"
        report.warn(node, message, f"Add '{gap.up}' to the depends_on of '{gap.down}'.", at=node.key)
