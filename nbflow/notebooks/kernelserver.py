"""Fork Jupyter kernels from a process that has ipykernel imported. Needs nothing but ipykernel, and the file beside it.

Run by the kernel's own interpreter: `python kernelserver.py`, with the options of any fork server. The descriptors of a
request are the kernel's output, the reading end of the runner's death pipe, the writing end of a pipe that it closes
when it listens, and the working folder. The attempt's marker is opened by the kernel itself, because whoever holds it
is taken for a process of the attempt, and ended with it.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import ctypes
import fcntl
import gc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import tempfile
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from nbflow.notebooks.forkserver import ForkServer, Request, installations, options, preload, start_afresh
else:  # a program of an interpreter that may have no nbflow, or another one: the file beside this one
    from forkserver import ForkServer, Request, installations, options, preload, start_afresh

    del sys.modules["forkserver"]  # a notebook may have one of that name

START_UP = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.debugger",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "tornado.platform.asyncio",
    "psutil",
    "sqlite3",
)
"""What an ordinary ipykernel has imported when it answers its first request."""

DEATH, READY = 3, 4
"""Where a kernel finds its pipes."""

SETTINGS: dict[str, dict[str, Any]] = {"HistoryManager": {"enabled": False}, "Kernel": {"_execute_sleep": 0.0}}
"""Of any kernel of ours. One history file for all would be a lock that they wait for; and ipykernel sleeps for 0.5 ms
before each reply, for clients that take it for the end of a cell's output, which ours do not."""

COMMAND_LINE = tuple(f"--{part}.{name}={value}" for part, values in SETTINGS.items() for name, value in values.items())
"""The same, as our runners pass it to a kernel behind its connection file."""

PARTING = 1.0
"""Seconds that the control thread gets to say that it is done with the shutdown."""

SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER."""


class KernelServer(ForkServer):
    """Forks kernels."""

    def rehearse(self) -> None:
        """Start a kernel that nobody talks to, without the user's own configuration and code; run a cell."""
        from ipykernel import kernelapp

        with tempfile.TemporaryDirectory() as folder:
            os.environ["IPYTHONDIR"] = folder
            kernel: Any = kernelapp.IPKernelApp.instance()
            kernel.transport, kernel.ip = "ipc", f"{folder}/kernel"
            for step in ("load_config_file", "init_extensions", "init_code", "log_connection_info"):
                setattr(kernel, step, lambda *_, **__: None)
            kernel.initialize(["-f", f"{folder}/kernel.json", *COMMAND_LINE])
            kernel.shell.run_cell("1")


class End:
    """The interpreter's end as the notebook can see it: what it made and imported itself is taken apart as ever.

    What was there before the fork is left as it is: taking it apart would copy every page of it. `common` are these
    modules; registered before any import, this is the last of all `atexit` handlers.

    A module that is no Python code may have left something to do at the very end. Where the notebook has imported one,
    the interpreter gets there itself, but does not look through all that libraries have, three times, for garbage.
    """

    def __init__(self) -> None:
        self.common: dict[str, Any] = {}
        self.is_orderly = False
        """The kernel was shut down; without that, the interpreter ends by itself, with the exit code that it has."""
        atexit.register(self)

    def __call__(self) -> None:
        own = [module for name, module in sys.modules.items() if self.common.get(name) is not module]
        is_plain = not any(map(_is_extension, own))
        if self.is_orderly:
            _take_apart(own if is_plain else _of_notebook(own))
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):
                    stream.flush()
            if is_plain:
                ctypes.PyDLL(None).exit(0)  # what libraries do at the end of a process
            gc.freeze()
        for name, module in self.common.items():
            if name not in {"__main__", "builtins", "sys"} and sys.modules.get(name) is module:
                del sys.modules[name]


def _is_extension(module: Any) -> bool:
    return str(getattr(module, "__file__", "")).endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES))


def _of_notebook(modules: list[Any]) -> list[Any]:
    """Itself, those that it has made, and those that lie beside it."""
    installed = installations()

    def is_its_own(module: Any) -> bool:
        file = getattr(module, "__file__", None)
        return not str(file).startswith(installed) if file else getattr(module, "__spec__", None) is None

    return [*filter(is_its_own, modules)]


def _take_apart(own: list[Any]) -> None:
    """Let go of these modules, and where somebody still holds one, of what it has."""
    held = [weakref.ref(module) for module in own]
    mine = set(map(id, own))
    for name in [name for name, module in sys.modules.items() if id(module) in mine]:
        del sys.modules[name]
    own.clear()
    gc.collect()
    left = [module for reference in held if (module := reference()) is not None]
    for module in reversed(left):
        for name in [name for name in vars(module) if name != "__builtins__"]:
            vars(module)[name] = None
    if left:
        gc.collect()


