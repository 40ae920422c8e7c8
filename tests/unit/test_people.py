"""Users, tokens and sessions: what each role may do with them, and how a stranger becomes a caller."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from nbflow.api import Api, Caller, Entrance, Role
from nbflow.errors import Conflict, InvalidInput, NotAllowed, NotFound, NotSignedIn, Unavailable
from nbflow.people import SESSION_LIFE, USED_GRAIN, User, check_name, check_pace, fingerprint, xsrf
from nbflow.run import Change
from nbflow.testing.clock import FakeClock
from nbflow.testing.dict_store import DictStore

PASSWORD = "correct horse"
MONTH = timedelta(days=30)


@pytest.fixture
def store() -> DictStore:
    return DictStore()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real ones take a tenth of a second each; one test of this file uses them."""
    monkeypatch.setattr("nbflow.api.people.hash_password", lambda password: f"hash of {password}")
    monkeypatch.setattr("nbflow.api.people.is_password", lambda password, hashed: hashed == f"hash of {password}")
    monkeypatch.setattr("nbflow.api.entrance.is_password", lambda password, hashed: hashed == f"hash of {password}")


def api(store: DictStore, clock: FakeClock, name: str = "root", role: Role = Role.ADMIN, **about: Any) -> Api:
    nothing: Any = None
    return Api(
        caller=Caller(name=name, role=role, **about),
        store=store,
        workspace=nothing,
        logs=nothing,
        clock=clock,
        driver=nothing,
        owners=nothing,
    )


@pytest.fixture
def root(store: DictStore, clock: FakeClock) -> Api:
    made = api(store, clock)
    made.add_user("ada", Role.ADMIN, password=PASSWORD)
    made.add_user("vera", Role.VIEWER, password=PASSWORD)
    made.add_user("otto", Role.OPERATOR)
    return made


@pytest.fixture
def entrance(store: DictStore, clock: FakeClock) -> Entrance:
    return Entrance(store, clock)


# --- rules ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ada", "Ada.L", "ada@example.org", "7of9", "a" * 64])
def test_a_name_that_can_be_used(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", " ada", "a b", "a/b", "-a", ".a", "ä", "a" * 65, "ada\n", "<b>"])
def test_a_name_that_cannot(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the name of a user"):
        check_name(name)


def test_roles_are_read_as_they_are_written() -> None:
    assert [Role.parse(role.word) for role in Role] == list(Role)
    with pytest.raises(InvalidInput, match=r"no role 'boss'\. The roles are viewer, operator, editor, admin"):
        Role.parse("boss")


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, None), (4, None), (5, 1), (6, 2), (9, 16), (11, 60), (99999, 60)]
)
def test_a_name_waits_longer_after_each_refusal(failures: int, seconds: int | None) -> None:
    now = FakeClock().now()
    user = User(name="ada", role=Role.VIEWER, created_at=now, failures=failures, failed_at=now)
    if seconds is not None:
        with pytest.raises(NotSignedIn, match="too many sign-ins were refused"):
            check_pace(user, now + timedelta(seconds=seconds, microseconds=-1))
    check_pace(user, now + timedelta(seconds=seconds or 0))
    check_pace(user, now - timedelta(hours=1))  # the clock was set back: nobody waits until it has caught up


def test_the_word_against_forgery_is_not_the_cookie() -> None:
    assert xsrf("a") != xsrf("b")
    assert xsrf("a") != fingerprint("a")


# --- users ----------------------------------------------------------------------------------------------------------


def test_every_administration_is_a_line_of_the_log(root: Api) -> None:
    root.set_role("otto", Role.EDITOR)
    root.set_password("otto", PASSWORD)
    made = root.create_token(Role.VIEWER, user="otto", expires=MONTH, note="nightly")
    root.revoke_token(made.token.id)
    root.remove_user("otto")
    said = [(each.event, each.before, each.after, each.note) for each in root.changes()[3:]]
    assert said == [
        ("user_role", "operator", "editor", "otto"),
        ("user_password", None, None, "otto"),
        ("token_create", None, "viewer", "otto: nightly"),
        ("token_revoke", "viewer", None, "otto: 1"),
        ("user_remove", "editor", None, "otto"),
    ]
    assert {(each.by, each.run, each.pipeline) for each in root.changes()} == {("root", None, "")}
    assert not any(made.secret in str(each) for each in root.changes())


def test_a_short_password_is_refused(root: Api) -> None:
    with pytest.raises(InvalidInput, match="8 to 1024 characters"):
        root.add_user("eve", Role.VIEWER, password="1234567")
    with pytest.raises(InvalidInput, match="8 to 1024 characters"):
        root.set_password("ada", "1234567")


def test_a_new_password_ends_sessions(root: Api, entrance: Entrance) -> None:
    session = entrance.sign_in("vera", PASSWORD)
    root.set_password("vera", "another one")
    assert entrance.session(session.secret) is None
    with pytest.raises(NotSignedIn):
        entrance.sign_in("vera", PASSWORD)
    assert entrance.sign_in("vera", "another one")


