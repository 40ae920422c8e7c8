"""Files and tables found in the text of notebooks, and the edges that are missing between them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from making import write_manifest, write_notebook
from nbformat.v4 import new_code_cell, new_notebook

from nbflow.manifest import Surroundings, check
from nbflow.manifest.touching import Touches
from nbflow.notebooks.inspect import read
from nbflow.notebooks.touches import touches
from nbflow.settings import Settings
from nbflow.workspace import FolderWorkspace

EXAMPLES = Path(__file__).parents[2] / "notebooks"
PARAMETERS = 'day = "2026-04-01"\nfile = f"{day}.csv"\nsource: str = "data/in.csv"\nn = 3\nisnt = None'
ORDERS_TABLE = "the table orders"
TEMPLATE = "{{ run_date }}"

FOUND: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ('pd.read_csv("a.csv")', {}, ["a.csv"], []),
    ('df.to_parquet("./x/../a.parquet", index=False)', {}, [], ["a.parquet"]),
    ('df.to_csv(path_or_buf="a.csv"); pl.scan_parquet(source="b.parquet")', {}, ["b.parquet"], ["a.csv"]),
    ("pd.read_csv(source)", {}, ["data/in.csv"], []),
    ("pd.read_csv(source)", {"source": "b.csv"}, ["b.csv"], []),
    ("pd.read_csv(isnt)", {}, [], []),
    ("pd.read_csv(file)", {"day": "x"}, ["2026-04-01.csv"], []),  # set before the task's value comes in
    ("pd.read_csv(new)", {"new": "b.csv"}, ["b.csv"], []),
    ('new = "c.csv"\npd.read_csv(new)', {"new": "b.csv"}, ["c.csv"], []),
    ("new = f()\npd.read_csv(new)", {"new": "b.csv"}, [], []),
    ("pd.read_csv(source)", {"source": ["b.csv"]}, [], []),
    ('pd.read_csv(f"data/{day}/{n}.csv")', {}, ["data/2026-04-01/3.csv"], []),
    ('pd.read_csv(f"data/{day}/x.csv")', {"day": TEMPLATE}, ["data/{{ run_date }}/x.csv"], []),
    ('pd.read_csv(f"data/{day:>5}.csv")', {}, [], []),
    ('folder = Path("data"); df.to_csv(folder / f"{day}.csv")', {}, [], ["data/2026-04-01.csv"]),
    ('df.to_csv(os.path.join("data", day))', {}, [], ["data/2026-04-01"]),
    ('df.to_csv(Path(source).with_name("out.csv"))', {}, [], ["data/out.csv"]),
    ('df.to_csv(Path(source).with_name("out.csv"))', {"source": TEMPLATE}, [], []),
    ('df.to_csv(Path(source).parent / "out.csv")', {}, [], ["data/out.csv"]),
    ('open("a.txt"); open("b.txt", "wb"); open("c.txt", mode="a")', {}, ["a.txt", "c.txt"], ["b.txt", "c.txt"]),
    ('open("a.txt", how); open(3)', {}, [], []),
    ('p = Path("a.txt")\nwith p.open("w") as f: pass', {}, [], ["a.txt"]),
    ('with whole_file("a.csv") as part:\n    df.to_csv(part)\n    df.to_csv("b.csv")', {}, [], ["a.csv", "b.csv"]),
    ('with f("a.csv") as x, f(source) as y:\n    df.to_csv(y); pd.read_csv(x)\ndf.to_csv(x)', {}, [], ["data/in.csv"]),
    ('with open("a.csv", "w") as file:\n    df.to_csv(file)', {}, [], ["a.csv"]),
    ('Path("a.txt").read_text(); Path("b.txt").write_bytes(b"")', {}, ["a.txt"], ["b.txt"]),
    ('def f():\n    pd.read_csv("s3://bucket//a.csv")', {}, ["s3://bucket//a.csv"], []),
    ('df.to_sql("orders", db); pd.read_sql_table("raw", db, schema="x")', {}, ["the table x.raw"], [ORDERS_TABLE]),
    ('name = "a.csv"\nname = "b.csv"\npd.read_csv(name)', {}, [], []),
    ('for name in names: pd.read_csv(name)', {}, [], []),
    ('name = "a.csv"\ndef f(name): pd.read_csv(name)', {}, [], []),
    ('import os\nos.chdir("..")\npd.read_csv("a.csv")', {}, [], []),
    ('%cd ..\npd.read_csv("a.csv")', {}, [], []),
    ('%matplotlib inline\npd.read_csv("a.csv")', {}, ["a.csv"], []),
    ('pd.to_datetime("2026"); df.to_frame("x"); web.open("a.html")', {}, [], []),
    ("this is no Python", {}, [], []),
]  # fmt: skip


@pytest.mark.parametrize(("code", "given", "reads", "writes"), FOUND)
def test_only_what_the_text_says_for_sure_is_found(
    code: str, given: dict[str, Any], reads: list[str], writes: list[str]
) -> None:
    cells = [new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), new_code_cell(code)]
    assert touches(new_notebook(cells=cells), given) == Touches(frozenset(reads), frozenset(writes))


def test_without_a_cell_for_them_parameters_come_first() -> None:
    notebook = new_notebook(cells=[new_code_cell('pd.read_csv(a); b = "b.csv"; pd.read_csv(b)')])
    assert touches(notebook, {"a": "x.csv", "b": "x.csv"}).reads == {"x.csv", "b.csv"}


def test_paths_begin_at_the_folder_of_the_notebook() -> None:
    notebook = new_notebook(cells=[new_code_cell('pd.read_csv("../data/a.csv"); pd.read_csv("/tmp/b.csv")')])
    assert touches(notebook, {}, "sub").reads == {"data/a.csv", "/tmp/b.csv"}


ORDERS: dict[str, tuple[dict[str, str], set[str], bool]] = {
    "no edge": ({"join": ""}, {"clean"}, True),
    "another edge": ({"join": "other"}, {"clean"}, True),
    "the edge": ({"join": "clean"}, {"clean"}, False),
    "an edge over another task": ({"join": "other", "other": "clean"}, {"clean"}, False),
    "the edge the other way": ({"clean": "join"}, {"clean"}, False),
    "it writes it, too": ({"join": ""}, {"clean", "join"}, False),
    "another writes it, too": ({"join": ""}, {"clean", "other"}, False),
}


@pytest.mark.parametrize(("ups", "writers", "is_warned"), ORDERS.values(), ids=ORDERS)
def test_a_missing_edge_is_a_warning_with_its_reason(
    ups: dict[str, str], writers: set[str], *, is_warned: bool
) -> None:
    def find(notebook: str, _: Any) -> Touches:
        task, path = notebook.removesuffix(".ipynb"), frozenset({"data/clean.parquet"})
        return Touches(path if task == "join" else frozenset(), path if task in writers else frozenset())

    lines = [
        f"  {up}: {{notebook: {up}.ipynb, depends_on: [{ups.get(up, '')}]}}\n" for up in ("clean", "join", "other")
    ]
    pipeline, problems = check(f"name: p\ntasks:\n{''.join(lines)}", around=Surroundings(touches=find))
    assert pipeline is not None
    assert [problem.severity for problem in problems] == ["warning"] * is_warned
    if is_warned:
        place = f"pipeline.yaml:4:{lines[1].index('depends_on') + 1}"
        reason = "'join' reads data/clean.parquet, which 'clean' writes, but does not run after it"
        assert str(problems[0]) == f"{place}: {reason}. Add 'clean' to the depends_on of 'join'."


def test_a_project_is_warned_of_the_notebooks_as_they_are(tmp_path: Path) -> None:
    write_notebook(tmp_path / "sub" / "clean.ipynb", 'df.to_parquet(f"../data/{day}.parquet")', parameters='day = "x"')
    write_notebook(tmp_path / "join.ipynb", 'pd.read_parquet("data/monday.parquet")')
    text = "name: p\ntasks:\n  join: {notebook: join.ipynb}\n  clean: {notebook: sub/clean.ipynb, params: {day: %s}}\n"
    for day, count in (("monday", 1), ("sunday", 0)):
        path = write_manifest(tmp_path, text % day)
        found = FolderWorkspace(tmp_path, Settings(), kernels={"python3"}).load(str(path), thorough=True)
        assert found.pipeline is not None
        assert [problem.severity for problem in found.problems] == ["warning"] * count


@pytest.mark.parametrize("manifest", sorted(EXAMPLES.glob("*/pipeline.yaml")), ids=lambda path: path.parent.name)
def test_the_examples_read_what_runs_before_them(manifest: Path) -> None:
    def find(notebook: str, given: Any) -> Touches:
        path = manifest.parent / notebook
        return touches(read(path), given, Path(os.path.relpath(path.parent, manifest.parent)).as_posix())

    pipeline, problems = check(manifest.read_text(), around=Surroundings(touches=find))
    assert pipeline is not None
    assert problems == []


def test_the_default_of_an_example_is_found() -> None:
    found = touches(read(EXAMPLES / "black_friday" / "join.ipynb"), {})
    assert "data/2026-11-28/sales.parquet" in found.reads
