from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nbflow.errors import InvalidInput, NotFound
from nbflow.model import Param
from nbflow.notebooks.inspect import inspect
from nbflow.ports import Signature


def notebook(*sources: str, tag: int | None = 0, metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    """Code cells, one of them tagged `parameters`."""
    cells = [
        {
            "cell_type": "code",
            "source": source,
            "metadata": {"tags": ["parameters"]} if number == tag else {},
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(sources)
    ]
    return {"nbformat": 4, "nbformat_minor": 4, "metadata": metadata or {}, "cells": cells}


def params(source: str) -> tuple[Param, ...]:
    found = inspect(notebook(source))
    assert found.params is not None
    return found.params


R = {"kernelspec": {"name": "ir", "language": "R", "display_name": "R"}}

# --- what a parameters cell declares --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "param"),
    [
        ("region = 'all'", Param(name="region", default="all")),
        ("region: str", Param(name="region", type="str", is_required=True)),
        ("region: str = 'all'  # which", Param(name="region", type="str", default="all", description="which")),
        ("n: int | None = None", Param(name="n", type="int | None")),
        ("n: Optional[int] = 5", Param(name="n", type="Optional[int]", default=5)),
        ('mode: Literal["a", "b"] = "a"', Param(name="mode", type="Literal['a', 'b']", default="a")),
        ("day: date = '2026-04-01'", Param(name="day", type="date", default="2026-04-01")),
        ("day: datetime.date", Param(name="day", type="datetime.date", is_required=True)),
        ("at: dt.datetime = dt.datetime.now()", Param(name="at", type="dt.datetime", default_text="dt.datetime.now()")),
        ("names: list[str] = ['a', 'b']", Param(name="names", type="list[str]", default=["a", "b"])),
        ("names: 'list[str]' = []", Param(name="names", type="list[str]", default=[])),
        ("t: dict[str, list[int]] = {'a': [1]}", Param(name="t", type="dict[str, list[int]]", default={"a": [1]})),
        ("rate = 3  # type: float  a rate", Param(name="rate", type="float", default=3, description="a rate")),
        ("rate = 3  # type: ignore", Param(name="rate", default=3)),
        ("rate = 3  # noqa: E501", Param(name="rate", default=3)),
        ("text = 'a # b = c'", Param(name="text", default="a # b = c")),
        ("text = 'a' 'b'", Param(name="text", default="ab")),
        ("n = -1_000", Param(name="n", default=-1000)),
        ("t = (1, 2)", Param(name="t", default=[1, 2])),
        ("flag = True", Param(name="flag", default=True)),
        ("keys = {1: 'a'}", Param(name="keys", default_text="{1: 'a'}")),
        ("members = {1, 2}", Param(name="members", default_text="{1, 2}")),
        ("raw = b'x'", Param(name="raw", default_text="b'x'")),
        ("big = 1e999", Param(name="big", default_text="1e999")),
        ("total = 60 * 60", Param(name="total", default_text="60 * 60")),
        ("total = (1\n    + 2)  # both", Param(name="total", default_text="1\n    + 2", description="both")),
        ("path = Path('x') / 'y'", Param(name="path", default_text="Path('x') / 'y'")),
        ("pattern = '\\d'", Param(name="pattern", default="\\d")),
        ("files = !ls", Param(name="files", default_text="...")),
    ],
)  # fmt: skip
def test_one_line(line: str, param: Param) -> None:
    assert inspect(notebook(line)) == Signature(language="python", kernel="python3", cells=1, params=(param,))


def test_several_names_at_once() -> None:
    assert params("a = b = 1\nc, (d, e) = 2, (3, 4)\nf, *g = h()") == (
        Param(name="a", default=1),
        Param(name="b", default=1),
        Param(name="c", default=2),
        Param(name="d", default=3),
        Param(name="e", default=4),
        Param(name="f", default_text="h()"),
        Param(name="g", default_text="h()"),
    )


def test_the_last_value_of_a_name_counts_and_its_type_stays() -> None:
    assert params("n: int = 1\nm = 2\nn = 3") == (Param(name="n", type="int", default=3), Param(name="m", default=2))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# only a comment",
        "'a docstring'",
        "import pandas as pd",
        "from datetime import date",
        "%matplotlib inline",
        "!pip install 'x",
        "pd.options?",
        "?pd",
        "%%time",
        "print('hello')",
        "os.environ['A'] = 'b'",
        "pd.options.x = 1",
        "def f(): x = 1",
        "class A: x = 1",
        "assert True",
        "n += 1",
    ],
)
def test_what_declares_nothing(line: str) -> None:
    found = inspect(notebook(f"{line}\nn = 5"))
    assert (found.params, found.has_open_params) == ((Param(name="n", default=5),), False)


def test_a_percent_sign_that_is_no_magic() -> None:
    assert params("n = (10\n  % 3)\n%time x = 1\nm = 4") == (
        Param(name="n", default_text="10\n  % 3"),
        Param(name="m", default=4),
    )


@pytest.mark.parametrize(
    "source",
    [
        "from config import *\nn = 5",
        "if True:\n    m = 1\nn = 5",
        "for m in range(3): pass\nn = 5",
        "with open('x') as m: pass\nn = 5",
        "try:\n    m = 1\nfinally:\n    n = 2\nn = 5",
    ],
)
def test_code_that_may_set_more_names_leaves_them_open(source: str) -> None:
    found = inspect(notebook(source))
    assert (found.params, found.has_open_params) == ((Param(name="n", default=5),), True)


