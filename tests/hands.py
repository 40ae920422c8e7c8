"""Manifests as people write them, at random: comments, anchors, odd quotes, any indentation, any end of a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from nbflow.manifest.edit import (
    AddTask,
    Command,
    Connect,
    Disconnect,
    DuplicateTask,
    MoveTask,
    RemoveTask,
    RenameTask,
    SetPipelineKey,
    SetTaskKey,
)

NAMES = ("pull", "clean", "join", "report", "load")
Draw = st.DrawFn


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a manifest, and what it tells of: `tasks.pull.params`; empty for comments between and blank lines."""

    text: str
    owner: str = ""


def quoted(draw: Draw, text: str) -> str:
    """A text in one of the ways in which it can be written; a template always in quotes."""
    ways = [f'"{text}"', f"'{text}'"] if '"' not in text and "'" not in text else []
    if "{{" not in text:
        ways.append(text)
    return draw(st.sampled_from(ways or [f"'{text}'"]))


def comment(draw: Draw) -> str:
    return draw(st.sampled_from(["", "", " # why", "   # pull: clean, 'join'", " # é {{ x }}"]))


def depends_on(draw: Draw, ups: Sequence[str], key: str, deep: str, owner: str) -> list[Line]:
    names = [quoted(draw, up) for up in ups]
    way = draw(st.sampled_from(["brackets", "lines", "items", "level items", "bare"]))
    if way == "bare" and len(ups) == 1:
        return [Line(f"{deep}{key}: {names[0]}{comment(draw)}", owner)]
    if way == "lines":
        rows = [Line(f"{deep}  {name},{comment(draw)}", owner) for name in names]
        return [Line(f"{deep}{key}: [", owner), *rows, Line(f"{deep}]", owner)]
    if way.endswith("items"):
        inner = deep if way == "level items" else f"{deep}  "
        rows = [Line(f"{inner}- {name}{comment(draw)}", owner) for name in names]
        return [Line(f"{deep}{key}:{comment(draw)}", owner), *rows]
    return [Line(f"{deep}{key}: [{', '.join(names)}]{comment(draw)}", owner)]


def params(draw: Draw, ups: Sequence[str], key: str, deep: str, owner: str) -> list[Line]:
    values = {"n": "1", "label": quoted(draw, "no such thing"), "zero": "~"}
    if ups:
        values["rows"] = quoted(draw, f"{{{{ tasks.{ups[0]}.outputs.rows }}}}")
        values["also"] = quoted(draw, f"{{{{ tasks.{ups[0]}.state }}}} of {ups[0]}")
    chosen = draw(st.lists(st.sampled_from(sorted(values)), unique=True, min_size=1))
    if draw(st.booleans()):
        inside = ", ".join(f"{name}: {values[name]}" for name in chosen)
        return [Line(f"{deep}{key}: {{{inside}}}{comment(draw)}", owner)]
    rows = [Line(f"{deep}   {name}:  {values[name]}{comment(draw)}", owner) for name in chosen]
    return [Line(f"{deep}{key}:{comment(draw)}", owner), *rows]


def long_text(draw: Draw, ups: Sequence[str], deep: str, owner: str) -> list[Line]:
    """A condition in several lines."""
    template = [f"{{{{ tasks.{up}.outputs.rows > 0 }}}}" for up in ups[:1]] or ["{{ run_date > '2026' }}"]
    first, last = template[0].split(" > ")
    header = draw(st.sampled_from(["|", ">-", "|-  # long"]))
    return [Line(f"{deep}when: {header}", owner), Line(f"{deep}    {first}", owner), Line(f"{deep}    > {last}", owner)]


def retries(draw: Draw, key: str, deep: str, owner: str, anchored: list[str]) -> list[Line]:
    if anchored and draw(st.booleans()):
        return [Line(f"{deep}{key}: *{draw(st.sampled_from(anchored))}{comment(draw)}", f"alias {owner}")]
    name = f"a{len(anchored)}"
    anchor = draw(st.sampled_from(["", f" &{name}"]))
    if anchor:
        anchored.append(name)
    count = draw(st.integers(1, 9))
    way = draw(st.sampled_from(["number", "brackets", "lines"]))
    if way == "number":
        return [Line(f"{deep}{key}:{anchor} {count}{comment(draw)}", owner)]
    if way == "brackets":
        return [Line(f"{deep}{key}:{anchor} {{max_retries: {count}, delay: 2m}}{comment(draw)}", owner)]
    rows = [f"max_retries: {count}", "delay: 2m"]
    return [Line(f"{deep}{key}:{anchor}{comment(draw)}", owner), *(Line(f"{deep} {row}", owner) for row in rows)]


