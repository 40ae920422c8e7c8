"""One attempt in its runner: from the order to the outcome. Decides nothing about retries, knows no database."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import papermill
from jupyter_client.kernelspec import KernelSpec
from papermill.engines import papermill_engines

from nbflow.errors import InvalidInput, Unavailable
from nbflow.failpoints import failpoint
from nbflow.notebooks import endings, engine, parameters, sockets
from nbflow.notebooks.document import Document, read_source
from nbflow.notebooks.endings import Ending
from nbflow.notebooks.environment import kernel_environment, read_secrets
from nbflow.notebooks.execution import Execution, Limits
from nbflow.notebooks.folder import AttemptFolder
from nbflow.notebooks.kernels import Kernel, Place
from nbflow.notebooks.kernelspecs import find_spec, interpreter_of
from nbflow.notebooks.log import NotebookLog
from nbflow.notebooks.mask import Mask
from nbflow.notebooks.runnerlog import RunnerLog
from nbflow.notebooks.stop import Stop
from nbflow.run import AttemptEnded, StartAttempt
from nbflow.states import Cause

LIBRARIES = ("nbflow", "papermill", "nbclient", "jupyter_client")


@cache
def versions() -> dict[str, str]:
    """Of what executes a notebook, by name."""
    return {name: version(name) for name in LIBRARIES}


_logger = logging.getLogger("nbflow.runner")


class Attempt:
    """Runs once. What is not known yet when it ends early is simply not in its outcome."""

    def __init__(self, folder: AttemptFolder, order: StartAttempt, stop: Stop) -> None:
        self._folder, self._order, self._stop = folder, order, stop
        self._began, self._started_at = time.monotonic(), datetime.now(UTC)
        self._mask = Mask()
        self._document = Document.empty()
        self._log: NotebookLog | None = None
        self._spec: KernelSpec | None = None
        self._kernel: Kernel | None = None
        self._execution: Execution | None = None

    def run(self) -> AttemptEnded:
        secrets = self._read_secrets()
        chat = RunnerLog(self._folder.log, self._mask)
        logging.getLogger().addHandler(chat)
        try:
            return self._end(self._run_to_ending(secrets, chat))
        finally:
            logging.getLogger().removeHandler(chat)
            chat.close()

    @property
    def left_nothing(self) -> bool:
        """Its kernel has ended, and left no process behind for certain."""
        return self._kernel is not None and self._kernel.left_nothing

    def _read_secrets(self) -> Mapping[str, str] | InvalidInput:
        try:
            secrets = read_secrets(self._order.secrets, os.environ)
        except InvalidInput as error:
            return error
        self._mask = Mask(secrets.values())
        return secrets

    def _run_to_ending(self, secrets: Mapping[str, str] | InvalidInput, chat: RunnerLog) -> Ending:
        """Whatever happens, an ending."""
        try:
            self._document = Document(read_source(self._folder.source))
            if isinstance(secrets, InvalidInput):
                raise secrets
            self._spec = find_spec(self._order.kernel)
            return self._run_with_papermill(self._spec, secrets, chat)
        except InvalidInput as error:
            return endings.refused(self._mask.text(str(error)))
        except Exception as error:
            return self._failed(error)

    def _run_with_papermill(self, spec: KernelSpec, secrets: Mapping[str, str], chat: RunnerLog) -> Ending:
        """Papermill injects the parameters and calls back. Raises InvalidInput for what it does not take."""
        if not Path(self._order.notebook.folder).is_dir():
            raise InvalidInput("the notebook's folder is not there any more", where=self._order.notebook.folder)
        parameters.register()
        papermill_engines.register(engine.NAME, engine.TruthfulEngine)  # an old installation may not declare it
        values = parameters.typed(self._order.params, self._order.notebook.params)
        reached: list[Ending] = []

        def execute(notebook: Any) -> None:
            try:
                reached.append(self._run_in_kernel(notebook, spec, secrets, chat))
            except Exception as error:
                reached.append(self._failed(error))

        try:
            papermill.execute_notebook(
                self._document.notebook,
                None,
                parameters=values,
                engine_name=engine.NAME,
                kernel_name=self._order.kernel,
                language=spec.language,
                progress_bar=False,
                execute=execute,
            )
        except Exception as error:
            _logger.exception("papermill did not take the notebook")
            raise InvalidInput(f"the parameters cannot be injected: {error}") from error
        return reached[0]

    def _failed(self, error: Exception) -> Ending:
        """What it means that something of nbflow's own went wrong."""
        _logger.error("the runner failed", exc_info=error)
        cell = self._log.running if self._log is not None and self._log.is_running else None
        match error:
            case Unavailable():
                return endings.kernel_did_not_start(str(error))
            case OSError():
                return endings.not_stored(cell, str(error))
            case _:
                return endings.lost(cell, f"nbflow itself failed: {self._mask.text(repr(error))}")

    def _run_in_kernel(self, notebook: Any, spec: KernelSpec, secrets: Mapping[str, str], chat: RunnerLog) -> Ending:
        self._document = Document(notebook)
        self._log = self._open_log()
        place = Place(
            folder=self._order.notebook.folder,
            env=kernel_environment(self._order, os.environ, secrets),
            marker=self._folder.marker,
            sockets=sockets.make(self._order.token),
        )
        ending = asyncio.run(self._run_cells(self._log, spec, place, chat))
        if ending.cause is Cause.KERNEL_START and chat.last_line:
            return endings.kernel_did_not_start(f"{ending.reason}: {chat.last_line}")
        return ending

    async def _run_cells(self, log: NotebookLog, spec: KernelSpec, place: Place, chat: RunnerLog) -> Ending:
        self._kernel = Kernel(self._order.kernel, spec, place, chat.raw)
        used = timedelta(seconds=time.monotonic() - self._began)
        limits = Limits(cell=self._order.cell_timeout, notebook=self._order.timeout, used=used)
        self._execution = Execution(log, self._kernel, self._stop, limits)
        return await self._execution.run()

    def _open_log(self) -> NotebookLog:
        log = NotebookLog(self._folder, self._order, self._document, self._mask)
        log.begin()
        return log

    # --- the end ----------------------------------------------------------------------------------------------------

    def _end(self, ending: Ending) -> AttemptEnded:
        """Make the log final, then write the outcome. Raises OSError where that cannot be written."""
        at = datetime.now(UTC)
        try:
            (self._log or self._open_log()).end(ending, at)
        except OSError as error:
            ending = endings.not_stored(ending.cell, str(error))
        outcome = self._outcome(ending, at)
        failpoint("runner.before_outcome")
        self._folder.end(outcome, **self._about())
        failpoint("runner.after_outcome")
        return outcome

    def _outcome(self, ending: Ending, at: datetime) -> AttemptEnded:
        kernel = self._kernel if self._kernel is not None and self._kernel.has_started else None
        return AttemptEnded(
            attempt=self._order.attempt,
            token=self._order.token,
            at=at,
            state=ending.state,
            cause=ending.cause,
            reason=ending.reason,
            error=ending.error,
            failing_cell=ending.failing_cell,
            signal=ending.signal,
            exit_code=ending.exit_code,
            peak_memory=kernel.peak_memory if kernel else None,
            kernel_start=kernel.how_started if kernel else None,
            outputs=self._execution.reported if self._execution else {},
        )

    def _about(self) -> dict[str, Any]:
        """What else readers of `outcome.json` may want to know."""
        info = self._kernel.info if self._kernel else {}
        language = self._kernel.language_info if self._kernel else {}
        return {
            "started_at": self._started_at.isoformat(),
            "seconds": round(time.monotonic() - self._began, 3),
            "kernel": {
                "name": self._order.kernel,
                "implementation": info.get("implementation"),
                "implementation_version": info.get("implementation_version"),
                "language": language.get("name"),
                "language_version": language.get("version"),
            },
            "interpreter": interpreter_of(self._spec) if self._spec else None,
            "versions": versions(),
        }