def test_code_that_is_no_python_is_read_line_by_line() -> None:
    found = inspect(notebook("n = = 3\nm = 4\nif m == 4 then"))
    assert found.has_open_params
    assert found.params == (Param(name="n", default_text="= 3"), Param(name="m", default_text="4"))


def test_a_cell_in_another_language() -> None:
    found = inspect(notebook("%%bash\nX=1"))
    assert (found.params, found.has_open_params) == ((), True)


@pytest.mark.parametrize("source", ["n = 1\x00", "n = " + "(" * 3000])
def test_code_that_breaks_the_parser(source: str) -> None:
    assert inspect(notebook(source)).has_open_params


# --- the notebook around it -----------------------------------------------------------------------------------------


def test_a_notebook_without_the_cell() -> None:
    assert inspect(notebook("n = 1", "m = 2", tag=None)) == Signature(
        language="python", kernel="python3", cells=2, params=None
    )


def test_the_first_tagged_cell_counts() -> None:
    found = notebook("n = 1", "m = 2", "k = 3", tag=1)
    found["cells"][2]["metadata"]["tags"] = ["other", "parameters"]
    assert inspect(found).params == (Param(name="m", default=2),)


def test_kernel_and_language_come_from_the_metadata() -> None:
    metadata = {"kernelspec": {"name": "py312", "display_name": "x"}, "language_info": {"name": "Python"}}
    found = inspect(notebook("n = 1", metadata=metadata))
    assert (found.kernel, found.language, found.params) == ("py312", "python", (Param(name="n", default=1),))


def test_another_language_is_read_tolerantly() -> None:
    found = inspect(notebook('x <- 5\nmy.name = "a";\nlet z = 1\n  indented = 2\nif (x == 1) y', metadata=R))
    assert (found.kernel, found.language, found.has_open_params) == ("ir", "r", True)
    assert found.params == (
        Param(name="x", default_text="5"),
        Param(name="my.name", default_text='"a"'),
        Param(name="z", default_text="1"),
    )


# --- files ----------------------------------------------------------------------------------------------------------


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_reads_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", notebook("n = 1", "print(n)"))
    assert inspect(path) == Signature(
        language="python", kernel="python3", cells=2, params=(Param(name="n", default=1),)
    )


def test_upgrades_old_formats(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "language": "python", "input": ["a = 1\n", "b = 2"], "outputs": []}
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": "old"},
        "worksheets": [{"cells": [{**cell, "metadata": {"tags": ["parameters"]}}], "metadata": {}}],
    }
    assert inspect(write(tmp_path / "old.ipynb", old)).params == (
        Param(name="a", default=1),
        Param(name="b", default=2),
    )


FORMAT = {"nbformat": 4, "nbformat_minor": 5}
BROKEN: dict[str, Any] = {
    "empty": "",
    "not JSON": "{",
    "null": "null",
    "a list": "[]",
    "an unknown format": {"nbformat": 9},
    "no cells": {**FORMAT, "metadata": {}},
    "cells that are no list": {**FORMAT, "metadata": {}, "cells": {}},
    "a cell that is text": {**FORMAT, "metadata": {}, "cells": ["x"]},
    "a cell without source": {**FORMAT, "metadata": {}, "cells": [{"cell_type": "raw", "metadata": {}}]},
    "a cell whose source is a number": {
        **FORMAT,
        "metadata": {},
        "cells": [{"cell_type": "raw", "metadata": {}, "source": 5}],
    },
    "metadata that is a list": {**FORMAT, "metadata": [], "cells": []},
    "a kernelspec that is a list": {**FORMAT, "metadata": {"kernelspec": []}, "cells": []},
    "a language that is null": {**FORMAT, "metadata": {"language_info": None}, "cells": []},
    "tags that are no list": {
        **FORMAT,
        "metadata": {},
        "cells": [{"cell_type": "code", "metadata": {"tags": None}, "source": ""}],
    },
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_a_file_that_is_no_notebook(content: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "broken.ipynb", content)
    with pytest.raises(InvalidInput, match=r"^.*/broken\.ipynb: notebook 'broken\.ipynb' cannot be read: .+") as raised:
        inspect(path)
    assert not isinstance(raised.value, NotFound)
    assert (raised.value.where, raised.value.hint) == (str(path), "Open it in Jupyter and save it again.")


def test_a_merge_that_git_could_not_do_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "merged.ipynb"
    path.write_text('{\n "cells": [\n<<<<<<< HEAD\n  1\n=======\n  2\n>>>>>>> other\n ]\n}')
    with pytest.raises(InvalidInput, match=r"git left both sides of a merge in line 3\. Keep what is right of them\."):
        inspect(path)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    assert inspect(write(tmp_path / "a.ipynb", "\ufeff" + json.dumps(notebook("n = 1")))).cells == 1


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "latin.ipynb"
    path.write_bytes('{"ü": 1}'.encode("latin-1"))
    with pytest.raises(InvalidInput, match="cannot be read"):
        inspect(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"notebook 'gone\.ipynb' does not exist$"):
        inspect(tmp_path / "gone.ipynb")


def test_inspecting_does_not_load_what_runs_notebooks() -> None:
    code = (
        "import sys, nbflow.notebooks.inspect;"
        "print([name for name in ('papermill', 'nbclient', 'IPython') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert answer.stdout == "[]\n"
