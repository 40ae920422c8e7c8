"""Edits of a manifest's text by example: what each command writes, in whatever hand, and what it refuses."""

from __future__ import annotations

from difflib import ndiff

import pytest

from nbflow.errors import Conflict, InvalidInput, NbflowError, NotFound
from nbflow.manifest import parse
from nbflow.manifest.edit import (
    AddTask,
    Command,
    Connect,
    Disconnect,
    DuplicateTask,
    History,
    MoveTask,
    RemoveTask,
    RenameTask,
    SetPipelineKey,
    SetTaskKey,
    apply,
)
from nbflow.manifest.edit.edit import apply_all

HAND = """\
---
# Orders of the night.
name: p   # its name
schedule: "0 2 * * *"

defaults:
    retries: &slow {max_retries: 3, delay: 2m}  # slow

tasks:
    # From the shop.
    pull:
        notebook: pull.ipynb   # nb
        # timeout: 1h

    'clean':
        notebook: "clean.ipynb"
        depends_on: pull # why
        retries: *slow
        params: {x: "{{ tasks.pull.outputs.x }}",   y: 2}   # see

    join:
        notebook: join.ipynb
        depends_on:
            - clean   # one
            # because of x
            - "pull"
        when: >-
            {{ tasks.pull.outputs.x > 1
               and tasks['clean'].state }}
        retries: *slow
# end"""

EDITS = [
    (
        AddTask("new", "n.ipynb", ("join", "pull"), (1, 2.5)),
        [
            "+",
            "+    new:",
            "+        notebook: n.ipynb",
            "+        depends_on:",
            "+            - join",
            "+            - pull",
            "+        position: [1, 2.5]",
        ],
    ),
    (
        RemoveTask("join"),
        [
            "-",
            "-    join:",
            "-        notebook: join.ipynb",
            "-        depends_on:",
            "-            - clean   # one",
            "-            # because of x",
            '-            - "pull"',
            "-        when: >-",
            "-            {{ tasks.pull.outputs.x > 1",
            "-               and tasks['clean'].state }}",
            "-        retries: *slow",
        ],
    ),
    (
        RenameTask("pull", "fetch"),
        [
            "-    pull:",
            "+    fetch:",
            "-        depends_on: pull # why",
            "+        depends_on: fetch # why",
            '-        params: {x: "{{ tasks.pull.outputs.x }}",   y: 2}   # see',
            '+        params: {x: "{{ tasks.fetch.outputs.x }}",   y: 2}   # see',
            '-            - "pull"',
            '+            - "fetch"',
            "-            {{ tasks.pull.outputs.x > 1",
            "+            {{ tasks.fetch.outputs.x > 1",
        ],
    ),
    (
        RenameTask("clean", "tidy"),
        [
            "-    'clean':",
            "+    'tidy':",
            "-            - clean   # one",
            "+            - tidy   # one",
            "-               and tasks['clean'].state }}",
            "+               and tasks['tidy'].state }}",
        ],
    ),
    (Disconnect("pull", "join"), ["-            # because of x", '-            - "pull"']),
    (Connect("pull", "clean"), []),
    (Disconnect("join", "pull"), []),
    (MoveTask("clean", (10, 20)), ["+        position: [10, 20]"]),
    (
        DuplicateTask("pull", "pull_2", (3, 4)),
        ["+", "+    pull_2:", "+        notebook: pull.ipynb", "+        position: [3, 4]"],
    ),
    (
        SetTaskKey("join", "retries.delay", "5m"),
        ["-        retries: *slow", "+        retries: {max_retries: 3, delay: 5m}"],
    ),
    (
        SetTaskKey("clean", "params.z", [1, {"a": "no: 1"}]),
        [
            '-        params: {x: "{{ tasks.pull.outputs.x }}",   y: 2}   # see',
            '+        params: {x: "{{ tasks.pull.outputs.x }}",   y: 2, z: [1, {a: "no: 1"}]}   # see',
        ],
    ),
    (SetTaskKey("pull", "timeout", "1h"), ["+        timeout: 1h"]),
    (SetTaskKey("pull", "timeout", None), []),
    (
        SetTaskKey("clean", "notebook", "tidy.ipynb"),
        ['-        notebook: "clean.ipynb"', '+        notebook: "tidy.ipynb"'],
    ),
    (
        SetTaskKey("join", "depends_on", "clean"),
        [
            "-        depends_on:",
            "-            - clean   # one",
            "-            # because of x",
            '-            - "pull"',
            "+        depends_on: clean",
        ],
    ),
    (SetPipelineKey("owner", "me"), ["+owner: me"]),
    (SetPipelineKey("name", "q"), ["-name: p   # its name", "+name: q   # its name"]),
    (
        SetPipelineKey("schedule.timezone", "Europe/Berlin"),
        ['-schedule: "0 2 * * *"', "+schedule:", '+    cron: "0 2 * * *"', "+    timezone: Europe/Berlin"],
    ),
    (SetPipelineKey("alerts", {"on_failure": ["ops"]}), ["+", "+alerts:", "+    on_failure: [ops]"]),
    (
        SetPipelineKey("defaults.retries.delay", "9m"),
        [
            "-    retries: &slow {max_retries: 3, delay: 2m}  # slow",
            "+    retries: &slow {max_retries: 3, delay: 9m}  # slow",
            "-        retries: *slow",
            "+        retries: &slow {max_retries: 3, delay: 2m}",
        ],
    ),
]


