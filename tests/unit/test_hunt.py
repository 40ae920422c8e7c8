"""Who belongs to an attempt, and in which order it is ended: on a table of processes in memory."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nbflow.executors import processes
from nbflow.executors.processes import end_all, identify, members
from nbflow.executors.proctable import Marks, Process, Row

MARKS = Marks("token", Path("/attempt/marker"))
ME = os.getpid()
STOP, KILL = signal.SIGSTOP, signal.SIGKILL


@dataclass
class FakeTable:
    """`parents` has every living process; what is killed leaves it. `births` are forks that happen at a signal."""

    parents: dict[int, int]
    marked: set[int] = field(default_factory=set)
    foreign: set[int] = field(default_factory=set)
    births: dict[tuple[int, int], dict[int, int]] = field(default_factory=dict)
    empty: list[int] = field(default_factory=list)
    hops: dict[int, int] = field(default_factory=dict)
    """Numbers that a process has changed for another one when its marks are looked for."""
    sent: list[tuple[int, int]] = field(default_factory=list)
    looks: int = 0

    def pids(self) -> list[int]:
        self.looks += 1
        return [*self.parents, *self.empty]

    def newest(self) -> int:
        return max(self.parents)

    def row(self, pid: int) -> Row | None:
        return Row(self.parents[pid], os.getpgrp(), 1.0) if pid in self.parents else None

    def has_mark(self, pid: int, marks: Marks) -> bool | None:
        assert marks.token == MARKS.token
        if pid in self.hops:  # it is another one by now
            self.parents[self.hops[pid]] = self.parents.pop(pid)
            return None
        return pid in self.marked

    def send(self, process: Process, number: int) -> bool:
        if process.pid in self.foreign or process.pid not in self.parents:
            return False
        self.sent.append((process.pid, number))
        self.parents.update(self.births.pop((process.pid, number), {}))
        if number == KILL:
            del self.parents[process.pid]
        return True


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch):
    def install(parents: dict[int, int], **about) -> FakeTable:
        made = FakeTable({1: 0, ME: 1, **parents}, **about)
        monkeypatch.setattr(processes, "TABLE", made)
        monkeypatch.setattr(processes.time, "sleep", lambda _: None)
        return made

    return install


def test_members_are_the_marked_ones_and_all_their_descendants(table):
    table({10: 1, 11: 10, 12: 11, 20: 1, 21: 20}, marked={10})
    assert members(MARKS) == {10, 11, 12}


def test_the_descendants_of_a_process_need_no_mark(table):
    table({10: ME, 11: 10, 20: 1}, marked={20})
    assert members(MARKS) == {20}
    assert members(MARKS, below=ME) == {10, 11, 20}


def test_the_caller_is_no_member_even_with_a_mark(table):
    table({10: 1, ME: 10, 11: ME}, marked={ME, 10, 11})
    assert members(MARKS) == {10, 11}


def test_nobody_else_is_touched(table):
    machine = table({10: 1, 20: 1})
    assert end_all(MARKS)
    assert machine.sent == []
    assert set(machine.parents) == {1, ME, 10, 20}


def test_all_are_stopped_before_the_first_is_killed(table):
    machine = table({10: 1, 11: 10, 12: 1}, marked={10, 12})
    assert end_all(MARKS)
    assert [number for _, number in machine.sent] == [STOP, STOP, STOP, KILL, KILL, KILL]
    assert {pid for pid, _ in machine.sent} == {10, 11, 12}


def test_the_youngest_is_stopped_first(table):
    machine = table({10: 1, 30: 1, 20: 1}, marked={10, 20, 30})
    assert end_all(MARKS)
    assert [pid for pid, number in machine.sent if number == STOP] == [30, 20, 10]


def test_a_child_born_at_the_last_moment_is_found(table):
    machine = table({10: 1}, marked={10}, births={(10, STOP): {40: 10}, (10, KILL): {50: 1}})
    machine.marked |= {50}
    assert end_all(MARKS)
    assert set(machine.parents) == {1, ME}


def test_processes_of_other_users_are_passed_over(table):
    machine = table({10: 1, 11: 10}, marked={10}, foreign={11})
    assert end_all(MARKS)
    assert set(machine.parents) == {1, ME, 11}


def test_a_process_that_vanished_while_we_looked_makes_us_look_again(table):
    machine = table({}, empty=[99])
    assert end_all(MARKS)
    assert machine.looks == 2  # the second time the number is known to be empty


def test_a_process_that_vanished_before_its_marks_were_seen_makes_us_look_again(table):
    machine = table({10: 1}, marked={12}, hops={10: 11, 11: 12})
    assert end_all(MARKS)
    assert set(machine.parents) == {1, ME}


def test_with_processes_vanishing_all_the_time_the_search_ends_all_the_same(table):
    machine = table({})
    machine.pids = lambda: [1, ME, machine.empty.append(0) or 100 + len(machine.empty)]
    assert end_all(MARKS)
    assert 20 <= len(machine.empty) <= 25


def test_who_does_not_die_is_told_by_the_answer(table):
    machine = table({10: 1}, marked={10})
    machine.send = lambda process, number: True
    assert not end_all(MARKS, within=0.0)


def test_a_process_is_known_by_its_number_and_its_start(table):
    table({10: 1})
    assert identify(10) == Process(10, 1.0)
    assert identify(11) is None


def test_the_tag_fits_a_limit_and_differs_with_the_token():
    assert 0 < MARKS.tag < 1 << 56
    assert MARKS.tag != Marks("another", MARKS.marker).tag
