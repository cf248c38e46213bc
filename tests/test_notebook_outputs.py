"""Notebooks are committed without outputs, except those that the tests compare."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import REPO

NOTEBOOKS = sorted(
    path.relative_to(REPO) for path in (REPO / "notebooks").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts
)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=str)
def test_a_notebook_keeps_only_the_outputs_that_are_compared(path: Path) -> None:
    for number, cell in enumerate(json.loads((REPO / path).read_text("utf-8"))["cells"], start=1):
        tags = set(cell["metadata"].get("tags", ()))
        compared = "nbval-check-output" in tags
        assert compared == ("keep_output" in tags), f"cell {number}: nbval-check-output and keep_output go together"
        assert compared or not cell.get("outputs"), f"cell {number} has outputs: nbstripout {path}"
