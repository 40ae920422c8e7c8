"""The pieces of work that are compared: notebooks in layers, the same files for nbflow and for papermill."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from making import Project, write_notebook

WIDTH = 2
"""Slots of nbflow, processes of the pool."""

NO_OP = ("print(1)", "1 + 1", "print(2)")
FLOOD = ("line = 'x' * 99\nfor at in range(200_000): print(line)",)

READ = "import pandas as pd\n"
ROWS = 200_000

ETL = {
    "orders": (
        "import numpy as np, pandas as pd\nrandom = np.random.default_rng(7)",
        f"n = {ROWS}\n"
        "orders = pd.DataFrame({'id': np.arange(n), 'customer': random.integers(0, n // 10, n), "
        "'amount': random.lognormal(3, 1, n).round(2), 'day': random.integers(0, 365, n)})",
        "orders.to_parquet('orders.parquet')",
    ),
    "customers": (
        "import numpy as np, pandas as pd\nrandom = np.random.default_rng(8)",
        f"n = {ROWS} // 10\n"
        "customers = pd.DataFrame({'customer': np.arange(n), 'region': random.choice(['emea', 'amer', 'apac'], n)})",
        "customers.to_parquet('customers.parquet')",
    ),
    "clean": (
        READ + "orders = pd.read_parquet('orders.parquet')",
        "orders = orders[orders.amount < orders.amount.quantile(0.999)].drop_duplicates('id')",
        "orders.to_parquet('clean.parquet')",
    ),
    "join": (
        READ + "orders, customers = pd.read_parquet('clean.parquet'), pd.read_parquet('customers.parquet')",
        "joined = orders.merge(customers, on='customer')\nassert len(joined) == len(orders)",
        "joined.to_parquet('joined.parquet')",
    ),
    "by_region": (
        READ + "joined = pd.read_parquet('joined.parquet')",
        "joined.groupby(['region', 'day']).amount.agg(['sum', 'count']).reset_index().to_parquet('by_region.parquet')",
    ),
    "by_customer": (
        READ + "joined = pd.read_parquet('joined.parquet')",
        "joined.groupby('customer').amount.sum().nlargest(100).reset_index().to_parquet('by_customer.parquet')",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Work:
    """Layers of notebooks, name → cells. Those of a layer may run side by side, each layer after the one before."""

    name: str
    title: str
    layers: tuple[dict[str, tuple[str, ...]], ...]
    rounds: int = 3
    preload: tuple[str, ...] = ()
    """Modules for a second measurement of nbflow, with these preloaded."""
    goals: str = ""

    @property
    def size(self) -> int:
        return sum(map(len, self.layers))


def alike(*sizes: int) -> tuple[dict[str, tuple[str, ...]], ...]:
    return tuple({f"t{depth}_{at}": NO_OP for at in range(size)} for depth, size in enumerate(sizes))


def etl() -> tuple[dict[str, tuple[str, ...]], ...]:
    order = (("orders", "customers"), ("clean",), ("join",), ("by_region", "by_customer"))
    return tuple({name: ETL[name] for name in layer} for layer in order)


WORKS = (
    Work(name="noop", title="one no-op notebook", layers=alike(1)),
    Work(name="chain", title="a chain of 10", layers=alike(*[1] * 10), rounds=2),
    Work(name="fan", title="1 → 20 → 1", layers=alike(1, 20, 1), rounds=1),
    Work(name="hundred", title="100 independent", layers=alike(100), rounds=1, goals="pool ≥ 8, command line ≥ 15"),
    Work(
        name="etl",
        title="ETL of six with pandas",
        layers=etl(),
        preload=("pandas", "pyarrow.parquet"),
        goals="pool ≥ 1.5, preloaded ≥ 3",
    ),
    Work(name="cells", title="200 cells", layers=({"cells": ("print(1)",) * 200},), goals="papermill ≥ 1"),
    Work(name="flood", title="20 MB of output", layers=({"flood": FLOOD},), goals="papermill ≥ 1, below 300 MB"),
)


def lay_out(work: Work, folder: Path) -> tuple[Project, list[list[Path]]]:
    """A project with this work as pipeline `work`; the notebooks' paths in layers."""
    project = Project(folder, NBFLOW_EXECUTOR_SLOTS=str(WIDTH))
    home = project.folder / "notebooks" / "work"
    lines, layers, before = ["name: work", "tasks:"], [], ""
    for layer in work.layers:
        layers.append([write_notebook(home / f"{name}.ipynb", *cells) for name, cells in layer.items()])
        after = f", depends_on: [{before}]" if before else ""
        lines += [f"  {name}: {{notebook: {name}.ipynb{after}}}" for name in layer]
        before = ", ".join(layer)
    (home / "pipeline.yaml").write_text("\n".join(lines) + "\n")
    return project, layers