def become_kernel(request: Request) -> None:
    """Be a fresh kernel, as `python -m ipykernel_launcher` would have made it."""
    output, death, ready, folder = request["descriptors"]
    os.setsid()
    start_afresh(request, {1: output, 2: output, DEATH: death, READY: ready}, folder)
    for pipe in (DEATH, READY):
        os.set_inheritable(pipe, False)
    os.set_inheritable(os.open(request["marker"], os.O_WRONLY), True)
    _die_with(DEATH)
    launcher = importlib.util.find_spec("ipykernel_launcher")
    sys.argv = [str(launcher and launcher.origin), *request["argv"]]
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()


def _adapt_ipykernel() -> None:
    """What differs because a guard looks after this kernel, and because so much was imported before the fork."""
    import zmq
    from ipykernel import ipkernel, kernelapp, kernelbase

    async def nothing(kernel: Any) -> None:
        """A kernel that ends would signal its children for up to 28 s, dead ones too; the guard ends them at once."""

    def ready(application: Any) -> None:
        """Its sockets are bound: tell the runner, and not a terminal that nobody reads."""
        os.close(READY)

    def init_iopub(application: Any, context: Any) -> None:
        """Queue output without a limit; ipykernel would drop what a busy machine has not sent yet."""
        context.setsockopt(zmq.SNDHWM, 0)
        bind(application, context)
        atexit.register(end_control, application)

    def end_control(application: Any) -> None:
        """ipykernel would stop its iopub thread first; then a control thread that has not yet said that it is done
        with the shutdown never can, and the kernel waits for it for ever."""
        if application.control_thread.is_alive():
            application.control_thread.stop()
            application.control_thread.join(PARTING)

    bind: Any = vars(kernelapp)["IPKernelApp"].init_iopub
    vars(kernelbase)["Kernel"]._progressively_terminate_all_children = nothing
    vars(kernelapp)["IPKernelApp"].log_connection_info = ready
    vars(kernelapp)["IPKernelApp"].init_iopub = init_iopub
    vars(kernelapp)["IPKernelApp"].parse_command_line = _parse_command_line
    vars(ipkernel)["sys"] = _SysWithoutModules()


class _SysWithoutModules:
    """`sys` as ipykernel's main module has it: it would look at each module's file, for a debugger that never comes."""

    def __init__(self) -> None:
        self.modules: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


def _parse_command_line(application: Any, argv: list[str] | None = None) -> None:
    """What traitlets makes of our runners' command line. It would build a parser first, for each option there is."""
    from traitlets.config.application import Application
    from traitlets.config.loader import Config

    words = sys.argv[1:] if argv is None else argv
    if (*words[:1], *words[2:]) != ("-f", *COMMAND_LINE):
        Application.parse_command_line(application, argv)
        return
    application.argv, application.extra_args = list(words), []
    application.cli_config = Config(IPKernelApp={"connection_file": words[1]}, **SETTINGS)
    application.update_config(application.cli_config)
    application.log.setLevel(application.log_level)  # where only the handler knows it, each remark is written up first


def _die_with(death: int) -> None:
    """SIGKILL when the other end of the pipe closes, by the system's kernel: also while Python cannot run."""
    fcntl.fcntl(death, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(death, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(death, fcntl.F_SETFL, fcntl.fcntl(death, fcntl.F_GETFL) | os.O_ASYNC)
    os.set_blocking(death, False)
    with contextlib.suppress(BlockingIOError):
        if os.read(death, 1) == b"":  # it closed before this was set
            os.kill(os.getpid(), signal.SIGKILL)


def rehearse() -> None:
    """Fill the caches that an ordinary kernel fills with its first cell."""
    with contextlib.suppress(ImportError):  # an IPython of another make
        transformers: Any = importlib.import_module("IPython.core.inputtransformer2")
        transformers.TransformerManager().transform_cell("1")


def main() -> None:
    given = options(argparse.ArgumentParser(description=__doc__))
    del sys.path[0]  # this file's own folder
    for descriptor in (given.listen, given.lock):
        os.set_inheritable(descriptor, False)
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)  # who sees its kernels' orphans can tell that there are none
    end = End()
    server = KernelServer(given.listen, given.lock, given.idle, given.spare)
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # as ipykernel has it
    preload((*START_UP, *given.preload))
    rehearse()
    end.common.update(sys.modules)
    request = server.serve()
    if request is None:
        os._exit(0)  # a thread of a module that was imported in advance is waited for by nobody
    become_kernel(request)
    from ipykernel import kernelapp

    _adapt_ipykernel()
    kernelapp.launch_new_instance()
    end.is_orderly = True


if __name__ == "__main__":
    main()
