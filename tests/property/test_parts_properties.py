"""A document read in parts is the one that is read as a whole, or it is read as a whole."""

from __future__ import annotations

from hands import Line, manifests, text_of
from hypothesis import example, given
from hypothesis import strategies as st

from nbflow.manifest import document, parts

Manifest = tuple[list[Line], str, str]

scraps = st.text("\n\r\t :-#'\"[]{}&*!|>?%,a.…\u2028\ufeff", max_size=4)
lines = st.lists(
    st.sampled_from([
        "name: x", "tasks:", "tasks: # all", "  a:", "    notebook: x.ipynb", "  b: {notebook: y}", "  c: |",
        "  d: 'it", "  e: \"x", "    x: &n 1", "    y: *n", "   f:", "  g: [", "  ]", "  h: >+", "", "  ",
        "# no", "    # yes", "...",
        "---", "owner: me", "owner: me", "  a: 1", " z: 2", "    - 1", "  ? q", "  : r", "k: 'x", "l: y'", "    plain",
        "  \"i\": 1", "%YAML 1.2", "    w: {a: 1,", "  j: 2}", "    v: !!str 1", "\tx: 1",
    ]),
    max_size=14,
)  # fmt: skip


def check(text: str) -> None:
    wrong: list[str] = []
    whole = document.read(text, lambda place, message, hint: wrong.append(message))
    found = parts._in_parts(text)
    assert found is None or (found == whole and not wrong), text


@given(manifests())
def test_ordinary_manifests(manifest: Manifest) -> None:
    check(text_of(manifest))


@given(manifests(), st.lists(st.tuples(st.integers(0, 600), st.integers(0, 9), scraps), max_size=3))
def test_damaged_manifests(manifest: Manifest, damages: list[tuple[int, int, str]]) -> None:
    text = text_of(manifest)
    for at, gone, scrap in damages:
        text = text[:at] + scrap + text[at + gone :]
    check(text)


@given(lines, st.sampled_from(["\n", "\r\n"]))
@example(["tasks:", "  a: {}", "...", "  b: {}"], "\n")
@example(["tasks:", "  a: {}", "tasks:", "  b: {}"], "\n")
@example(["tasks:", "  a: 1", "  a: 1"], "\n")
def test_what_nobody_writes(written: list[str], ending: str) -> None:
    check(ending.join(["tasks:", "  a: 1", *written]))
    check(ending.join(written))


def test_ordinary_manifests_are_read_in_parts() -> None:
    head = "# all\nname: x\n\ntasks:   # these\n\n  # first\n  a:\n    notebook: a.ipynb\n\n"
    text = f"{head}  b: {{notebook: b.ipynb}}\nowner: me\n"
    for each in (text, text.replace("\n", "\r\n"), text.removesuffix("owner: me\n").rstrip()):
        assert parts._in_parts(each) is not None
        check(each)


def test_an_edit_reads_only_what_it_changed() -> None:
    text = "name: x\ntasks:\n" + "".join(f"  t{at}:\n    notebook: edit_{at}.ipynb\n" for at in range(50))
    parts.read(text, lambda *_: None)
    before = parts._part.cache_info().misses
    parts.read(text.replace("edit_7.", "edited_7."), lambda *_: None)
    assert parts._part.cache_info().misses == before + 1
