"""What was asked of the owners of runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from nbflow.errors import NotFound
from nbflow.model import RunId
from nbflow.run import Answer, Asked, Request
from nbflow.testing.dict_store.kept import Kept, Left


class Requests(Kept):
    def ask(self, run: RunId, request: Request, *, now: datetime) -> int:
        self._record(run)
        self._last_request += 1
        self._requests[self._last_request] = Left(run, request)
        self._open[self._last_request] = None
        return self._last_request

    def asked(self, runs: Sequence[RunId]) -> Mapping[RunId, Sequence[Asked]]:
        found: dict[RunId, list[Asked]] = defaultdict(list)
        for number in self._open:
            left = self._requests[number]
            if left.run in runs:
                found[left.run].append(Asked(id=number, request=left.request))
        return dict(found)

    def answer(self, request: int) -> str | None:
        if request not in self._requests:
            raise NotFound(f"there is no request {request}")
        return self._requests[request].answer

    def _answer(self, run: RunId, given: Sequence[Answer]) -> None:
        for answer in given:
            if answer.id in self._open and self._requests[answer.id].run == run:
                self._requests[answer.id] = replace(self._requests[answer.id], answer=answer.error)
                del self._open[answer.id]
