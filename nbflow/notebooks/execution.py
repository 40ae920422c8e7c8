"""Execute the cells of a notebook one after the other, and find out from what was seen how it ended.

Papermill's and nbclient's own loops are not used: they lose the outputs that come last from a dying kernel, limit the
time of cells only, and mark what never ran as completed.
"""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from queue import Empty
from typing import Any

from nbformat.notebooknode import from_dict

from nbflow.failpoints import failpoint
from nbflow.model import GRACE
from nbflow.notebooks import endings, messages
from nbflow.notebooks.capture import CellCapture
from nbflow.notebooks.document import Cell, CellState, runs, tags_of
from nbflow.notebooks.endings import Ending
from nbflow.notebooks.kernels import Kernel, KernelFailed
from nbflow.notebooks.listener import Listener
from nbflow.notebooks.log import TELL_EVERY, NotebookLog
from nbflow.notebooks.stop import Stop
from nbflow.notebooks.waits import first_of
from nbflow.run import ErrorInfo

SKIP_TAG, MAY_RAISE_TAG = "skip-execution", "raises-exception"

SILENCE = 30.0
"""Seconds without a message after a cell's reply, until its end is taken for granted."""

LATE_REPLY = 2.0
"""Seconds after a cell's end, until its reply is not expected any more: an interrupt at the wrong moment costs it."""

NO_REPLY = {"status": "error", "ename": "NoReply", "evalue": "the kernel did not say how the cell ended"}

LAST_WORDS = 0.2
"""Seconds without a message of a dead kernel, until it is taken for silent."""

NOTHING_RAISED = "NoneType"
"""How ipykernel calls an exception that was raised while it displayed a result."""

ENDS_WELL = frozenset({"", "0", "None", "False"})
"""What SystemExit says when the exit code is 0."""

_ANCESTORS = "[each.__name__ for each in __import__('sys').last_value.__class__.__mro__]"

Reply = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long things may last. Of the notebook's time some is `used` before its kernel starts."""

    cell: timedelta | None = None
    notebook: timedelta | None = None
    used: timedelta = timedelta(0)


