"""The table of processes of any other system, through psutil."""

from __future__ import annotations

import os

import psutil

from nbflow.executors.proctable import TOKEN_VARIABLE, Marks, Process, Row, send_by_number


class Portable:
    """Slower than /proc, and without the tag: a daemon that cleaned its environment can get away."""

    def pids(self) -> list[int]:
        return psutil.pids()

    def newest(self) -> int:
        return max(psutil.pids())

    def row(self, pid: int) -> Row | None:
        try:
            process = psutil.Process(pid)
            if process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
                return None
            return Row(process.ppid(), os.getpgid(pid), process.create_time())
        except (psutil.Error, OSError):
            return None

    def has_mark(self, pid: int, marks: Marks) -> bool | None:
        try:
            process = psutil.Process(pid)
            if process.environ().get(TOKEN_VARIABLE) == marks.token:
                return True
            return any(file.path == str(marks.marker) for file in process.open_files())
        except (psutil.Error, OSError):  # gone, or somebody else's
            return None if self.row(pid) is None else False

    def send(self, process: Process, number: int) -> bool:
        return send_by_number(self, process, number)
