"""Which kernels there are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nbflow.workspace.kernels import InstalledKernels


def test_a_kernel_is_known_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tmp_path / "kernels" / "forecast" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text('{"argv": ["true"], "display_name": "Forecast", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    kernels = InstalledKernels()
    assert "forecast" in kernels
    assert "forecasts" not in kernels
    assert "../kernels/forecast" not in kernels
    assert 5 not in kernels
    assert {"forecast", "python3"} <= set(kernels)
    assert len(kernels) == len(set(kernels))


def test_a_kernel_that_has_a_file_costs_no_heavy_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jupyter_client.kernelspec", None)  # importing it would raise
    assert "python3" in InstalledKernels()
