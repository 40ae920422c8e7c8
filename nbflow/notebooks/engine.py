"""The engine that papermill calls, by its entry point or by the name `nbflow`: hands the notebook to nbflow's runner.

Imports nothing of papermill: papermill loads every engine while it is itself being imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbformat.v4 import new_notebook

NAME = "nbflow"


class TruthfulEngine:
    """An engine in papermill's sense (`papermill.engines.Engine`), without its NotebookExecutionManager.

    That one marks every cell as completed that it was not told about, whatever killed the notebook. Here the runner's
    own log says what became of each cell.
    """

    @classmethod
    def execute_notebook(
        cls, nb: Any, kernel_name: str, execute: Callable[[Any], None] | None = None, **_: object
    ) -> Any:
        """Give the notebook, with its parameters injected, to `execute`.

        What papermill gets back has no cells: it would judge the outputs by its own rules, insert its own error cells,
        and write everything once more.
        """
        if execute is None:
            raise RuntimeError("the engine 'nbflow' works only inside nbflow's own runner")
        execute(nb)
        return new_notebook(metadata=nb.metadata)

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        from papermill.utils import nb_kernel_name

        return str(nb_kernel_name(nb, name))

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> str:
        from papermill.utils import nb_language

        return str(nb_language(nb, language))