def changed_lines(before: str, after: str) -> list[str]:
    return [line[0] + line[2:] for line in ndiff(before.split("\n"), after.split("\n")) if line[0] in "+-"]


@pytest.mark.parametrize(("command", "lines"), EDITS, ids=lambda value: str(value)[:60])
def test_only_its_own_lines_change(command: Command, lines: list[str]) -> None:
    after = apply(HAND, command)
    assert sorted(changed_lines(HAND, after)) == sorted(lines)
    assert parse(after)
    assert apply(after, command) == after


A = "name: p\ntasks:\n  a: {notebook: a.ipynb}\n"
FORMS = {
    "tasks without a value": (
        "name: p\ntasks:   # none yet\n# end\n",
        AddTask("a", "a.ipynb"),
        "name: p\ntasks:   # none yet\n  a:\n    notebook: a.ipynb\n# end\n",
    ),
    "an empty mapping": (
        "name: p\ntasks: {}  # none yet",
        AddTask("a", "a.ipynb"),
        "name: p\ntasks:  # none yet\n  a:\n    notebook: a.ipynb",
    ),
    "a notebook that lies elsewhere": (
        "name: p\n",
        AddTask("a", "../../x/a.ipynb"),
        'name: p\ntasks:\n  a:\n    notebook: "../../x/a.ipynb"\n',
    ),
    "no tasks at all": ("name: p", AddTask("a", "a.ipynb"), "name: p\ntasks:\n  a:\n    notebook: a.ipynb"),
    "an end of the document": (
        "name: p\ntasks:\n  a: {notebook: a.ipynb}\n...\n",
        AddTask("b", "b.ipynb"),
        "name: p\ntasks:\n  a: {notebook: a.ipynb}\n  b: {notebook: b.ipynb}\n...\n",
    ),
    "a byte order mark": ("\ufeffname: p\ntasks:", SetPipelineKey("owner", "é"), '\ufeffname: p\nowner: "é"\ntasks:'),
    "CRLF": (
        "name: p\r\ntasks:\r\n  a:\r\n    notebook: a.ipynb\r\n",
        AddTask("b", "b.ipynb", ("a",)),
        "name: p\r\ntasks:\r\n  a:\r\n    notebook: a.ipynb\r\n"
        "  b:\r\n    notebook: b.ipynb\r\n    depends_on: [a]\r\n",
    ),
    "CRLF without a last one": (
        "name: p\r\ntasks:\r\n  a: {notebook: a.ipynb}\r\n  b: {notebook: b.ipynb}",
        RemoveTask("b"),
        "name: p\r\ntasks:\r\n  a: {notebook: a.ipynb}",
    ),
    "a document in brackets": (
        "{name: p, tasks: {a: {notebook: a.ipynb}}}",
        AddTask("b", "b.ipynb", ("a",)),
        "{name: p, tasks: {a: {notebook: a.ipynb}, b: {notebook: b.ipynb, depends_on: [a]}}}",
    ),
    "JSON": (
        '{"name": "p", "tasks": {"a": {"notebook": "a.ipynb"}, "b": {"notebook": "b.ipynb"}}}',
        RenameTask("a", "c"),
        '{"name": "p", "tasks": {"c": {"notebook": "a.ipynb"}, "b": {"notebook": "b.ipynb"}}}',
    ),
    "the first in brackets": (
        "name: p\ntasks: {a: {notebook: a.ipynb}, b: {notebook: b.ipynb}}\n",
        RemoveTask("a"),
        "name: p\ntasks: {b: {notebook: b.ipynb}}\n",
    ),
    "brackets with a line each": (
        A + "  b: {notebook: b.ipynb}\n  c:\n    notebook: c.ipynb\n    depends_on: [\n      a # one\n    ]\n",
        Connect("b", "c"),
        A + "  b: {notebook: b.ipynb}\n  c:\n    notebook: c.ipynb\n"
        "    depends_on: [\n      a, # one\n      b\n    ]\n",
    ),
    "brackets with a line each, one less": (
        A + "  b: {notebook: b.ipynb}\n  c:\n    notebook: c.ipynb\n"
        "    depends_on: [\n      a, # one\n      b, # two\n    ]\n",
        Disconnect("b", "c"),
        A + "  b: {notebook: b.ipynb}\n  c:\n    notebook: c.ipynb\n    depends_on: [\n      a, # one\n    ]\n",
    ),
    "a list as deep as its key": (
        A + "  b:\n    notebook: b.ipynb\n    depends_on:\n    - a\n  c:\n    notebook: c.ipynb\n",
        Connect("a", "c"),
        A + "  b:\n    notebook: b.ipynb\n    depends_on:\n    - a\n"
        "  c:\n    notebook: c.ipynb\n    depends_on:\n    - a\n",
    ),
    "one name grows to a list": (
        A + "  b: {notebook: b.ipynb}\n  c: {notebook: c.ipynb, depends_on: 'a'} # c\n",
        Connect("b", "c"),
        A + "  b: {notebook: b.ipynb}\n  c: {notebook: c.ipynb, depends_on: [a, b]} # c\n",
    ),
    "the habit of one name": (
        A + "  b: {notebook: b.ipynb, depends_on: a}\n  c: {notebook: c.ipynb}\n",
        Connect("b", "c"),
        A + "  b: {notebook: b.ipynb, depends_on: a}\n  c: {notebook: c.ipynb, depends_on: b}\n",
    ),
    "the last upstream": (
        A + "  b:\n    notebook: b.ipynb\n    depends_on: [a] # why\n    pool: x\n",
        Disconnect("a", "b"),
        A + "  b:\n    notebook: b.ipynb\n    pool: x\n",
    ),
    "the first of several, set apart": (
        "name: p\ntasks:\n\n  # one\n  a:\n    notebook: a.ipynb\n\n  # two\n  b:\n    notebook: b.ipynb\n",
        RemoveTask("a"),
        "name: p\ntasks:\n\n  # two\n  b:\n    notebook: b.ipynb\n",
    ),
    "an anchor that others use": (
        "name: p\ntasks:\n  a: {notebook: a.ipynb, env: &e {X: 'no'}}\n  b: {notebook: b.ipynb, env: *e}\n"
        "  c: {notebook: c.ipynb, env: *e}\n",
        RemoveTask("a"),
        "name: p\ntasks:\n  b: {notebook: b.ipynb, env: &e {X: no}}\n  c: {notebook: c.ipynb, env: *e}\n",
    ),
    "an anchor above a block": (
        "name: p\ntasks:\n  a: &a # a\n    notebook: a.ipynb\n  b: *a\n",
        SetTaskKey("b", "pool", "x"),
        "name: p\ntasks:\n  a: &a # a\n    notebook: a.ipynb\n  b:\n    notebook: a.ipynb\n    pool: x\n",
    ),
    "an anchored name": (
        "name: p\ntasks:\n  a: {notebook: a.ipynb}\n  b: {notebook: b.ipynb, depends_on: &up a}\n"
        "  c: {notebook: c.ipynb, depends_on: *up}\n",
        RenameTask("a", "z"),
        "name: p\ntasks:\n  z: {notebook: a.ipynb}\n  b: {notebook: b.ipynb, depends_on: &up z}\n"
        "  c: {notebook: c.ipynb, depends_on: *up}\n",
    ),
    "a text of several lines": (
        "name: p\ndescription: |\n  One.\n\n  Two.\n\ntasks:\n  a: {notebook: a.ipynb}\n",
        SetPipelineKey("description", "Three: four"),
        'name: p\ndescription: "Three: four"\n\ntasks:\n  a: {notebook: a.ipynb}\n',
    ),
    "quotes are kept": (
        "name: p\nowner: 'it''s me'\n" + A[8:],
        SetPipelineKey("owner", "that's him"),
        "name: p\nowner: 'that''s him'\n" + A[8:],
    ),
    "what YAML cannot print": (
        A + "owner: x\n",
        SetPipelineKey("owner", "a\x07\u2028\U0001f600"),
        A + 'owner: "a\\u0007\\u2028\U0001f600"\n',
    ),
    "a key in two lines": (
        A + "? owner\n: me # me\n",
        SetPipelineKey("owner", "you"),
        A + "? owner\n: you # me\n",
    ),
    "a block becomes a word": (
        "name: p\nschedule: # when\n  # at two\n  cron: 0 2 * * *\n" + A[8:],
        SetPipelineKey("schedule", "@daily"),
        'name: p\nschedule: "@daily" # when\n' + A[8:],
    ),
    "a mapping within a list": (
        "name: p\nparams:\n  x:\n    default:\n      - b: 1\n        c: 2\n      - 3 # three\n" + A[8:],
        SetPipelineKey("params.x.default", [{"c": 2}, 3]),
        "name: p\nparams:\n  x:\n    default:\n      - {c: 2}\n      - 3 # three\n" + A[8:],
    ),
    "a mapping that loses its last key": (
        "name: p\nkeep:\n  count: 3\n" + A[8:],
        SetPipelineKey("keep.count", None),
        A,
    ),
}


