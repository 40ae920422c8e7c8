"""Coming in: by the link of the terminal, or by name and password."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest
from app_server import served, xsrf_of
from app_world import World
from nbflow_app import gate
from nbflow_app.entry import MOST, WITHIN, LinkEntry, LocalEntry, PeopleEntry, Refusals, derived, read_key, safe_next
from nbflow_app.start import start
from tornado.ioloop import IOLoop

from nbflow.api import Caller, Entrance, Role
from nbflow.errors import InvalidInput, NotSignedIn, Unavailable

ADA = Caller(name="ada", role=Role.ADMIN)


def test_the_link_sets_a_cookie_that_is_not_the_token(tmp_path: Path) -> None:
    with served(World(tmp_path)) as running, running.stranger() as browser:
        token = running.entry.token
        answer = browser.get(f"/sign-in?token={token}&next=/runs")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/runs")
        cookie = answer.headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
        assert token not in cookie
        assert browser.get("/runs").status_code == 200
        assert browser.get("/sign-in?next=/runs").headers["Location"] == "/runs"


def test_a_wrong_link_is_refused_and_the_right_one_can_be_pasted(tmp_path: Path) -> None:
    with served(World(tmp_path)) as running, running.stranger() as browser:
        wrong = browser.get("/sign-in?token=0000")
        assert wrong.status_code == 403
        assert "That is not the link of this server" in wrong.text
        page = browser.get("/sign-in?next=/pipelines").text
        pasted = f"{running.base}/sign-in?token={running.entry.token}"
        form = {"_xsrf": xsrf_of(page), "next": "/pipelines", "token": pasted}
        assert browser.post("/sign-in", data=form).headers["Location"] == "/pipelines"
        assert browser.get("/pipelines").status_code == 200


def test_users_sign_in_and_out(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.api().add_user("root", Role.ADMIN, password="a quite long password")
    world.api().add_user("ada", Role.VIEWER, password="correct horse battery")
    entry = PeopleEntry(Entrance(world.store, world.clock), 5006)
    with served(world, entry=entry) as running, running.stranger() as browser:
        token = xsrf_of(browser.get("/sign-in").text)
        form = {"_xsrf": token, "name": "ada", "next": "/runs"}
        wrong = browser.post("/sign-in", data={**form, "password": "wrong"})
        assert wrong.status_code == 403
        assert "Name or password is not right." in wrong.text
        done = browser.post("/sign-in", data={**form, "password": "correct horse battery"})
        assert done.headers["Location"] == "/runs"
        page = browser.get("/runs").text
        assert "ada, viewer" in page
        session = browser.cookies["nbflow-5006"]
        out = browser.post("/sign-out", data={"_xsrf": xsrf_of(page)})
        assert out.headers["Location"] == "/sign-in"
        browser.cookies.set("nbflow-5006", session)
        assert browser.get("/runs").status_code == 303, "the session was ended on the server, too"


@pytest.mark.parametrize("password", [" correct horse battery ", "correct\x01horse\x02battery"])
def test_a_password_is_taken_as_it_was_set(tmp_path: Path, password: str) -> None:
    world = World(tmp_path)
    world.api().add_user("ada", Role.ADMIN, password=password)
    entry = PeopleEntry(Entrance(world.store, world.clock), 5006)
    with served(world, entry=entry) as running, running.stranger() as browser:
        token = xsrf_of(browser.get("/sign-in").text)
        form = {"_xsrf": token, "name": "ada", "next": "/runs", "password": password}
        assert browser.post("/sign-in", data=form).status_code == 303


def test_signing_in_needs_its_own_form(tmp_path: Path) -> None:
    with served(World(tmp_path)) as running, running.stranger() as browser:
        assert browser.post("/sign-in", data={"token": running.entry.token}).status_code == 403


def test_an_address_that_tries_too_often_has_to_wait() -> None:
    now = 0.0
    refusals = Refusals(clock=lambda: now)
    for _ in range(MOST):
        refusals.check("10.0.0.1")
        refusals.note("10.0.0.1")
    with pytest.raises(NotSignedIn, match="too many"):
        refusals.check("10.0.0.1")
    refusals.check("10.0.0.2")
    now = WITHIN + 1
    refusals.check("10.0.0.1")


@pytest.mark.parametrize(
    ("given", "prefix", "goes"),
    [
        ("/runs?state=failed", "", "/runs?state=failed"),
        ("", "", "/"),
        ("//evil.example", "", "/"),
        ("/\\evil.example", "", "/"),
        ("https://evil.example/", "", "/"),
        ("javascript:alert(1)", "", "/"),
        ("/runs\r\nSet-Cookie: a=b", "", "/"),
        ("/sign-in?next=/", "", "/"),
        ("/flows/runs", "/flows", "/flows/runs"),
        ("/flowsome", "/flows", "/flows/"),
        ("/runs", "/flows", "/flows/"),
    ],
)
def test_signing_in_leads_only_to_addresses_of_ours(given: str, prefix: str, goes: str) -> None:
    assert safe_next(given, prefix) == goes


def test_the_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    key = read_key(tmp_path / "state")
    assert len(key) == 32
    assert read_key(tmp_path / "state") == key
    assert stat.S_IMODE((tmp_path / "state" / "app.key").stat().st_mode) == 0o600
    assert derived(key, "link") != derived(key, "cookie")


def test_a_cookie_of_another_server_opens_nothing() -> None:
    mine, other = LinkEntry(b"a" * 32, ADA, 5006), LinkEntry(b"b" * 32, ADA, 5006)
    assert mine.who({mine.cookie: other.cookie_value}) is None
    assert mine.who({}) is None
    assert mine.who({mine.cookie: mine.cookie_value}) == ADA


def local(world: World) -> tuple[LinkEntry, LocalEntry]:
    """The entry of a server of this machine alone."""
    entrance = Entrance(world.store, world.clock)
    link = LinkEntry(b"a" * 32, ADA, 5006)
    return link, LocalEntry(link, PeopleEntry(entrance, 5006), entrance.has_users)


def test_the_link_is_a_token_too_until_there_are_users(tmp_path: Path) -> None:
    world = World(tmp_path)
    link, entry = local(world)
    assert entry.bearer(link.token) == ADA
    assert entry.bearer(link.cookie_value) is None
    assert entry.bearer("") is None
    world.api().add_user("root", Role.ADMIN, password="a quite long password")
    assert entry.bearer(link.token) is None
    assert entry.who({entry.cookie: link.cookie_value}) is None
    with pytest.raises(NotSignedIn, match="name or password"):
        entry.admit({"token": link.token})


def test_for_whoever_shows_no_cookie_no_users_are_looked_up(tmp_path: Path) -> None:
    world = World(tmp_path)
    entrance, asked = Entrance(world.store, world.clock), []

    def has_users() -> bool:
        asked.append(True)
        return entrance.has_users()

    entry = LocalEntry(LinkEntry(b"a" * 32, ADA, 5006), PeopleEntry(entrance, 5006), has_users)
    assert entry.who({}) is None
    assert entry.who({entry.cookie: ""}) is None
    assert not asked
    assert entry.who({entry.cookie: "wrong"}) is None
    assert asked


def test_users_who_are_added_while_the_app_runs_are_in_force_at_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    link, entry = local(world)
    with served(world, entry=entry) as running, running.stranger() as browser:
        browser.get(f"/sign-in?token={link.token}")
        assert "ada, admin" in browser.get("/runs").text
        world.api().add_user("root", Role.ADMIN, password="a quite long password")
        world.api().add_user("bob", Role.VIEWER, password="correct horse battery")
        assert browser.get("/runs").headers["Location"] == "/sign-in?next=%2Fruns"
        asked = browser.get(f"/sign-in?token={link.token}&next=/runs")
        assert (asked.status_code, "Password" in asked.text) == (200, True)
        form = {"_xsrf": xsrf_of(asked.text), "name": "bob", "password": "correct horse battery", "next": "/runs"}
        assert browser.post("/sign-in", data=form).headers["Location"] == "/runs"
        assert "bob, viewer" in browser.get("/runs").text


def test_who_may_not_come_in_any_more_hears_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "LOOK_AGAIN", 0.05)
    world = World(tmp_path)
    link, entry = local(world)
    with served(world, entry=entry) as running:

        async def listen() -> object:
            socket = await running.socket("/live?watch=runs", {"Cookie": f"{link.cookie}={link.cookie_value}"})
            world.api().add_user("root", Role.ADMIN, password="a quite long password")
            while message := await socket.read_message():
                assert json.loads(str(message))["refresh"]
            socket.close()
            return message

        assert IOLoop(make_current=False).run_sync(listen, timeout=60) is None, "the server has closed it"


class AwayEntry(LinkEntry):
    """Cannot look up who that is while the database is away."""

    is_away = False

    def who(self, cookies: Mapping[str, str]) -> Caller | None:
        if self.is_away:
            raise Unavailable("the database at 10.0.0.7 does not answer")
        return super().who(cookies)


def test_while_nobody_can_be_looked_up_pages_say_so_and_the_rest_answers(tmp_path: Path) -> None:
    entry = AwayEntry(b"a" * 32, ADA, 5006)
    with served(World(tmp_path), entry=entry) as running, running.stranger() as browser:
        browser.get(f"/sign-in?token={entry.token}")
        entry.is_away = True
        answer = browser.get("/runs")
        assert (answer.status_code, answer.text) == (503, gate.AWAY)
        assert browser.get("/sign-in").status_code == 200
        entry.is_away = False
        assert browser.get("/runs").status_code == 200


def test_who_cannot_be_looked_up_for_a_while_is_looked_after_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "LOOK_AGAIN", 0.05)
    looks = iter([True, False, False])

    class Flickering(LinkEntry):
        """Is let in; then cannot be looked up; then is not known any more."""

        def who(self, cookies: Mapping[str, str]) -> Caller | None:
            match next(looks, None):
                case True:
                    return ADA
                case False:
                    raise Unavailable("the database does not answer")
                case _:
                    return None

    with served(World(tmp_path), entry=Flickering(b"a" * 32, ADA, 5006)) as running:

        async def listen() -> object:
            socket = await running.socket("/live?watch=runs", {"Cookie": "any=one"})
            while message := await socket.read_message():
                assert json.loads(str(message))["refresh"]
            socket.close()
            return message

        assert IOLoop(make_current=False).run_sync(listen, timeout=60) is None, "the server has closed it"


def test_no_address_is_open_to_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match=r"not on 0\.0\.0\.0.*nbflow user add"):
        start(tmp_path, host="0.0.0.0", port=5999, say=lambda _: None)
