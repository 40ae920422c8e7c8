"""The attempt folder (semantics §8): the one contract between a runner and everybody else. Files only, no logic."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbflow.codec import from_json, to_json
from nbflow.files import keep, make_private, write_whole
from nbflow.run import AttemptEnded, StartAttempt, StopAttempt

ORDER, SOURCE, NOTEBOOK, EVENTS = "order.json", "source.ipynb", "notebook.ipynb", "events.jsonl"
OUTCOME, LOG, OUTPUTS = "outcome.json", "runner.log", "outputs"
LOCK, STARTED, STOP, MARKER = "lock", "started", "stop.json", "marker"


@dataclass(frozen=True, slots=True)
class AttemptFolder:
    """One attempt's folder. Reading methods give None while a file is not there yet."""

    path: Path

    @property
    def source(self) -> Path:
        """The frozen notebook, a copy of its own: the folder needs nothing from outside."""
        return self.path / SOURCE

    @property
    def notebook(self) -> Path:
        return self.path / NOTEBOOK

    @property
    def events(self) -> Path:
        return self.path / EVENTS

    @property
    def log(self) -> Path:
        return self.path / LOG

    @property
    def outputs(self) -> Path:
        """Folder of the full text of capped outputs, `<cell>.txt`."""
        return self.path / OUTPUTS

    @property
    def marker(self) -> Path:
        """A file that the attempt's processes inherit open for writing, by which they are found (semantics §9)."""
        return self.path / MARKER

    def prepare(self, order: StartAttempt, source: Path) -> bool:
        """Make the folder with its notebook and, last, the order; False if that was done before.

        `keep_order` makes it outlast a loss of power: what was handed over by then ends with the power all the same.
        """
        if self._has_order_of(order.token):
            return False
        make_private(self.path)
        self.source.unlink(missing_ok=True)
        try:
            self.source.hardlink_to(source)
        except OSError:  # another file system
            self.source.write_bytes(source.read_bytes())
        write_whole(self.path / ORDER, json.dumps(to_json(order), indent=1), lasting=False)
        return True

    def keep_order(self) -> None:
        """Raises OSError."""
        keep(self.path / ORDER)

    def _has_order_of(self, token: str) -> bool:
        """False also where a loss of power has left only the name of the file."""
        try:
            return self.token() == token
        except ValueError:
            return False

    def order(self) -> StartAttempt | None:
        data = self._read(ORDER)
        return None if data is None else from_json(StartAttempt, data)

    def token(self) -> str | None:
        """The order's token; of the rest nothing is checked."""
        data = self._read(ORDER)
        return None if data is None else str(data["token"])

    def lock(self) -> int | None:
        """Hold the attempt for the life of this process and of those forked from it; None if it is held already.

        The lock proves life: it is free exactly when no process that took part in the attempt is left.
        """
        fd = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return fd

    @property
    def is_locked(self) -> bool:
        if not (self.path / LOCK).exists():
            return False
        fd = self.lock()
        if fd is None:
            return True
        os.close(fd)
        return False

    def begin(self, **who: Any) -> bool:
        """Mark the attempt as started; False if it was started before, so that no attempt ever starts twice.

        `who` is what the starter says of itself, for those who will look for it.
        """
        try:
            with (self.path / STARTED).open("x") as file:
                file.write(json.dumps(who))
        except FileExistsError:
            return False
        return True

    def begun(self) -> Any:
        """What the starter said of itself: None before it began, nothing while that cannot be read."""
        try:
            return self._read(STARTED)
        except (ValueError, OSError):
            return {}

    @property
    def has_begun(self) -> bool:
        return (self.path / STARTED).exists()

    def ask_to_stop(self, order: StopAttempt) -> None:
        """Leave the order where the runner looks when it gets SIGTERM."""
        write_whole(self.path / STOP, json.dumps(to_json(order)))

    def stop_order(self) -> StopAttempt | None:
        data = self._read(STOP)
        return None if data is None else from_json(StopAttempt, data)

    def end(self, outcome: AttemptEnded, **extra: Any) -> None:
        """Write `outcome.json`, once: a later call leaves the first. `extra` is for readers, and not read back."""
        if not self.has_ended:
            write_whole(self.path / OUTCOME, json.dumps({**to_json(outcome), **extra}, indent=1))

    @property
    def has_ended(self) -> bool:
        return (self.path / OUTCOME).exists()

    def outcome(self) -> AttemptEnded | None:
        """How the attempt ended; None while it has not. Unknown keys are passed over."""
        data = self._read(OUTCOME)
        if data is None:
            return None
        known = {name: data[name] for name in AttemptEnded.__dataclass_fields__ if name in data}
        return from_json(AttemptEnded, known)

    def _read(self, name: str) -> Any:
        try:
            return json.loads((self.path / name).read_text())
        except FileNotFoundError:
            return None
