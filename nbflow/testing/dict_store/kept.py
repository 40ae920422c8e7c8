"""What a dict store keeps, and what its sides share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from nbflow.backfill import Backfill, BackfillItem
from nbflow.errors import Conflict, NotFound
from nbflow.model import AttemptId, Pipeline, PipelineName, RunId, TaskKey
from nbflow.people import Token, User
from nbflow.ports import FrozenPipeline, Leader, Lease, Message
from nbflow.ports.housekeeping import Leftover
from nbflow.run import Attempt, Change, Request, Run, TaskRun
from nbflow.tally import Series
from nbflow.timetable import Skip, Standing


@dataclass(frozen=True)
class Record:
    """All that is kept of one run. A verb replaces it whole, as its last step, so that an error leaves no trace."""

    run: Run
    frozen: FrozenPipeline
    tasks: Mapping[TaskKey, TaskRun]
    attempts: Mapping[AttemptId, Attempt] = field(default_factory=dict)
    lease: Lease | None = None
    epoch: int = 0

    def live(self) -> dict[TaskKey, Attempt]:
        return {attempt.key: attempt for attempt in self.attempts.values() if not attempt.state.is_terminal}

    @property
    def lease_of_unfinished(self) -> Lease | None:
        return None if self.run.state.is_terminal else self.lease

    @property
    def is_active(self) -> bool:
        return not self.run.state.is_terminal or self.lease is not None or bool(self.live())


@dataclass(frozen=True)
class Left:
    """A request that was left for the owner of a run."""

    run: RunId
    request: Request
    answer: str | None = None


@dataclass(frozen=True)
class Item:
    """A tick of a backfill, with the number of what was asked of its run."""

    item: BackfillItem
    request: int | None = None


class Kept:
    """Frozen values in dicts and lists; dicts also where a set would do, because they know what was added last.

    What an engine asks all the time is found without a look at every run: a test may have a year of them.
    """

    def __init__(self) -> None:
        self._records: dict[RunId, Record] = {}
        self._keys: dict[tuple[PipelineName, str], RunId] = {}
        self._attempt_tokens: dict[str, None] = {}
        self._active: dict[RunId, None] = {}
        self._requests: dict[int, Left] = {}
        self._open: dict[int, None] = {}
        self._last_request = 0
        self._changes: list[Change] = []
        self._last_change = 0
        self._texts: dict[str, str] = {}
        self._leader: Leader | None = None
        self._leader_epoch = 0
        self._standings: dict[PipelineName, Standing] = {}
        self._last_good: dict[PipelineName, tuple[Pipeline, str]] = {}
        self._skips: list[Skip] = []
        self._backfills: dict[int, Backfill] = {}
        self._leftovers: dict[RunId, Leftover] = {}
        self._messages: dict[str, Message] = {}
        self._items: dict[int, tuple[Item, ...]] = {}
        self._users: dict[str, User] = {}
        self._tokens: dict[int, Token] = {}
        self._last_token = 0
        self._tallies: Counter[Series] = Counter()

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """After an error all that was added is gone. What is changed is changed last, where no error can follow."""
        sizes = [(kept, len(kept)) for kept in vars(self).values() if isinstance(kept, dict | list)]
        numbers = {name: kept for name, kept in vars(self).items() if isinstance(kept, int)}
        try:
            yield
        except BaseException:
            vars(self).update(numbers)
            for kept, size in sizes:
                for _ in range(len(kept) - size):
                    kept.popitem() if isinstance(kept, dict) else kept.pop()
            raise

    def _keep(self, record: Record) -> None:
        self._records[record.run.id] = record
        if record.is_active:
            self._active[record.run.id] = None
        else:
            self._active.pop(record.run.id, None)

    def _active_records(self) -> list[Record]:
        """Those of runs that have not ended, have an owner or have live attempts, the oldest first."""
        active = [self._records[run] for run in self._active]
        return sorted(active, key=lambda each: (each.run.created_at, each.run.id))

    def _record(self, run: RunId) -> Record:
        if run not in self._records:
            raise NotFound(f"there is no run '{run}'")
        return self._records[run]

    def _newest(self) -> list[Record]:
        return sorted(self._records.values(), key=lambda each: (each.run.created_at, each.run.id), reverse=True)

    def _log(self, changes: Iterable[Change]) -> None:
        """A number is never given twice, also when the newest lines are removed."""
        logged = [replace(change, seq=seq) for seq, change in enumerate(changes, self._last_change + 1)]
        self._changes += logged
        self._last_change += len(logged)


def refuse(condition: bool, message: str) -> None:
    if condition:
        raise Conflict(f"the store refuses the write: {message}")