@pytest.mark.parametrize(("before", "command", "after"), FORMS.values(), ids=FORMS)
def test_every_form_of_yaml(before: str, command: Command, after: str) -> None:
    assert apply(before, command) == after
    assert apply(after, command) == after


CHAIN = (
    A
    + "  b: {notebook: b.ipynb, depends_on: a}\n  c: {notebook: c.ipynb, depends_on: b, when: '{{ tasks.b.state }}'}\n"
)
REFUSALS = [
    (CHAIN, Connect("c", "a"), InvalidInput, "cycle: a → b → c → a"),
    (CHAIN, Connect("a", "a"), InvalidInput, "task 'a' depends on itself"),
    (CHAIN, Connect("d", "a"), NotFound, "there is no task 'd'. There are: a, b, c."),
    (CHAIN, Disconnect("a", "d"), NotFound, "there is no task 'd'"),
    (CHAIN, Disconnect("b", "c"), InvalidInput, "which is not upstream of 'c'"),
    (CHAIN, RemoveTask("b"), InvalidInput, "refers to task 'b', which does not exist"),
    (A, RemoveTask("a"), InvalidInput, "a pipeline needs at least one task"),
    (CHAIN, RenameTask("d", "e"), NotFound, "there is no task 'd'"),
    (CHAIN, RenameTask("a", "b"), Conflict, "there is already a task 'b'. Choose another name."),
    (CHAIN, RenameTask("a", "A"), InvalidInput, "'A' cannot be the name of a task"),
    (CHAIN, AddTask("a", "other.ipynb"), Conflict, "there is already a task 'a'"),
    (CHAIN, AddTask("d", "d.ipynb", ("e",)), NotFound, "there is no task 'e'"),
    (CHAIN, AddTask("d", "d.txt"), InvalidInput, "'d.txt' is no notebook"),
    (CHAIN, DuplicateTask("a", "b"), Conflict, "there is already a task 'b'"),
    (CHAIN, MoveTask("a", (float("nan"), 0)), InvalidInput, "position must be a value of JSON, not nan"),
    (CHAIN, SetTaskKey("a", "timeout", "soon"), InvalidInput, "tasks.a.timeout must be a duration"),
    (CHAIN, SetTaskKey("a", "timout", "1h"), InvalidInput, "unknown key 'timout' in tasks.a. Did you mean 'timeout'?"),
    (CHAIN, SetTaskKey("a", "notebook.x", 1), InvalidInput, "tasks.a.notebook is no mapping, but the text 'a.ipynb'"),
    (CHAIN, SetPipelineKey("owner", {1, 2}), InvalidInput, "owner must be a value of JSON"),
    (A + "  a: {}\n", MoveTask("a", (0, 0)), InvalidInput, "line 4, column 3: the key 'a' is here twice"),
    (A + "  b: *a\n", MoveTask("a", (0, 0)), InvalidInput, "the alias '*a' has no anchor"),
    (A + "  b: {<<: {}}\n", MoveTask("a", (0, 0)), InvalidInput, "YAML 1.2 has no merge key '<<'"),
    (A + "\tb: 1\n", MoveTask("a", (0, 0)), InvalidInput, "not valid YAML"),
    ("", AddTask("a", "a.ipynb"), InvalidInput, "the file is empty"),
    ("- a", AddTask("a", "a.ipynb"), InvalidInput, "the manifest must be a mapping"),
    ("name: p\ntasks: [a]", AddTask("a", "a.ipynb"), InvalidInput, "tasks must be a mapping"),
    ("name: p\ntasks: {a: 1}", MoveTask("a", (0, 0)), InvalidInput, "tasks.a must be a mapping"),
]


