"""Fork processes on request, from one that has done their imports. Needs nothing but Python; knows nothing of kernels.

A fork server is a single-threaded program with a listening socket and a lock to hold for life as inherited descriptors:
`--listen FD --lock FD --idle SECONDS [--spare NUMBER] [--preload MODULE …]`. It holds no state of what it forks, and
whoever was forked does not notice when it ends.

A request is one JSON line with descriptors attached. The answer is a JSON line with the pid, a handle on that process
attached (pidfd), and, when it has ended, one with its exit code (negative: the signal), the most memory that it had,
and whether it may have left processes behind. `{"stale": true}` says that packages have changed since the server began;
it takes no more requests then. `{"ping": true}` asks for nothing but that.

Some processes may be forked ahead. Such a spare one has nothing of any request: it has only copied the pages that it is
going to write to, and waits for a request to be passed on. It ends with its server.
"""

from __future__ import annotations

import argparse
import array
import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import resource
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Request = dict[str, Any]

MOST_DESCRIPTORS = 8
LONGEST_REQUEST = 1 << 22

REST = 0.25
"""Seconds without news until a server makes spare processes: not while those that took them need the processors."""

REACTION = 5.0
"""Seconds until a spare process must have taken a request; another one is forked for it then."""

PAGE = os.sysconf("SC_PAGE_SIZE")
OWN = 1 << 63 | 1 << 56
"""What /proc/self/pagemap says of a page that is there and that no other process shares."""
POPULATE_WRITE = 23
"""MADV_POPULATE_WRITE, of Linux 5.14. An older one refuses it, and pages are copied one by one as ever."""


class ForkServer:
    """One listening socket, and one connection for each forked process that lives.

    `listener` and `lock` are descriptors that this object takes over; whoever holds the lock serves the address.
    """

    def __init__(self, listener: int, lock: int, idle: float, spare: int = 0) -> None:
        self.listener: socket.socket | None = socket.socket(fileno=listener)
        self.lock = lock
        self.idle = idle
        self.children: dict[int, socket.socket] = {}
        self.spare = spare
        self.spares: dict[int, socket.socket] = {}
        self.lacks_spares = spare > 0
        self.pages: list[range] | None = None
        """What is copied ahead, once that is known."""
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
            ready = self._wait(REST if self.lacks_spares else self.idle)
            if not ready and self.lacks_spares:
                if (channel := self._make_spares()) is not None:
                    added = self.get_ready(channel)
                    return {**await_request(channel), **added, "imported": self.imported}
                continue
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

    def _wait(self, seconds: float) -> list[Any]:
        with selectors.DefaultSelector() as selector:
            selector.register(self.wake, selectors.EVENT_READ)
            if self.listener is not None:
                selector.register(self.listener, selectors.EVENT_READ)
            return [key.fileobj for key, _ in selector.select(seconds)]

    def prepare(self, request: Request) -> None:
        """Hook for subclasses: what the server itself does before it forks."""

    def rehearse(self) -> None:
        """Hook for subclasses: what forked processes do, done by one that is thrown away."""

    def get_ready(self, channel: socket.socket) -> Request:
        """Hook for subclasses: what a spare process does before it is needed; what it adds to its request."""
        copy_ahead(self.pages or [])
        return {}

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
            child = self._pass_on(request, descriptors) or os.fork()
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

    def _make_spares(self) -> socket.socket | None:
        """Fork as many as there shall be; in each of them, the channel on which it will hear what for."""
        self.lacks_spares = False  # one that ends by itself is not made again before the next request
        if threading.active_count() > 1:
            return None
        with contextlib.suppress(OSError):  # no process to be had
            if self.pages is None:
                self.pages = pages_of(self._rehearse_apart)
            while len(self.spares) < self.spare:
                ours, theirs = socket.socketpair()
                child = os.fork()
                if child == 0:
                    ours.close()
                    self._let_go()
                    return theirs
                theirs.close()
                ours.settimeout(REACTION)
                self.spares[child] = ours
        return None

    def _rehearse_apart(self) -> None:
        self._let_go()
        self.rehearse()

    def _pass_on(self, request: Request, descriptors: list[int]) -> int:
        """Give the request to a spare process; its number, or 0 where none takes it."""
        self.lacks_spares = self.spare > 0
        while self.spares:
            child, channel = self.spares.popitem()
            with channel, contextlib.suppress(OSError):
                send(channel, request, descriptors)
                return child
        return 0

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
        ended = []
        for pid, code, peak in _buried():
            if pid in self.children:
                ended.append((self.children.pop(pid), code, peak))
            elif pid in self.spares:
                self.spares.pop(pid).close()
        orphans = bool(ended) and not children() <= self.children.keys() | self.spares.keys()
        for connection, code, peak in ended:
            _send(connection, {"exit": code, "peak": peak, "orphans": orphans})
            connection.close()

    def _close(self) -> None:
        """Take no more requests, let the spare processes end, and another server begin."""
        while self.spares:
            self.spares.popitem()[1].close()
        self.lacks_spares = False
        if self.listener is not None:
            address = Path(self.listener.getsockname())
            for file in (address, address.with_suffix(".log"), address.with_suffix(".lock")):
                with contextlib.suppress(OSError):
                    file.unlink()
            self.listener.close()
            self.listener = None
            os.close(self.lock)

    def _let_go(self, connection: socket.socket | None = None) -> None:
        """In the child: close our sockets as objects, or they would one day close what has their numbers then."""
        signal.set_wakeup_fd(-1)
        held = (self.listener, self.wake, self.waker, connection, *self.children.values(), *self.spares.values())
        for each in held:
            if each is not None:
                each.close()
        os.close(self.lock)


