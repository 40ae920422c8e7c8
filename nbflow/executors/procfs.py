"""The table of processes of Linux, read from /proc by hand: the end of every attempt waits for it."""

from __future__ import annotations

import os
import resource
import signal

from nbflow.executors.proctable import TOKEN_VARIABLE, Marks, Process, Row, send_by_number

_TAG = 10
"""RLIMIT_LOCKS. Linux has not looked at this limit since 2.4.25, but still hands it on to every child."""


class Procfs:
    """Linux. A mark costs microseconds to look for, except the marker: then every descriptor is asked."""

    def pids(self) -> list[int]:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - the hot path

    def newest(self) -> int:
        return int(_slurp("/proc/loadavg").split()[-1])

    def row(self, pid: int) -> Row | None:
        try:
            text = _slurp(f"/proc/{pid}/stat")
        except OSError:
            return None
        # pid (name) state ppid pgrp … start: a name may hold blanks and parentheses
        fields = text[text.rindex(b")") + 2 :].split()
        return None if fields[0] in b"ZXx" else Row(int(fields[1]), int(fields[2]), float(fields[19]))

    def has_mark(self, pid: int, marks: Marks) -> bool | None:
        for look in (has_tag, _has_token, _has_marker):
            try:
                if look(pid, marks):
                    return True
            except OSError:  # gone, somebody else's, or a sandbox forbids this way of looking
                if self.row(pid) is None:
                    return None
        return False

    def send(self, process: Process, number: int) -> bool:
        try:
            handle = os.pidfd_open(process.pid)
        except ProcessLookupError:
            return False
        except (OSError, AttributeError):  # an old kernel, a strict sandbox, no descriptor left
            return send_by_number(self, process, number)
        try:
            row = self.row(process.pid)
            if row is None or row.since != process.since:
                return False
            signal.pidfd_send_signal(handle, number)
        except OSError:
            return False
        finally:
            os.close(handle)
        return True


def tag_this_process(marks: Marks) -> None:
    """Give the tag to this process and everything that will ever be started below it."""
    _, most = resource.getrlimit(_TAG)
    if most == resource.RLIM_INFINITY or most >= marks.tag:
        resource.setrlimit(_TAG, (marks.tag, most))


def has_tag(pid: int, marks: Marks) -> bool:
    return resource.prlimit(pid, _TAG)[0] == marks.tag


def _has_token(pid: int, marks: Marks) -> bool:
    entry = f"\0{TOKEN_VARIABLE}={marks.token}\0".encode()
    return entry in b"\0" + _slurp(f"/proc/{pid}/environ") + b"\0"


def _has_marker(pid: int, marks: Marks) -> bool:
    folder = os.open(f"/proc/{pid}/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return any(_leads_to(name, folder, str(marks.marker)) for name in os.listdir(folder))  # noqa: PTH208
    finally:
        os.close(folder)


def _leads_to(link: str, folder: int, path: str) -> bool:
    """Whether a descriptor is open on `path` for writing: who only reads it is a curious stranger."""
    try:
        is_open = os.readlink(link, dir_fd=folder) == path
        return is_open and bool(os.lstat(link, dir_fd=folder).st_mode & 0o200)
    except OSError:  # closed in the meantime
        return False


def _slurp(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = b""
        while chunk := os.read(file, 1 << 16):
            text += chunk
        return text
    finally:
        os.close(file)
