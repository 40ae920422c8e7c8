"""The doors to runs that are kept: the store that writes them, the store that reads them, and who owns them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from nbflow.model import PipelineName, RunId, TaskKey, TaskName
from nbflow.ports.values import FrozenPipeline, Held, Lease, StoredRun
from nbflow.run import (
    Asked,
    Attempt,
    Change,
    Decision,
    Request,
    Run,
    TaskRun,
)
from nbflow.states import RunKind, RunState
from nbflow.tally import Series


class RunStore(Protocol):
    """Runs, durable. Every method is one transaction; after an error nothing of it is visible."""

    def add_run(self, run: Run, tasks: Sequence[TaskRun], frozen: FrozenPipeline, lease: Lease | None) -> bool:
        """Create a run with its task runs; False if its pipeline has a run of that key already.

        Its creation is the first line of its change log.
        """
        ...

    def load(self, run: RunId) -> StoredRun:
        """The run with its task runs and their live attempts. Raises NotFound."""
        ...

    def apply(self, decision: Decision, *, seen: int, lease: Lease, pools: Mapping[str, int]) -> Run:
        """Save a decision; returns the run with its new version.

        `pools` has the number of places of each pool. Raises StaleVersion if the run's version is not `seen`,
        LeaseLost if `lease` is not the run's own any more, PoolFull if new attempts of the decision would overfill a
        pool, counted over every live attempt of every run in the store.
        """
        ...

    def now(self, local: datetime) -> datetime:
        """The time that leases and leaders go by: the database's own where it has a clock, else `local`."""
        ...

    def claim(self, run: RunId, engine: str, *, now: datetime, ttl: timedelta, instead_of: str | None = None) -> Lease:
        """Become the owner, with a higher epoch. Raises Conflict while another engine's lease is alive.

        `now`, here and in `renew`, is what `now()` gave. `instead_of` is an engine whose lease is taken whatever its
        time: the caller has proved it dead, or speaks for it.
        """
        ...

    def renew(self, engine: str, *, now: datetime, ttl: timedelta) -> Collection[RunId]:
        """Extend all leases of `engine`; returns the runs that it still owns."""
        ...

    def release(self, lease: Lease) -> None:
        """Give up ownership; nothing happens if it was lost already."""
        ...

    def note_aside(self, run: RunId, note: str, *, now: datetime) -> None:
        """Write into the run's change log that its scheduler leaves it alone. Raises NotFound."""
        ...

    def owned(self) -> Sequence[Lease]:
        """The leases of all unfinished runs that have an owner."""
        ...

    def lease(self, run: RunId) -> Lease | None:
        """Of one run, as `owned` has it; None where it has ended, is unknown, or has no owner."""
        ...

    def ask(self, run: RunId, request: Request, *, now: datetime) -> int:
        """Leave a request for the run's owner; returns its id."""
        ...

    def asked(self, runs: Sequence[RunId]) -> Mapping[RunId, Sequence[Asked]]:
        """Unanswered requests of these runs, oldest first."""
        ...

    def answer(self, request: int) -> str | None:
        """What became of a request: None while open, empty when carried out, else why not."""
        ...

    def pool_holders(self) -> Mapping[str, Sequence[str]]:
        """Who holds the places of each pool now: a task's address once for each place of its live attempt."""
        ...

    def run_of_key(self, pipeline: PipelineName, run_key: str) -> RunId:
        """The run that has this key. Raises NotFound."""
        ...


class ReadStore(Protocol):
    """History, for everybody who only looks."""

    def find_run(self, ref: str) -> RunId:
        """RUN of the command line: an id, a unique prefix of one, or `latest[:PIPELINE]`.

        Raises NotFound, and InvalidInput with the candidates where a prefix fits several.
        """
        ...

    def load(self, run: RunId) -> StoredRun: ...

    def attempts(self, run: RunId) -> Mapping[TaskKey, Sequence[Attempt]]:
        """All attempts of a run, oldest first; a task run without one is missing."""
        ...

    def list_runs(
        self,
        *,
        pipeline: PipelineName | None = None,
        state: RunState | None = None,
        kind: RunKind | None = None,
        text: str = "",
        before: RunId | None = None,
        limit: int = 50,
    ) -> Sequence[Run]:
        """Newest first; from behind the run `before` on, so that the last run of a page finds the next page.

        `text` is a part of the id, the pipeline's name, the run key or the name of who created it; ASCII capitals do
        not matter. Raises NotFound for an unknown `before`.
        """
        ...

    def count_runs(self, pipeline: PipelineName | None = None) -> Mapping[RunState, int]:
        """How many runs there are in each state; states without one are there too."""
        ...

    def recent_runs(self, limit: int) -> Mapping[PipelineName, Sequence[Run]]:
        """The last `limit` runs of every pipeline that has one, newest first; pipelines by name."""
        ...

    def durations(self, pipeline: PipelineName) -> Mapping[TaskName, Sequence[float]]:
        """Seconds of each task's last 20 successful attempts, newest first, as far as the last 100 runs have them.

        Without those that ended before they began, because the clock was set back.
        """
        ...

    def changes(self, after: int, *, run: RunId | None = None, limit: int = 1000) -> Sequence[Change]:
        """The change log in order, from the first entry with `seq > after`."""
        ...

    def newest_change(self, run: RunId) -> Change | None:
        """The last entry of a run's change log; None of a run that is unknown."""
        ...

    def latest_change(self) -> int:
        """The number of the newest entry of the change log; 0 before the first. Cheap: it is asked all the time."""
        ...

    def tallies(self) -> Mapping[Series, float]:
        """What the decisions of all time added up to, by `nbflow.tally`."""
        ...

    def unfinished_counts(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """How many runs have not ended, and how many task runs these have, each by state."""
        ...

    def manifest_text(self, sha256: str) -> str:
        """The frozen manifest as it was written. Raises NotFound."""
        ...


class Owners(Protocol):
    """Which engines are alive. On one machine a held lock proves it; of others only the lease speaks."""

    def hold(self, engine: str) -> None:
        """Be known as alive until this process ends."""
        ...

    def is_alive(self, held: Held, now: datetime) -> bool:
        """Whether the engine that has a lease may still write or have running attempts. `now` is the store's."""
        ...
