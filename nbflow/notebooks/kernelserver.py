"""Fork Jupyter kernels from a process that has ipykernel imported. One file; needs nothing but ipykernel beside it.

Run by the kernel's own interpreter, with a listening socket and a lock to hold for life as inherited descriptors:
`python kernelserver.py --listen FD --lock FD --idle SECONDS [--preload MODULE …]`. It is single-threaded, holds no
state of a kernel, and a kernel that was forked does not notice when it ends.

A request is one JSON line with descriptors attached; a kernel's are its output, the reading end of the runner's death
pipe, and the working folder. The attempt's marker is opened by the kernel itself, because whoever holds it is taken for
a process of the attempt, and ended with it. The answer is a JSON line with the pid, a handle on that process attached
(pidfd), and, when it has ended, one with its exit code (negative: the signal) and the most memory that it had.
`{"stale": true}` says that packages have changed since the server began; it takes no more requests then.
`{"ping": true}` asks for nothing but that.
"""

from __future__ import annotations

import argparse
import array
import atexit
import contextlib
import fcntl
import gc
import importlib.util
import json
import os
import resource
import selectors
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

Request = dict[str, Any]

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

MOST_DESCRIPTORS = 8
LONGEST_REQUEST = 1 << 22


class ForkServer:
    """One listening socket, and one connection for each forked process that lives.

    `listener` and `lock` are descriptors that this object takes over; whoever holds the lock serves the address.
    """

    def __init__(self, listener: int, lock: int, idle: float) -> None:
        self.listener: socket.socket | None = socket.socket(fileno=listener)
        self.lock = lock
        self.idle = idle
        self.children: dict[int, socket.socket] = {}
        self.files: tuple[str, ...] = ()
        self.watched = _import_times(self.files)
        self.began_with = dict(os.environ)
        self.imported: dict[str, str] = {}
        """Variables that an import has set, as it would in the forked process."""
        self.wake, self.waker = socket.socketpair()
        for end in (self.wake, self.waker):
            end.setblocking(False)
        signal.set_wakeup_fd(self.waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> Request | None:
        """Answer requests until idle or stale. Returns None then, and in a forked child its request."""
        self.files = _own_files()
        self.watched = _import_times(self.files)
        self.imported = {name: value for name, value in os.environ.items() if value != self.began_with.get(name)}
        gc.collect()
        gc.freeze()
        while self.listener is not None or self.children:
            ready = self._wait()
            if not ready and not self.children:
                self._close()
                return None
            if self.wake in ready:
                self._reap()
            if self.listener is not None and self.listener in ready:
                request = self._accept(self.listener)
                if request is not None:
                    return request
        return None

    def _wait(self) -> list[Any]:
        with selectors.DefaultSelector() as selector:
            selector.register(self.wake, selectors.EVENT_READ)
            if self.listener is not None:
                selector.register(self.listener, selectors.EVENT_READ)
            return [key.fileobj for key, _ in selector.select(self.idle)]

    def prepare(self, request: Request) -> None:
        """Hook for subclasses: what the server itself does before it forks."""

    def _accept(self, listener: socket.socket) -> Request | None:
        """Answer one request; in the forked child, the request itself."""
        connection, _ = listener.accept()
        connection.settimeout(10)
        try:
            _refuse_strangers(connection)
            request, descriptors = _receive(connection)
        except (OSError, ValueError):
            connection.close()
            return None
        try:
            if answer := self._answer_at_once(request):
                _send(connection, answer)
                connection.close()
                _close_all(descriptors)
                return None
            self.prepare(request)
            child = os.fork()
            if child == 0:
                self._let_go(connection)
                return {**request, "descriptors": descriptors, "imported": self.imported}
            self.children[child] = connection
            _close_all(descriptors)
            _send(connection, {"pid": child}, child)
            return None
        except OSError as error:
            _send(connection, {"error": str(error)})
            connection.close()
        _close_all(descriptors)
        return None

    def _answer_at_once(self, request: Request) -> Request:
        """What needs no fork; empty where one is wanted."""
        if _import_times(self.files) != self.watched:
            self._close()
            return {"stale": True}
        if threading.active_count() > 1:
            return {"error": "a module that was imported in advance has started a thread, which no fork survives"}
        return {"fresh": True} if request.get("ping") else {}

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self.wake.recv(4096):
                pass
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if pid == 0:
                    return
                connection = self.children.pop(pid, None)
                if connection is not None:
                    exit_code = os.waitstatus_to_exitcode(status)
                    _send(connection, {"exit": exit_code, "peak": usage.ru_maxrss * 1024})
                    connection.close()

    def _close(self) -> None:
        """Take no more requests, and let another server begin."""
        if self.listener is not None:
            address = Path(self.listener.getsockname())
            for file in (address, address.with_suffix(".log"), address.with_suffix(".lock")):
                with contextlib.suppress(OSError):
                    file.unlink()
            self.listener.close()
            self.listener = None
            os.close(self.lock)

    def _let_go(self, connection: socket.socket) -> None:
        """In the child: close our sockets as objects, or they would one day close what has their numbers then."""
        signal.set_wakeup_fd(-1)
        for held in (self.listener, self.wake, self.waker, connection, *self.children.values()):
            if held is not None:
                held.close()
        os.close(self.lock)


def _spare(common: dict[str, Any]) -> None:
    """At the interpreter's end: what was there before the fork need not be taken apart, which copies every page of it.

    What the notebook made and imported itself is taken apart as ever, and finds these modules whole. `common` holds
    itself, and was there when the server froze the garbage collector, so nothing ever lets go of it.
    """
    for name, module in common.items():
        if name not in {"__main__", "builtins", "sys"} and sys.modules.get(name) is module:
            del sys.modules[name]


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _receive(connection: socket.socket) -> tuple[Request, list[int]]:
    descriptors = array.array("i")
    data, ancillary, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(MOST_DESCRIPTORS * descriptors.itemsize))
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(payload[: len(payload) - len(payload) % descriptors.itemsize])
    while not data.endswith(b"\n"):
        more = connection.recv(65536)
        if not more or len(data) > LONGEST_REQUEST:
            raise ValueError("not a request")
        data += more
    return json.loads(data), list(descriptors)