@pytest.mark.parametrize(("text", "command", "error", "reason"), REFUSALS, ids=lambda value: str(value)[-50:])
def test_what_cannot_be_is_refused_with_a_reason_and_a_place(
    text: str, command: Command, error: type[NbflowError], reason: str
) -> None:
    with pytest.raises(error) as refused:
        apply(text, command)
    assert reason in str(refused.value)
    assert refused.value.where


def test_what_is_wrong_already_can_still_be_edited_and_mended() -> None:
    broken = A + "  b: {notebook: b.ipynb, depends_on: c, timeout: soon}\n"
    moved = apply(broken, MoveTask("a", (1, 2)))
    assert moved == broken.replace("{notebook: a.ipynb}", "{notebook: a.ipynb, position: [1, 2]}")
    mended = apply(apply(moved, AddTask("c", "c.ipynb")), SetTaskKey("b", "timeout", "1h"))
    assert parse(mended).tasks.keys() == {"a", "b", "c"}


def test_a_name_that_only_looks_like_the_task_is_not_renamed() -> None:
    other = """{notebook: b.ipynb, depends_on: a, params: {a: a, x: "tasks.a {{ params.a }} {{ 'tasks.a' }}"}}\n"""
    text = A.replace("tasks:", "params: {a: {default: 1}}\ntasks:") + f"  b: {other}"
    assert apply(text, RenameTask("a", "z")) == text.replace("  a:", "  z:").replace("on: a", "on: z")