class Execution:
    """One pass through a notebook, in one kernel."""

    def __init__(self, log: NotebookLog, kernel: Kernel, stop: Stop, limits: Limits) -> None:
        self._log, self._kernel, self._stop, self._limits = log, kernel, stop, limits
        self._listener = Listener(log)
        self._capture: CellCapture | None = None
        """Of the cell that is running."""

    @property
    def reported(self) -> Mapping[str, Any]:
        """Values that the notebook reported so far."""
        return self._listener.reported

    async def run(self) -> Ending:
        """Start the kernel, execute the cells, end the kernel."""
        self._stop.attach()
        main, ticking = asyncio.create_task(self._run()), asyncio.create_task(self._tick())
        stopping = asyncio.create_task(self._carry_out_stop())
        try:
            await first_of(main, ticking)
            if not main.done():
                main.cancel()
                ticking.result()  # it ends only by failing
            return main.result()
        finally:
            ticking.cancel()
            stopping.cancel()
            self._stop.detach()
            await self._kernel.close()

    async def _run(self) -> Ending:
        if self._stop.is_wanted:
            return self._stop.ending(None)
        with self._limit("notebook", self._limits.notebook, self._limits.used):
            try:
                await self._kernel.start()
            except KernelFailed as error:
                return self._stop.ending(None) if self._stop.is_wanted else endings.kernel_did_not_start(str(error))
            failpoint("runner.kernel_started")
            self._listener.meet(self._kernel.client)
            if self._kernel.language_info:
                self._log.document.notebook.metadata.language_info = from_dict(dict(self._kernel.language_info))
            ending = await self._run_cells()
        await self._kernel.shut_down(min(GRACE.total_seconds(), self._stop.seconds_left))
        self._listener.set_widgets_metadata()
        return ending

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY)
            self._listener.show_widgets()
            self._log.tick()

    async def _carry_out_stop(self) -> None:
        """Interrupt what is running as soon as it can be interrupted; kill the kernel when its time is over."""
        await self._stop.wanted()
        if self._capture is not None:
            executing = self._listener.is_executing.wait()
            await first_of(executing, self._stop.killing_time(), self._kernel.exited.wait())
            await self._kernel.interrupt()
        if self._kernel.has_started:
            await self._stop.killing_time()
        await self._kernel.kill()

    @contextmanager
    def _limit(self, what: str, limit: timedelta | None, used: timedelta = timedelta(0)) -> Iterator[None]:
        """Want the notebook to stop when this has lasted longer than `limit`, of which some is `used` up."""
        if limit is None:
            yield
            return
        timer = asyncio.get_running_loop().call_later(
            (limit - used).total_seconds(),
            lambda: self._stop.want(lambda cell: endings.timed_out(cell, limit, what), GRACE),
        )
        try:
            yield
        finally:
            timer.cancel()

    # --- cells ------------------------------------------------------------------------------------------------------

    async def _run_cells(self) -> Ending:
        for number, cell in self._log.document.cells.items():
            if self._stop.is_wanted:
                return self._stop.ending(None)
            if not runs(cell):
                continue
            if SKIP_TAG in tags_of(cell):
                self._log.leave_out(number, CellState.SKIPPED)
            elif not cell.source.strip():
                self._log.leave_out(number, CellState.SUCCESS)
            elif ending := await self._run_cell(number, cell):
                return ending
        return endings.succeeded()

    async def _run_cell(self, number: int | None, cell: Cell) -> Ending | None:
        """How the notebook ended with this cell; None if it goes on."""
        self._capture = self._log.start_cell(number)
        failpoint("runner.cell_start")
        with self._limit("cell", self._limits.cell):
            reply = await self._execute(cell, self._capture)
        self._listener.show_widgets()
        ending = await self._judge(number, cell, reply, self._capture.shown_error)
        cause = ending.cause if ending else None
        if ending is not None and cause is not None and not (ending.error or self._capture.shown_error):
            self._capture.error(cause.capitalize(), ending.reason, [f"[nbflow] {ending.reason}"])
        self._log.end_cell(CellState.FAILED if cause else CellState.SUCCESS, cause)
        self._capture = None
        failpoint("runner.cell_end")
        return ending

    async def _judge(
        self, number: int | None, cell: Cell, reply: Reply | None, shown: ErrorInfo | None
    ) -> Ending | None:
        """A cell that shows an exception has failed, also where its magic, such as `%run`, keeps that to itself."""
        if self._stop.is_wanted:
            return self._stop.ending(number)
        if reply is None:
            return endings.kernel_died(number, self._kernel.how_it_ended, self._kernel.peak_memory)
        self._log.count(number, reply.get("execution_count"))
        is_ok, name = reply.get("status") == "ok", str(reply.get("ename") or "")
        if self._listener.skip is not None and (is_ok or name == messages.SKIPPED):
            return endings.skipped(number, self._listener.skip)
        may_raise = MAY_RAISE_TAG in tags_of(cell)
        if is_ok and (may_raise or shown is None):
            return _exit_asked_for(number, reply)
        if may_raise:
            return None
        error = self._error(reply, shown)
        if error.name == "SystemExit" and error.message in ENDS_WELL:
            return endings.left_early(number)
        return endings.raised(number, replace(error, bases=await self._ancestors(error.name)))

    def _error(self, reply: Reply, shown: ErrorInfo | None) -> ErrorInfo:
        """What was raised: what the cell shows, where the reply knows nothing of it."""
        name = str(reply.get("ename") or "")
        if shown is not None and (reply.get("status") == "ok" or name == NOTHING_RAISED):
            return shown
        message = self._log.mask.text(str(reply.get("evalue") or ("" if name else reply.get("status"))))
        return ErrorInfo(name=name or "Error", message=message)

    async def _ancestors(self, name: str) -> tuple[str, ...]:
        """The base classes of the exception that was just raised, as far as the kernel can tell.

        Asked in a request of its own, because `user_expressions` are not evaluated after an error.
        """
        if self._kernel.language_info.get("name") != "python":
            return ()
        found = await self._kernel.client.evaluate(_ANCESTORS)
        try:
            names = [str(each) for each in ast.literal_eval(found or "")]
        except (ValueError, SyntaxError, TypeError):
            return ()
        return tuple(names[1:]) if names[:1] == [name] else ()

    # --- one cell ---------------------------------------------------------------------------------------------------

    async def _execute(self, cell: Cell, capture: CellCapture) -> Reply | None:
        """The content of the kernel's reply, with all output taken; None if the kernel died before it replied."""
        client = self._kernel.client
        request = client.execute(cell.source, allow_stdin=False, stop_on_error=False)
        self._listener.expect(request, capture)
        replying = asyncio.create_task(client.reply_to(request))
        listening = asyncio.create_task(self._listen(request, replying))
        try:
            await first_of(listening, self._kernel.exited.wait())
            if listening.done():
                listening.result()
                await first_of(replying, self._kernel.exited.wait(), timeout=LATE_REPLY)
            else:
                listening.cancel()
                await self._hear_last_words(request)
            if replying.done():
                reply: Reply = replying.result()["content"]
                return reply
            return None if self._kernel.exited.is_set() else NO_REPLY
        finally:
            listening.cancel()
            replying.cancel()

    async def _listen(self, request: str, replying: asyncio.Task[Any]) -> None:
        """Take the messages until the kernel says that it is done with the request."""
        while True:
            try:
                message = await self._kernel.client.get_iopub_msg(timeout=SILENCE)
            except Empty:
                if replying.done():
                    self._listener.remark(request, "The kernel did not say that it was done; output may be missing.")
                    return
                continue
            if self._listener.take(message, request):
                return

    async def _hear_last_words(self, request: str) -> None:
        while True:
            try:
                message = await self._kernel.client.get_iopub_msg(timeout=LAST_WORDS)
            except Empty:
                return
            self._listener.take(message, request)


def _exit_asked_for(number: int | None, reply: Reply) -> Ending | None:
    """What `exit()` and `quit()` leave behind. Their argument, an exit code elsewhere, is IPython's `keep_kernel`."""
    for each in reply.get("payload") or ():
        if each.get("source") == "ask_exit":
            code = each.get("keepkernel")
            if str(code) in {*ENDS_WELL, "True"}:
                return endings.left_early(number)
            return endings.raised(number, ErrorInfo(name="SystemExit", message=str(code)))
    return None