def task(draw: Draw, name: str, ups: Sequence[str], deep: str, step: str, anchored: list[str]) -> list[Line]:
    owner, inner = f"tasks.{name}", deep + step
    written = quoted(draw, name)
    if draw(st.integers(0, 4)) == 0:
        after = f", depends_on: [{', '.join(ups)}]" if ups else ""
        return [Line(f"{deep}{written}: {{notebook: {quoted(draw, 'a.ipynb')}{after}}}{comment(draw)}", owner)]
    parts: list[list[Line]] = [
        [Line(f"{inner}notebook: {quoted(draw, 'b/c.ipynb')}{comment(draw)}", f"{owner}.notebook")]
    ]
    if ups:
        parts.append(depends_on(draw, ups, quoted(draw, "depends_on"), inner, f"{owner}.depends_on"))
    makers: list[Callable[[], list[Line]]] = [
        lambda: params(draw, ups, quoted(draw, "params"), inner, f"{owner}.params"),
        lambda: retries(draw, "retries", inner, f"{owner}.retries", anchored),
        lambda: long_text(draw, ups, inner, f"{owner}.when"),
        lambda: [Line(f"{inner}timeout: {quoted(draw, '1h')}{comment(draw)}", f"{owner}.timeout")],
        lambda: [Line(f"{inner}position: [ 1,2.5 ]", f"{owner}.position")],
    ]
    parts += [make() for make in makers if draw(st.booleans())]
    lines = [Line(f"{deep}{written}:{comment(draw)}", f"{owner} head")]
    for part in parts:
        above = between(draw, inner, part[0].owner)
        lines += [*(Line(line.text, line.owner or f"{owner} between") for line in above), *part]
    return lines


def between(draw: Draw, deep: str, owner: str) -> list[Line]:
    """What stands above an entry: a comment right above it is its own."""
    about = Line(f"{deep}# about: this", owner)
    return draw(st.sampled_from([[], [], [], [Line("")], [about], [Line("# far out"), Line("  ")]]))


@st.composite
def manifests(draw: Draw) -> tuple[list[Line], str, str]:
    """The lines, what ends each but the last, and what ends the last one."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=5))
    step, anchored = draw(st.sampled_from(["  ", "   ", "    "])), list[str]()
    lines = draw(st.sampled_from([[], [Line("---")], [Line("# head"), Line("")], [Line("%YAML 1.2"), Line("---")]]))
    lines = [*lines, Line(f"name: {quoted(draw, 'orders')}{comment(draw)}", "name")]
    if draw(st.booleans()):
        lines += [*between(draw, "", "owner"), Line(f"owner: {quoted(draw, 'the team')}{comment(draw)}", "owner")]
    if draw(st.booleans()):
        lines += [
            Line("description: |"),
            Line("  Orders.", "description"),
            Line(""),
            Line("  # none", "description"),
            Line(""),
        ]
    lines += [*between(draw, "", "tasks"), Line(f"tasks:{comment(draw)}", "tasks")]
    for at, name in enumerate(names):
        ups = draw(st.lists(st.sampled_from(names[:at]), unique=True, max_size=3)) if at else []
        lines += [
            *between(draw, step, f"tasks.{name} head"),
            *task(draw, name, ups, step, draw(st.sampled_from([step, "  "])), anchored),
        ]
    lines += between(draw, "", "max_active_runs")
    if draw(st.booleans()):
        lines.append(Line(f"max_active_runs: 2{comment(draw)}", "max_active_runs"))
    ending = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return lines, ending, draw(st.sampled_from([ending, ""]))


def text_of(manifest: tuple[list[Line], str, str]) -> str:
    lines, ending, last = manifest
    return ending.join(line.text for line in lines) + last


# --- what people do to them ---

names = st.sampled_from((*NAMES, "tidy", "report_2"))
positions = st.tuples(st.integers(-99, 99), st.floats(-1e6, 1e6))
settings_of_a_task = st.sampled_from(
    [("timeout", "2h"), ("timeout", None), ("timeout", "soon"), ("priority", 3), ("priority", None), ("pool", "a: b"),
     ("retries.max_retries", 5), ("params.label", "it's \"so\"\n- 'x'"), ("params.new", [1, None, {"a": 1.5}])]
)  # fmt: skip
settings_of_all = st.sampled_from([("owner", "me # you"), ("owner", None), ("max_active_runs", 3), ("owner", 5)])
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(AddTask, names, st.just("new.ipynb"), st.lists(names, max_size=2).map(tuple), st.none() | positions),
    st.builds(RemoveTask, names),
    st.builds(RenameTask, names, names),
    st.builds(DuplicateTask, names, names, st.none() | positions),
    st.builds(Connect, names, names),
    st.builds(Disconnect, names, names),
    st.builds(MoveTask, names, positions),
    st.tuples(names, settings_of_a_task).map(lambda drawn: SetTaskKey(drawn[0], *drawn[1])),
    settings_of_all.map(lambda drawn: SetPipelineKey(*drawn)),
)
