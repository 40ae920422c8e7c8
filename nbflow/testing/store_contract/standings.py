"""Pipelines as a leader saw them, with the last manifest that could be used."""

from __future__ import annotations

from nbflow.errors import NotFound
from nbflow.model import PipelineName
from nbflow.testing.samples import NOW, Store, a_frozen
from nbflow.testing.scheduling import DAY, NIGHTLY, a_standing, lead, see
from nbflow.testing.store_contract.looking import refused


class Standings:
    def test_an_empty_store_has_seen_none(self, store: Store) -> None:
        assert store.standings() == {}
        assert store.last_good(NIGHTLY) is None

    def test_comes_back_as_it_was_seen(self, store: Store) -> None:
        frozen = a_frozen("extract", "load")
        standing = a_standing(manifest=frozen.sha256, is_removed=True)
        store.see(lead(store), standing, (frozen.pipeline, frozen.text))
        assert store.standings() == {NIGHTLY: standing}
        assert store.last_good(NIGHTLY) == (frozen.pipeline, frozen.text)
        assert store.manifest_text(frozen.sha256) == frozen.text

    def test_are_listed_by_name(self, store: Store) -> None:
        see(store, "weekly", "Nightly", "nightly")
        assert list(store.standings()) == ["Nightly", "nightly", "weekly"]

    def test_one_that_could_never_be_used_is_seen_too(self, store: Store) -> None:
        store.see(lead(store), a_standing(), None)
        assert store.standings() == {NIGHTLY: a_standing()}
        assert store.last_good(NIGHTLY) is None

    def test_a_broken_manifest_leaves_the_last_good_one(self, store: Store) -> None:
        frozen, leader = a_frozen("extract"), lead(store)
        store.see(leader, a_standing(manifest=frozen.sha256), (frozen.pipeline, frozen.text))
        store.see(leader, a_standing(path="moved/pipeline.yaml", manifest="another"), None)
        assert store.standings()[NIGHTLY] == a_standing(path="moved/pipeline.yaml", manifest=frozen.sha256)
        assert store.last_good(NIGHTLY) == (frozen.pipeline, frozen.text)

    def test_the_newest_good_manifest_counts(self, store: Store) -> None:
        leader = lead(store)
        for frozen in (a_frozen("extract"), a_frozen("load"), a_frozen("extract")):
            store.see(leader, a_standing(manifest=frozen.sha256), (frozen.pipeline, frozen.text))
            assert store.last_good(NIGHTLY) == (frozen.pipeline, frozen.text)

    def test_the_cursor_never_goes_back(self, store: Store) -> None:
        leader = see(store)
        store.see(leader, a_standing(cursor=NOW - DAY), None)
        assert store.standings()[NIGHTLY].cursor == NOW
        store.see(leader, a_standing(cursor=NOW + DAY), None)
        assert store.standings()[NIGHTLY].cursor == NOW + DAY

    def test_a_cursor_that_a_wrong_clock_put_ahead_is_put_back(self, store: Store) -> None:
        leader = see(store)
        store.see(leader, a_standing(cursor=NOW + 1000 * DAY), None)
        store.rewind(leader, NIGHTLY, NOW)
        assert store.standings()[NIGHTLY] == a_standing()

    def test_a_pause_is_not_the_leaders_to_set(self, store: Store) -> None:
        leader = see(store)
        store.see(leader, a_standing("weekly", paused_at=NOW, paused_by="eve", note="because"), None)
        assert store.standings()[PipelineName("weekly")] == a_standing("weekly")
        store.pause(NIGHTLY, by="ada", note="", now=NOW)
        store.see(leader, a_standing(is_removed=True), None)
        assert store.standings()[NIGHTLY] == a_standing(is_removed=True, paused_at=NOW, paused_by="ada")

    def test_of_one_never_seen_cannot_be_changed(self, store: Store) -> None:
        leader = see(store)
        weekly = PipelineName("weekly")
        for verb in (
            lambda: store.pause(weekly, by="ada", note="", now=NOW),
            lambda: store.resume(weekly, by="ada", note="", now=NOW, skip=None),
            lambda: store.fire(leader, weekly, cursor=NOW, now=NOW),
            lambda: store.rewind(leader, weekly, NOW),
        ):
            with refused(store, NotFound, match="weekly"):
                verb()