def options(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The command line of any fork server."""
    parser.add_argument("--listen", type=int, required=True)
    parser.add_argument("--lock", type=int, required=True)
    parser.add_argument("--idle", type=float, required=True)
    parser.add_argument("--spare", type=int, default=0)
    parser.add_argument("--preload", nargs="*", default=[])
    return parser.parse_args()


def preload(modules: tuple[str, ...]) -> None:
    """Import what is there. What is not, or fails, is for the notebook to see that wants it."""
    for module in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(module)


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


def send(channel: socket.socket, request: Request, descriptors: list[int]) -> None:
    """Pass a request on. Raises OSError where it did not get there as a whole."""
    data = memoryview(json.dumps(request).encode() + b"\n")
    sent = socket.send_fds(channel, [data[:65536]], descriptors)
    if sent < len(data):  # who has it all may have closed the channel already
        channel.sendall(data[sent:])


def await_request(channel: socket.socket) -> Request:
    """In a spare process: the request that is passed on. The process ends where whoever made it has ended."""
    try:
        request, descriptors = _receive(channel)
    except (OSError, ValueError):
        os._exit(0)
    channel.close()
    return {**request, "descriptors": descriptors}


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


def _buried() -> Iterator[tuple[int, int, int]]:
    """Collect the dead children: number, exit code, and the bytes of memory that it had at most."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            yield pid, os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024


def children() -> set[int]:
    """The numbers of this process's children; an impossible one among them where the system does not tell.

    Complete although others come and go meanwhile: a dead one stays in the list until it is collected, and whoever it
    leaves to a subreaper is in there before.
    """
    try:
        return set(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))
    except OSError:
        return {0}


def _own_files() -> tuple[str, ...]:
    """Of imported modules, the files that are not installed: somebody may be editing them."""
    installed = installations()
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return tuple(sorted(file for file in files if file and not file.startswith(installed)))


def installations() -> tuple[str, ...]:
    """How the names of files begin that are Python's own, or belong to packages."""
    return (sys.prefix, sys.base_prefix, *filter(_is_for_packages, sys.path))


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


# --- pages that are copied ahead --------------------------------------------------------------------------------


def pages_of(rehearsal: Callable[[], None]) -> list[range]:
    """The pages of this process's memory that a process forked from it writes to, and has to copy, when it does this.

    Found out by one that ends then; none where it fails. Raises OSError.
    """
    memory = _memory()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            rehearsal()
            os.write(writing, _copied(memory).tobytes())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as report:
        told = report.read()
    os.waitpid(child, 0)
    ends = array.array("Q", told[: len(told) // 16 * 16])
    return [range(ends[at], ends[at + 1]) for at in range(0, len(ends), 2)]


def copy_ahead(pages: list[range]) -> None:
    """Do at once what the system would do page by page, whenever one is written to."""
    system = ctypes.CDLL(None)
    for each in pages:
        system.madvise(ctypes.c_void_p(each.start * PAGE), ctypes.c_size_t(len(each) * PAGE), POPULATE_WRITE)


def _memory() -> list[range]:
    """The parts of this process's memory that it can write to and shares with nobody but by forking."""
    rows = [row.split(maxsplit=2) for row in Path("/proc/self/maps").read_text().splitlines()]
    ends = [[int(end, 16) // PAGE for end in where.split("-")] for where, rights, _ in rows if rights == "rw-p"]
    return [range(*each) for each in ends]


def _copied(memory: list[range]) -> array.array[int]:
    """Of these pages the ones that only this process has: first and last (exclusive) of what lies together."""
    ends = array.array("Q")
    with Path("/proc/self/pagemap").open("rb", buffering=0) as pagemap:
        for part in memory:
            pagemap.seek(8 * part.start)
            for page, about in zip(part, array.array("Q", pagemap.read(8 * len(part))), strict=False):
                if about & OWN != OWN:
                    continue
                if ends and ends[-1] == page:
                    ends[-1] += 1
                else:
                    ends.extend((page, page + 1))
    return ends


# --- in the forked child ----------------------------------------------------------------------------------------


def start_afresh(request: Request, descriptors: dict[int, int], folder: int | None = None) -> None:
    """Make a forked process what a started one would be: signals, descriptors, folder, environment, limits.

    `descriptors` says which of the received ones becomes which number; standard input is empty, all others are closed.
    """
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
