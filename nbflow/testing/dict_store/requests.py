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
        number = len(self._requests) + 1
        self._requests[number] = Left(run, request)
        return number

    def asked(self, runs: Sequence[RunId]) -> Mapping[RunId, Sequence[Asked]]:
        found: dict[RunId, list[Asked]] = defaultdict(list)
        for number, asked in self._requests.items():
            if asked.run in runs and asked.answer is None:
                found[asked.run].append(Asked(id=number, request=asked.request))
        return dict(found)

    def answer(self, request: int) -> str | None:
        if request not in self._requests:
            raise NotFound(f"there is no request {request}")
        return self._requests[request].answer

    def _answer(self, run: RunId, given: Sequence[Answer]) -> None:
        for answer in given:
            left = self._requests.get(answer.id)
            if left and left.run == run and left.answer is None:
                self._requests[answer.id] = replace(left, answer=answer.error)
