"""The parent of `nbflow up`: starts the services as processes of their own, and starts each again that ends unasked."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from nbflow.ports import Say
from nbflow.text import fault

GLANCE = 0.1
"""Seconds between two looks at the services."""

STEADY = 10.0
"""Seconds after which a service counts as well started."""

PATIENCE = 20.0
"""Seconds that a service gets to end after it was told to."""

WRONG_USE = 2
"""Exit code of a service that can never start like this: its settings are wrong."""

PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before a service that keeps ending is started again."""


@dataclass(slots=True)
class Service:
    """One service, and how it has fared."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    """Ends in a row that came too soon after the start."""
    not_before: float = 0.0

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def send(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)


@dataclass(slots=True)
class Supervisor:
    """Runs `commands`, service by name, until it is told to end. The first service is the one that drains.

    Ctrl-C is passed on to the first, each time; when that has ended, the others are told to. SIGTERM and SIGHUP tell
    all of them to end at once. The services have process groups of their own, so that a terminal's Ctrl-C reaches
    only the supervisor.
    """

    commands: Mapping[str, Sequence[str]]
    say: Say
    _services: list[Service] = field(default_factory=list)
    _interrupts: int = 0
    _passed_on: int = 0
    _is_told: bool = False

    def run(self) -> int:
        """Returns the exit code: 0 after an orderly end, else that of the service that cannot work."""
        self._services = [Service(name, command) for name, command in self.commands.items()]
        before = {number: signal.signal(number, self._tell) for number in (signal.SIGTERM, signal.SIGHUP)}
        before[signal.SIGINT] = signal.signal(signal.SIGINT, self._interrupt)
        try:
            return self._watch()
        finally:
            self._end_all()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._interrupts += 1

    def _tell(self, number: int, frame: FrameType | None) -> None:
        self._is_told = True

    def _watch(self) -> int:
        while not self._is_told:
            self._pass_on()
            if self._interrupts and not self._services[0].is_running:
                return 0
            for service in self._services:
                code = self._tend(service)
                if code is not None:
                    return code
            time.sleep(GLANCE)
        return 0

    def _pass_on(self) -> None:
        while self._passed_on < self._interrupts:
            self._passed_on += 1
            self._services[0].send(signal.SIGINT)

    def _tend(self, service: Service) -> int | None:
        """Keep it running; an exit code where that can never succeed."""
        now = time.monotonic()
        if service.is_running:
            if service.failures and now - service.started_at > STEADY:
                service.failures = 0
            return None
        if service.process is not None:
            code = service.process.returncode
            if code == WRONG_USE and not service.failures and now - service.started_at < STEADY:
                return code
            self._plan_restart(service, code, now)
        if not self._interrupts and now >= service.not_before:
            service.started_at = now
            try:
                service.process = subprocess.Popen(service.command, process_group=0, stdin=subprocess.DEVNULL)
            except OSError as error:  # such as no memory for a process
                self._put_off(service, now, f"cannot be started: {fault(error)}; it is tried")
        return None

    def _plan_restart(self, service: Service, code: int, now: float) -> None:
        service.process = None
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        self._put_off(service, now, f"{how}; it is started")

    def _put_off(self, service: Service, now: float, said: str) -> None:
        service.failures = service.failures + 1 if now - service.started_at < STEADY else 1
        pause = PAUSES[min(service.failures, len(PAUSES)) - 1]
        service.not_before = now + pause
        self.say(f"{service.name} {said} again in {pause:g} s", is_trouble=True)

    def _end_all(self) -> None:
        for service in self._services:
            service.send(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        for service in self._services:
            if service.process is None:
                continue
            try:
                service.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"{service.name} did not end within {PATIENCE:g} s and is killed", is_trouble=True)
                service.process.kill()
                service.process.wait()
