"""What every attempt needs and is the same for all, done once: by the process from which runners are forked.

Starts no kernel, no thread and no event loop, and opens nothing that stays open.
"""

from __future__ import annotations

import contextlib

from jupyter_client.provisioning.factory import KernelProvisionerFactory
from nbformat.v4 import new_code_cell, new_notebook, writes

from nbflow.codec import prepare
from nbflow.errors import InvalidInput
from nbflow.notebooks import attempt, kernelspecs
from nbflow.notebooks.document import Document, read_text
from nbflow.run import AttemptEnded, StartAttempt, StopAttempt


def rehearse(kernel: str = "python3") -> None:
    """Read and write a notebook, an order and an outcome; look up a kernel's description and provisioners."""
    prepare(StartAttempt, StopAttempt, AttemptEnded)
    Document(read_text(writes(new_notebook(cells=[new_code_cell("1")])))).dump()
    attempt.versions()
    KernelProvisionerFactory.instance()
    with contextlib.suppress(InvalidInput):
        kernelspecs.find_spec(kernel)
