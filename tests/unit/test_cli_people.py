"""The commands user and token, over the real api and a store in dicts."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from cli_world import CommandLine
from typer.testing import CliRunner, Result

from nbflow.api import Api, Caller, Entrance, Role
from nbflow.cli import app
from nbflow.testing.clock import FakeClock
from nbflow.testing.dict_store import DictStore

PASSWORD = "correct horse"


class People:
    """`nbflow` with a store that stays."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        nothing: Any = None
        self.store, self.clock = DictStore(), FakeClock(datetime.now(UTC))
        self.api: Any = Api(
            caller=Caller(name="ada", role=Role.ADMIN),
            store=self.store,
            workspace=nothing,
            logs=nothing,
            clock=self.clock,
            driver=nothing,
            owners=nothing,
        )
        self._line = CommandLine(monkeypatch)
        self._line.api = self.api

    def __call__(self, *words: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(app, list(words), input=typed)

    def done(self, words: str, typed: str | None = None) -> Result:
        result = self(*words.split(), typed=typed)
        assert result.exit_code == 0, result.stderr
        return result


@pytest.fixture
def nbflow(monkeypatch: pytest.MonkeyPatch) -> People:
    return People(monkeypatch)


@pytest.fixture
def people(nbflow: People) -> People:
    nbflow.done("user add ada --role admin --no-password")
    nbflow.done("user add ci --role operator --no-password")
    return nbflow


def test_the_first_user(nbflow: People) -> None:
    assert "There is no user" in nbflow.done("user list").stderr
    done = nbflow.done("user add grace --role admin --password-stdin", typed=f"{PASSWORD}\n")
    assert (done.stdout, done.stderr) == ("", "grace is admin now\n")
    assert Entrance(nbflow.store, nbflow.clock).sign_in("grace", PASSWORD)
    assert re.search(r"grace +admin +yes", nbflow.done("user list").stdout)


def test_users_as_json(people: People) -> None:
    listed = json.loads(people.done("user list --json").stdout)["users"]
    assert [(each["name"], each["role"], each["signs_in"]) for each in listed] == [
        ("ada", "admin", False),
        ("ci", "operator", False),
    ]


def test_a_role_and_a_password_are_changed(people: People) -> None:
    assert "ci is viewer now" in people.done("user role ci viewer").stderr
    assert people.store.user("ci").role is Role.VIEWER
    people.done("user password ci --password-stdin", typed=f"{PASSWORD}\r\n")
    assert Entrance(people.store, people.clock).sign_in("ci", PASSWORD)


def test_a_user_is_removed(people: People) -> None:
    assert "ci is removed" in people.done("user remove ci").stderr
    assert [user.name for user in people.store.users()] == ["ada"]


def test_a_token_is_the_only_thing_on_standard_output(people: People) -> None:
    done = people.done("token create --role operator --expires 30d --user ci --note nightly")
    secret = done.stdout.strip()
    assert done.stdout == f"{secret}\n"
    assert secret not in done.stderr
    assert Entrance(people.store, people.clock).bearer(secret) is not None
    listed = people.done("token list")
    assert re.search(r"1 +ci +operator +api +2\d{3}-\d\d-\d\d \d\d:\d\d +2\d{3}-.* nightly", listed.stdout)
    assert secret not in listed.stdout


def test_tokens_as_json(people: People) -> None:
    made = json.loads(people.done("token create --role viewer --expires never --json").stdout)
    assert made["token"]["expires_at"] is None
    assert made["secret"].startswith("nbf_")
    listed = people.done("token list --json").stdout
    assert json.loads(listed) == {"tokens": [made["token"]]}


def test_an_ended_token_is_listed_only_when_asked_for(people: People) -> None:
    people.done("token create --role viewer --expires 1h")
    assert "token 1 is revoked" in people.done("token revoke 1").stderr
    assert "There is no such token" in people.done("token list").stderr
    assert "ended" in people.done("token list --all").stdout
    assert people.done("token list --user ci").stdout == ""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("user add a/b --role admin --no-password", 2, "cannot be the name of a user"),
        ("user add ci --role viewer --no-password", 1, "there is a user 'ci' already"),
        ("user add eve --role boss --no-password", 2, "boss"),
        ("user add eve --role viewer --no-password --password-stdin", 2, "exclude each other"),
        ("user add eve --role viewer", 2, "Use --password-stdin"),
        ("user role ada viewer", 1, "no user would be admin"),
        ("user remove cli", 2, "there is no user 'cli'. Did you mean 'ci'?"),
        ("token create --role admin --expires 1d --user ci", 2, "can be operator at most"),
        ("token create --role viewer --expires soon", 2, "Write a duration such as 12h or 90d, or never."),
        ("token create --role viewer --expires 1d --user eve", 2, "there is no user 'eve'"),
        ("token revoke 7", 2, "there is no token 7"),
    ],
)
def test_what_is_refused(people: People, words: str, code: int, said: str) -> None:
    done = people(*words.split())
    assert (done.exit_code, done.stdout) == (code, "")
    assert said in done.stderr


def test_an_empty_password_is_refused(people: People) -> None:
    done = people("user", "password", "ci", "--password-stdin", typed="")
    assert done.exit_code == 2
    assert "8 to 1024 characters" in done.stderr


@pytest.mark.parametrize(
    "words", ["user add", "user list", "user role", "user password", "user remove", "token create"]
)
def test_every_command_has_help(nbflow: People, words: str) -> None:
    said = nbflow.done(f"{words} --help").stdout
    assert "--project" in said
    assert "--debug" in said