def test_ones_own_password_needs_the_old_one(root: Api, store: DictStore, clock: FakeClock) -> None:
    vera = api(store, clock, "vera", Role.VIEWER)
    for old in (None, "wrong password"):
        with pytest.raises(NotAllowed, match="old password"):
            vera.set_password("vera", "another one", old=old)
    vera.set_password("vera", "another one", old=PASSWORD)
    with pytest.raises(NotAllowed, match="'ada' is for an admin; vera is viewer"):
        vera.set_password("ada", "another one", old=PASSWORD)


@pytest.mark.parametrize("is_password_first", [True, False])
def test_a_role_and_a_password_that_are_given_at_once_both_count(
    is_password_first: bool, root: Api, store: DictStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashing takes a while: who lost a role meanwhile must not get it back by that."""
    vera = api(store, clock, "vera", Role.VIEWER)

    def give_password() -> None:
        vera.set_password("vera", "another one", old=PASSWORD)

    def give_role() -> None:
        root.set_role("vera", Role.OPERATOR)

    def hashed(password: str) -> str:
        if is_password_first:
            give_role()
        return f"hash of {password}"

    def line(self: Api, event: str, *about: Any, **more: Any) -> Change:
        if event == "user_role" and not is_password_first:
            give_password()
        return log_line(self, event, *about, **more)

    log_line = Api._line
    monkeypatch.setattr("nbflow.api.people.hash_password", hashed)
    monkeypatch.setattr(Api, "_line", line)
    (give_password if is_password_first else give_role)()
    user = store.user("vera")
    assert (user.role, user.password) == (Role.OPERATOR, "hash of another one")


# --- tokens ---------------------------------------------------------------------------------------------------------


def test_a_token_is_seen_once_and_kept_as_a_fingerprint(root: Api, store: DictStore) -> None:
    made = root.create_token(Role.OPERATOR, user="ada", expires=None)
    assert made.secret.startswith("nbf_")
    assert len(made.secret) == 68
    assert made.token.sha256 == fingerprint(made.secret)
    assert made.secret not in repr(made)
    assert made.secret not in repr(store.tokens())
    assert root.create_token(Role.OPERATOR, user="ada", expires=None).secret != made.secret


def test_a_token_is_never_more_than_its_user(root: Api, entrance: Entrance) -> None:
    made = root.create_token(Role.OPERATOR, user="otto", expires=MONTH)
    with pytest.raises(InvalidInput, match="a token for 'otto' can be operator at most, not editor"):
        root.create_token(Role.EDITOR, user="otto", expires=MONTH)
    assert entrance.bearer(made.secret) == Caller(name="otto", role=Role.OPERATOR, until=made.token.expires_at)
    root.set_role("otto", Role.VIEWER)
    assert entrance.bearer(made.secret) == Caller(name="otto", role=Role.VIEWER, until=made.token.expires_at)
    root.set_role("otto", Role.ADMIN)
    assert entrance.bearer(made.secret) == Caller(name="otto", role=Role.OPERATOR, until=made.token.expires_at)


def test_a_token_makes_none_above_itself_or_beyond_itself(root: Api, store: DictStore, clock: FakeClock) -> None:
    limited = api(store, clock, "ada", Role.VIEWER, until=clock.now() + MONTH)
    assert limited.create_token(Role.VIEWER, expires=MONTH).token.user == "ada"
    with pytest.raises(InvalidInput, match="viewer at most"):
        limited.create_token(Role.ADMIN, expires=MONTH)
    for expires in (None, MONTH + timedelta(seconds=1)):
        with pytest.raises(
            InvalidInput, match=r"cannot make one that outlives it\. It expires at 2026-05-01 09:00 UTC"
        ):
            limited.create_token(Role.VIEWER, expires=expires)


@pytest.mark.parametrize(
    ("expires", "said"), [(timedelta(0), "later than now"), (-MONTH, "later than now"), (timedelta.max, "calendar")]
)
def test_an_expiry_that_makes_no_sense(root: Api, expires: timedelta, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        root.create_token(Role.VIEWER, user="ada", expires=expires)


def test_an_expired_or_revoked_token_is_nobody(root: Api, entrance: Entrance, clock: FakeClock) -> None:
    expiring = root.create_token(Role.VIEWER, user="otto", expires=MONTH)
    revoked = root.create_token(Role.VIEWER, user="otto", expires=None)
    root.revoke_token(revoked.token.id)
    assert entrance.bearer(revoked.secret) is None
    clock.advance(MONTH - timedelta(microseconds=1))
    assert entrance.bearer(expiring.secret) is not None
    clock.advance(timedelta(microseconds=1))
    assert entrance.bearer(expiring.secret) is None


def test_own_tokens_are_ones_own_affair_and_others_an_admins(root: Api, store: DictStore, clock: FakeClock) -> None:
    otto = api(store, clock, "otto", Role.OPERATOR)
    own, foreign = (
        otto.create_token(Role.OPERATOR, expires=MONTH),
        root.create_token(Role.VIEWER, user="ada", expires=None),
    )
    assert [each.id for each in otto.tokens()] == [own.token.id]
    assert [each.id for each in otto.tokens("otto")] == [own.token.id]
    assert [each.id for each in root.tokens()] == [foreign.token.id, own.token.id]
    assert [each.id for each in root.tokens("ada")] == [foreign.token.id]
    for refused in (
        lambda: otto.tokens("ada"),
        lambda: otto.revoke_token(foreign.token.id),
        lambda: otto.create_token(Role.VIEWER, expires=MONTH, user="ada"),
    ):
        with pytest.raises(NotAllowed, match="is for an admin; otto is operator"):
            refused()
    otto.revoke_token(own.token.id)
    with pytest.raises(NotFound, match=r"there is no user 'adda'\. Did you mean 'ada'"):
        root.tokens("adda")


def test_use_is_noted_once_a_minute(root: Api, entrance: Entrance, store: DictStore, clock: FakeClock) -> None:
    made = root.create_token(Role.VIEWER, user="otto", expires=None)
    first = clock.now()
    for later in (timedelta(0), USED_GRAIN - timedelta(seconds=1)):
        clock.advance(later)
        assert entrance.bearer(made.secret)
    assert store.token(made.token.id).last_used_at == first
    clock.advance(timedelta(seconds=1))
    assert entrance.bearer(made.secret)
    assert store.token(made.token.id).last_used_at == clock.now()


def test_a_database_that_takes_no_writes_still_knows_its_callers(
    root: Api, entrance: Entrance, store: DictStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = root.create_token(Role.VIEWER, user="otto", expires=None)

    def busy(*_: object) -> None:
        raise Unavailable("busy")

    monkeypatch.setattr(store, "used_token", busy)
    assert entrance.bearer(made.secret)


# --- sign-in --------------------------------------------------------------------------------------------------------


def test_a_session_lasts_until_it_ends_or_is_ended(root: Api, entrance: Entrance, clock: FakeClock) -> None:
    signed_in = entrance.sign_in("vera", PASSWORD)
    assert entrance.session(signed_in.secret) == Caller(name="vera", role=Role.VIEWER)
    assert entrance.bearer(signed_in.secret) is None
    entrance.sign_out(signed_in.secret)
    entrance.sign_out(signed_in.secret)
    entrance.sign_out("unknown")
    assert entrance.session(signed_in.secret) is None
    again = entrance.sign_in("vera", PASSWORD)
    clock.advance(SESSION_LIFE)
    assert entrance.session(again.secret) is None


def test_a_token_is_no_session(root: Api, entrance: Entrance) -> None:
    made = root.create_token(Role.VIEWER, user="vera", expires=None)
    assert entrance.session(made.secret) is None


@pytest.mark.parametrize(("name", "password"), [("vera", "wrong"), ("eve", PASSWORD), ("otto", PASSWORD), ("otto", "")])
def test_no_refusal_tells_whether_the_name_exists(root: Api, entrance: Entrance, name: str, password: str) -> None:
    with pytest.raises(NotSignedIn) as caught:
        entrance.sign_in(name, password)
    assert str(caught.value) == "name or password is not right"


def test_guessing_is_slowed_down_and_forgotten_after_a_success(
    root: Api, entrance: Entrance, store: DictStore, clock: FakeClock
) -> None:
    for _ in range(5):
        with pytest.raises(NotSignedIn, match="not right"):
            entrance.sign_in("vera", "guess")
    with pytest.raises(NotSignedIn, match="too many"):
        entrance.sign_in("vera", PASSWORD)
    assert entrance.sign_in("ada", PASSWORD)
    clock.advance(timedelta(seconds=1))
    assert entrance.sign_in("vera", PASSWORD)
    assert store.user("vera").failures == 0


def test_guesses_at_once_are_slowed_down_like_others(
    root: Api, entrance: Entrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = []

    def while_it_is_looked_at_another_comes(password: str, _: str | None) -> bool:
        looked_at.append(password)
        with pytest.raises(NotSignedIn):
            entrance.sign_in("vera", f"{password}!")
        return False

    monkeypatch.setattr("nbflow.api.entrance.is_password", while_it_is_looked_at_another_comes)
    with pytest.raises(NotSignedIn, match="not right"):
        entrance.sign_in("vera", "guess")
    assert looked_at == ["guess", "guess!", "guess!!", "guess!!!", "guess!!!!"]


def test_whether_there_are_users(entrance: Entrance, store: DictStore, clock: FakeClock) -> None:
    assert not entrance.has_users()
    api(store, clock).add_user("ada", Role.ADMIN)
    assert entrance.has_users()


def test_the_last_admin_stays(root: Api) -> None:
    with pytest.raises(Conflict, match="no user would be admin"):
        root.set_role("ada", Role.VIEWER)


# --- hashes ---------------------------------------------------------------------------------------------------------


def test_real_hashes() -> None:
    from nbflow.api import passwords

    hashed = passwords.hash_password(PASSWORD)
    assert hashed.startswith("$argon2id$")
    assert passwords.is_password(PASSWORD, hashed)
    assert not passwords.is_password("wrong password", hashed)
    assert not passwords.is_password(PASSWORD, None)
    assert not passwords.is_password(PASSWORD, "no hash")
