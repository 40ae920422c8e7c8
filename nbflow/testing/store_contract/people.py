"""Users, tokens and sessions, and the line that each change leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from nbflow.errors import Conflict, NotFound, NotSignedIn
from nbflow.model import PipelineName
from nbflow.people import Role, Token, TokenKind, User
from nbflow.run import Change
from nbflow.testing.samples import NOW, Store
from nbflow.testing.store_contract.looking import assert_full, refused

FULL_USER = User(
    name="ada",
    role=Role.ADMIN,
    created_at=NOW,
    created_by="root",
    password="$argon2id$hash",
    failures=2,
    failed_at=NOW + timedelta(seconds=1),
)
FULL_TOKEN = Token(
    id=1,
    kind=TokenKind.SESSION,
    user="ada",
    role=Role.OPERATOR,
    sha256="ab" * 32,
    created_at=NOW,
    created_by="root",
    note="for the nightly job",
    expires_at=NOW + timedelta(days=7),
    last_used_at=NOW + timedelta(hours=1, microseconds=1),
    revoked_at=NOW + timedelta(hours=2),
)


def line(event: str = "user_add", **about: Any) -> Change:
    return Change(at=NOW, run=None, pipeline=PipelineName(""), event=event, by="root", note="ada", **about)


def add_user(store: Store, name: str = "ada", role: Role = Role.ADMIN) -> User:
    user = User(name=name, role=role, created_at=NOW)
    store.add_user(user, log=line())
    return user


def add_token(store: Store, user: str = "ada", sha256: str = "a", **about: Any) -> Token:
    token = Token(user=user, role=Role.VIEWER, created_at=NOW, sha256=sha256, **{"kind": TokenKind.API, **about})
    return store.add_token(token, log=None)


class People:
    def test_nobody_is_there_at_first(self, store: Store) -> None:
        assert store.users() == []
        assert store.tokens() == []

    def test_a_user_is_kept_whole_and_logged(self, store: Store) -> None:
        assert_full(FULL_USER)
        store.add_user(FULL_USER, log=line(after="admin"))
        assert store.user("ada") == FULL_USER
        assert store.users() == [FULL_USER]
        assert [replace(change, seq=0) for change in store.changes(0)] == [line(after="admin")]

    def test_users_are_listed_by_name(self, store: Store) -> None:
        names = ["b", "a", "B", "a.b"]
        for name in names:
            add_user(store, name)
        assert [user.name for user in store.users()] == sorted(names)

    def test_a_name_is_given_once(self, store: Store) -> None:
        add_user(store)
        with refused(store, Conflict, match="there is a user 'ada' already"):
            add_user(store)

    def test_an_unknown_user_is_told_with_a_near_name(self, store: Store) -> None:
        add_user(store, "grace")
        with pytest.raises(NotFound, match=r"there is no user 'grce'\. Did you mean 'grace'"):
            store.user("grce")
        for verb in (
            lambda: store.set_role("x", Role.ADMIN, log=line()),
            lambda: store.set_password("x", "$another", log=line()),
            lambda: store.remove_user("x", log=line()),
            lambda: store.begin_sign_in("x", now=NOW),
            lambda: store.forget_refusals("x"),
            lambda: add_token(store, "x"),
        ):
            with refused(store, NotFound, match="'x'"):
                verb()

    def test_role_and_password_change_each_by_itself(self, store: Store) -> None:
        store.add_user(FULL_USER, log=line())
        add_user(store, "grace")
        demoted = replace(FULL_USER, role=Role.VIEWER)
        assert store.set_role("ada", Role.VIEWER, log=line("user_role")) == store.user("ada") == demoted
        store.set_password("ada", "$another", log=line("user_password"))
        assert store.user("ada") == replace(demoted, password="$another", failures=0, failed_at=None)
        assert (store.user("grace").role, store.user("grace").password) == (Role.ADMIN, None)
        assert [each.event for each in store.changes(0)][-2:] == ["user_role", "user_password"]

    def test_an_admin_is_left_as_long_as_there_are_users(self, store: Store) -> None:
        with refused(store, Conflict, match="no user would be admin"):
            add_user(store, "grace", Role.EDITOR)
        add_user(store, "ada")
        add_user(store, "grace", Role.EDITOR)
        with refused(store, Conflict, match="no user would be admin"):
            store.set_role("ada", Role.EDITOR, log=line())
        with refused(store, Conflict, match="no user would be admin"):
            store.remove_user("ada", log=line())
        store.remove_user("grace", log=line())
        store.remove_user("ada", log=line("user_remove"))
        assert store.users() == []

    def test_a_removed_user_takes_all_tokens_along(self, store: Store) -> None:
        add_user(store)
        add_user(store, "grace")
        gone, stays = add_token(store, "ada", "a"), add_token(store, "grace", "b")
        store.remove_user("ada", log=line("user_remove"))
        assert store.tokens() == [stays]
        assert store.holder(gone.sha256) is None
        add_user(store)
        assert store.tokens("ada") == []

    def test_sign_ins_are_counted_before_they_are_known_to_be_good(self, store: Store) -> None:
        add_user(store)
        for second in range(1, 6):
            counted = store.begin_sign_in("ada", now=NOW + timedelta(seconds=second))
            assert counted == store.user("ada")
            assert (counted.failures, counted.failed_at) == (second, NOW + timedelta(seconds=second))
        with refused(store, NotSignedIn, match="too many"):
            store.begin_sign_in("ada", now=NOW + timedelta(seconds=5.5))
        store.forget_refusals("ada")
        assert (store.user("ada").failures, store.user("ada").failed_at) == (0, None)


class Tokens:
    def test_one_is_kept_whole(self, store: Store) -> None:
        assert_full(FULL_TOKEN)
        user = add_user(store)
        kept = store.add_token(FULL_TOKEN, log=line("token_create"))
        assert kept == replace(FULL_TOKEN, id=kept.id)
        assert store.token(kept.id) == kept
        assert store.holder(kept.sha256) == (kept, user)
        assert store.changes(0)[-1].event == "token_create"

    def test_one_without_a_line_leaves_none(self, store: Store) -> None:
        add_user(store)
        before = store.changes(0)
        token = add_token(store)
        store.revoke_token(token.id, now=NOW, log=None)
        assert store.changes(0) == before

    def test_they_are_listed_newest_first(self, store: Store) -> None:
        add_user(store)
        add_user(store, "grace")
        first, second, third = (
            add_token(store, "ada", "a"),
            add_token(store, "grace", "b"),
            add_token(store, "ada", "c"),
        )
        assert len({first.id, second.id, third.id}) == 3
        assert store.tokens() == [third, second, first]
        assert store.tokens("ada") == [third, first]

    def test_a_fingerprint_is_given_once(self, store: Store) -> None:
        add_user(store)
        add_token(store)
        with refused(store, Conflict):
            add_token(store)

    def test_an_unknown_one_is_told(self, store: Store) -> None:
        assert store.holder("x") is None
        with pytest.raises(NotFound, match="there is no token 7"):
            store.token(7)
        with refused(store, NotFound, match="there is no token 7"):
            store.revoke_token(7, now=NOW, log=line())

    def test_one_is_revoked_once(self, store: Store) -> None:
        add_user(store)
        token = add_token(store)
        store.revoke_token(token.id, now=NOW, log=line("token_revoke"))
        assert store.token(token.id).revoked_at == NOW
        assert store.changes(0)[-1].event == "token_revoke"
        with refused(store, Conflict, match="revoked already"):
            store.revoke_token(token.id, now=NOW + timedelta(seconds=1), log=line())

    def test_its_use_is_noted(self, store: Store) -> None:
        add_user(store)
        token = add_token(store)
        store.used_token(token.id, NOW + timedelta(minutes=5))
        assert store.token(token.id) == replace(token, last_used_at=NOW + timedelta(minutes=5))
        store.used_token(99, NOW)

    def test_a_new_password_ends_the_sessions_of_the_user_alone(self, store: Store) -> None:
        add_user(store)
        add_user(store, "grace")
        session = add_token(store, "ada", "a", kind=TokenKind.SESSION)
        old = add_token(store, "ada", "b", kind=TokenKind.SESSION, revoked_at=NOW - timedelta(days=1))
        others = add_token(store, "ada", "c"), add_token(store, "grace", "d", kind=TokenKind.SESSION)
        store.set_role("ada", Role.ADMIN, log=line("user_role"))
        assert store.token(session.id) == session
        store.set_password("ada", "$another", log=line("user_password"))
        assert store.token(session.id).revoked_at == NOW
        assert store.token(old.id) == old
        assert [store.token(token.id) for token in others] == list(others)
