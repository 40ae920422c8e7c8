"""What a fault that nobody foresaw has stopped is set aside for a minute, and stops nothing else."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Hashable, Iterator
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from nbflow.errors import Conflict, NbflowError
from nbflow.pace import is_over

_log = logging.getLogger(__name__)

ASIDE = timedelta(minutes=1)
"""How long something is left alone; then it is tried again."""

Name = TypeVar("Name", bound=Hashable)
Result = TypeVar("Result")


class SetAside(Conflict):
    """The answer to whatever is asked of something that is set aside; its cause is the `fault`, here in words."""

    def __init__(self, what: str, error: Exception) -> None:
        self.fault = f"{type(error).__name__}: {error}".partition("\n")[0]
        super().__init__(f"{what} is set aside: {self.fault}", hint="The log of whoever ran it says more.")
        self.__cause__ = error


class Aside(Generic[Name]):
    """Things of one kind, such as runs, of which some are set aside: by their names, in memory only."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._since: dict[Name, tuple[datetime, SetAside]] = {}

    def try_with(self, name: Name, now: datetime, work: Callable[[], Result], *, otherwise: Result) -> Result:
        """What `work` gives; `otherwise` for what is set aside, before it or by it."""
        if self.refusal(name, now):
            return otherwise
        try:
            with self.guard(name, now):
                return work()
        except SetAside:
            return otherwise

    @contextlib.contextmanager
    def guard(self, name: Name, now: datetime) -> Iterator[None]:
        """Turn a fault into SetAside. nbflow's own errors pass: somebody foresaw them."""
        try:
            yield
        except NbflowError:
            raise
        except Exception as error:
            raise self.put(name, error, now) from error

    def put(self, name: Name, error: Exception, now: datetime) -> SetAside:
        """Set something aside, and log the fault with its traceback."""
        _log.error("%s %s is set aside for a minute", self._kind, name, exc_info=error)
        refusal = SetAside(f"{self._kind} {name}", error)
        self._since[name] = now, refusal
        return refusal

    def refusal(self, name: Name, now: datetime) -> SetAside | None:
        """Why something is left alone; None once its minute is over."""
        self.let_go(now)
        return self._since[name][1] if name in self._since else None

    def let_go(self, now: datetime) -> bool:
        """Forget what has been set aside for a minute; True if there was any."""
        over = [name for name, (since, _) in self._since.items() if is_over(ASIDE, since, now)]
        for name in over:
            del self._since[name]
        return bool(over)