def _refuse_strangers(connection: socket.socket) -> None:
    """Raises PermissionError for another user, who should not have got through the folder's door."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    if int.from_bytes(credentials[4:8], sys.byteorder) != os.getuid():
        raise PermissionError("another user")


def _send(connection: socket.socket, answer: Request, child: int | None = None) -> None:
    """With a handle on the child, so that its number can never mean another process to who gets it."""
    handles = [] if child is None else [os.pidfd_open(child)]
    with contextlib.suppress(OSError):  # whoever asked is gone; what was forked for it ends by its own ties
        socket.send_fds(connection, [json.dumps(answer).encode() + b"\n"], handles)
    _close_all(handles)


def _own_files() -> tuple[str, ...]:
    """Of imported modules, the files that are neither installed nor Python's own: somebody may be editing them."""
    installed = (sys.prefix, sys.base_prefix, *filter(_is_for_packages, sys.path))
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return tuple(sorted(file for file in files if file and not file.startswith(installed) and file != __file__))


def _import_times(files: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """When these files were changed, and the folders of packages: installing or removing one changes such a folder.

    Others do not matter: what is not imported yet is found as it is when a kernel imports it.
    """
    times = []
    for path in (*filter(_is_for_packages, sys.path), *files):
        with contextlib.suppress(OSError):
            times.append((path, Path(path).stat().st_mtime_ns))
    return tuple(times)


def _is_for_packages(path: str) -> bool:
    return path.rstrip("/").endswith("-packages")


# --- in the forked child ----------------------------------------------------------------------------------------


def start_afresh(request: Request, descriptors: dict[int, int], folder: int | None = None) -> None:
    """Make a forked process what a started one would be: session, signals, descriptors, folder, environment, limits.

    `descriptors` says which of the received ones becomes which number; standard input is empty, all others are closed.
    """
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if folder is not None:
        os.fchdir(folder)
    above = max([2, *descriptors]) + 1
    held = {
        target: fcntl.fcntl(source, fcntl.F_DUPFD, above + MOST_DESCRIPTORS) for target, source in descriptors.items()
    }
    nothing = os.open(os.devnull, os.O_RDONLY)
    held[0] = fcntl.fcntl(nothing, fcntl.F_DUPFD, above + MOST_DESCRIPTORS)
    for target, source in held.items():
        os.dup2(source, target)
    os.closerange(above, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update({**request["imported"], **request["env"]})
    os.umask(request["umask"])
    for name, (soft, hard) in request["limits"].items():
        with contextlib.suppress(ValueError, OSError):  # a limit that only root may raise
            resource.setrlimit(int(name), (soft, hard))
    time.tzset()


def become_kernel(request: Request) -> None:
    """Be a fresh kernel, as `python -m ipykernel_launcher` would have made it."""
    output, death, folder = request["descriptors"]
    start_afresh(request, {1: output, 2: output, 3: death}, folder)
    os.set_inheritable(3, False)
    os.set_inheritable(os.open(request["marker"], os.O_WRONLY), True)
    _die_with(3)
    launcher = importlib.util.find_spec("ipykernel_launcher")
    sys.argv = [str(launcher and launcher.origin), *request["argv"]]
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()


def _adapt_ipykernel() -> None:
    """What differs because a guard looks after this kernel, and not the parent that it knows nothing of."""
    import zmq
    from ipykernel import kernelapp, kernelbase

    async def nothing(kernel: Any) -> None:
        """A kernel that ends would signal its children for up to 28 s, dead ones too; the guard ends them at once."""

    def silent(application: Any) -> None:
        """Nobody reads on a terminal how to connect to it."""

    def init_iopub(application: Any, context: Any) -> None:
        """Queue output without a limit; ipykernel would drop what a busy machine has not sent yet."""
        context.setsockopt(zmq.SNDHWM, 0)
        bind(application, context)

    bind: Any = vars(kernelapp)["IPKernelApp"].init_iopub
    vars(kernelbase)["Kernel"]._progressively_terminate_all_children = nothing
    vars(kernelapp)["IPKernelApp"].log_connection_info = silent
    vars(kernelapp)["IPKernelApp"].init_iopub = init_iopub


def _die_with(death: int) -> None:
    """SIGKILL when the other end of the pipe closes, by the system's kernel: also while Python cannot run."""
    fcntl.fcntl(death, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(death, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(death, fcntl.F_SETFL, fcntl.fcntl(death, fcntl.F_GETFL) | os.O_ASYNC)
    os.set_blocking(death, False)
    with contextlib.suppress(BlockingIOError):
        if os.read(death, 1) == b"":  # it closed before this was set
            os.kill(os.getpid(), signal.SIGKILL)


def options(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The command line of any fork server."""
    parser.add_argument("--listen", type=int, required=True)
    parser.add_argument("--lock", type=int, required=True)
    parser.add_argument("--idle", type=float, required=True)
    parser.add_argument("--preload", nargs="*", default=[])
    return parser.parse_args()


def preload(modules: tuple[str, ...]) -> None:
    """Import what is there. What is not, or fails, is for the notebook to see that wants it."""
    for module in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(module)


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
    common: dict[str, Any] = {}
    atexit.register(_spare, common)  # before any import can, so that it is called after all others
    server = ForkServer(given.listen, given.lock, given.idle)
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # as ipykernel has it
    preload((*START_UP, *given.preload))
    rehearse()
    common.update(sys.modules, itself=common)
    request = server.serve()
    if request is None:
        os._exit(0)  # a thread of a module that was imported in advance is waited for by nobody
    become_kernel(request)
    from ipykernel import kernelapp

    _adapt_ipykernel()
    kernelapp.launch_new_instance()


if __name__ == "__main__":
    main()