def test_history_goes_back_and_forth_and_forgets_what_was_undone_when_something_else_is_done() -> None:
    start = History(CHAIN)
    moved = start.do(MoveTask("a", (1, 2)))
    renamed = moved.do(RenameTask("a", "z"))
    assert renamed.undo().text == moved.text
    assert renamed.undo().undo() == History(CHAIN, (), renamed.undo().undo().undone)
    assert renamed.undo().undo().undo().text == CHAIN
    assert renamed.undo().undo().redo().redo() == renamed
    assert renamed.redo() is renamed
    assert renamed.do(MoveTask("z", (1, 2))) is renamed
    other = renamed.undo().write(CHAIN + "# by hand\n")
    assert other.undone == ()
    assert other.undo().text == moved.text


def test_tasks_that_tell_of_each_other_are_taken_out_together() -> None:
    text = """\
name: p
tasks:
  pull: {notebook: a.ipynb}
  # Cleans.
  clean: {notebook: a.ipynb, depends_on: pull, params: {n: "{{ tasks.pull.outputs.rows }}"}}
  load: {notebook: a.ipynb}
"""
    with pytest.raises(InvalidInput, match="refers to task 'pull', which does not exist"):
        apply_all(text, [RemoveTask("pull")])
    assert (
        apply_all(text, [RemoveTask("pull"), RemoveTask("clean")])
        == """\
name: p
tasks:
  load: {notebook: a.ipynb}
"""
    )
    with pytest.raises(InvalidInput, match="a pipeline needs at least one task"):
        apply_all(text, [RemoveTask(name) for name in ("pull", "clean", "load")])
