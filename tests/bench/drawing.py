"""What the app's drawings and its rendering of notebooks cost: seconds of processor time, and bytes on the wire."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bokeh.embed import file_html
from cli_world import executed, printed, raised, ran
from graphs import etl
from nbflow_app.layout import layout
from nbflow_app.widgets.graph import Graph, Node
from nbformat.v4 import new_markdown_cell, new_output
from wire import Sent

from nbflow.notebooks.render import fragments
from nbflow.states import TaskState

SOURCE = 'def load(path: str) -> Frame:\n    """The orders."""\n    return read(path).query("amount > 0")\n\n' * 2
ROW = "<tr><th>0</th><td>1.5</td><td>north</td></tr>"


def best(act: Callable[[], Any], times: int = 5) -> float:
    """Milliseconds of processor time: others may use the machine."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        act()
        taken.append(time.process_time() - began)
    return min(taken) * 1000


def drawing(count: int, width: int) -> None:
    upstreams = etl(count, seed=3, width=width)
    laid = layout(upstreams)
    nodes = dict.fromkeys(laid.nodes, Node(state=TaskState.SUCCESS, took="12 s"))

    def page() -> str:
        return file_html(Graph(laid, nodes).figure, None, title="graph")

    graph = Graph(laid, nodes)
    sent = Sent(graph.figure)
    graph.update(dict.fromkeys(list(laid.nodes)[:5], Node(state=TaskState.FAILED, took="3 s")))
    times = f"layout {best(lambda: layout(upstreams)):6.0f} ms   page {best(page):6.0f} ms"
    print(f"{count:5} tasks   {times}   {len(page()) / 1000:5.0f} kB   five changes {len(sent.take())} bytes")


def rendering(name: str, *cells: Any) -> None:
    notebook = executed(*cells)
    fragments(notebook)
    size = sum(len(fragment.html) for fragment in fragments(notebook))
    print(f"{name:28} {best(lambda: fragments(notebook)):6.0f} ms   {size / 1000:6.0f} kB of HTML")


def table(rows: int) -> Any:
    return new_output("display_data", data={"text/html": f"<table>{ROW * rows}</table>", "text/plain": "a table"})


if __name__ == "__main__":
    for count, width in ((10, 3), (60, 8), (1000, 40)):
        drawing(count, width)
    kinds = (
        lambda at: new_markdown_cell(f"## Step {at}\n\nsome *text* and [a link](https://example.org)"),
        lambda at: ran(f"# {at}\n{SOURCE}", printed("a line\n" * 20)),
        lambda at: ran(f"# {at}\n{SOURCE}", table(30)),
        lambda at: ran(f"# {at}\n{SOURCE}", raised("ValueError", "no")),
    )
    rendering("200 cells", *(kinds[at % 4](at) for at in range(200)))
    rendering("20 MB of lines", *(ran("x", printed("a line of output, not short\n" * 36_000)) for _ in range(20)))
    rendering("20 MB of tables", *(ran("x", table(100_000)) for _ in range(4)))
