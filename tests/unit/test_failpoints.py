"""Failpoints do nothing unless asked, and then kill whom they were asked to."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nbflow import failpoints
from nbflow.failpoints import VARIABLE, failpoint


def pass_two_points(wanted: str | None) -> int:
    """Exit code of a process that passes `a.first` and `a.second`, as the child of a shell of its own group."""
    code = "from nbflow.failpoints import failpoint; failpoint('a.first'); print(1, flush=True); failpoint('a.second')"
    env = {name: value for name, value in os.environ.items() if name != VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env if wanted is None else {**env, VARIABLE: wanted},
        start_new_session=True,
        capture_output=True,
        check=False,
    )
    return done.returncode if done.stdout else done.returncode * 100


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (None, 0),
        ("", 0),
        ("a.third", 0),
        ("a.second", -signal.SIGKILL),
        ("a.second:self", -signal.SIGKILL),
        ("a.second:group", -signal.SIGKILL),
        ("a.first", -signal.SIGKILL * 100),
    ],
)
def test_only_the_named_point_kills(wanted, code):
    assert pass_two_points(wanted) == code


def test_the_parent_can_be_the_victim():
    child = "from nbflow.failpoints import failpoint; failpoint('a.point')"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    env = {**os.environ, VARIABLE: "a.point:parent"}
    assert subprocess.run([sys.executable, "-c", parent], env=env, check=False).returncode == -signal.SIGKILL


def test_an_unknown_victim_is_an_error(monkeypatch):
    monkeypatch.setenv(VARIABLE, "a.point:uncle")
    failpoint("another.point")
    with pytest.raises(ValueError, match="'uncle'"):
        failpoint("a.point")


def test_the_documented_points_are_those_of_the_code():
    package = Path(failpoints.__file__).parent
    used = {name for path in package.rglob("*.py") for name in re.findall(r'failpoint\("([\w.]+)"\)', path.read_text())}
    who = "scheduler|courier|housekeeping|engine|store|executor|guard|runner"
    told = set(re.findall(rf"\b(?:{who})\.[a-z_]+", failpoints.__doc__ or ""))
    assert told == used
