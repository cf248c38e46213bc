"""Small notebooks of a test's own."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PARAMETERS = "source = start = end = None\ntime_zone = 'UTC'\nshow_prompts = False"
OPEN = "from aoai_analytics.reporting import open_report\nreport = open_report(source, start, end, time_zone=time_zone)"


def write_notebook(folder: Path, name: str, *cells: str, parameters: str = PARAMETERS) -> Path:
    """A notebook in *folder* with a title, a parameters cell and *cells* of code."""
    first = new_code_cell(parameters)
    first.metadata["tags"] = ["parameters"]
    made = new_notebook(cells=[new_markdown_cell(f"# {name.title()}"), first, *map(new_code_cell, cells)])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.ipynb"
    nbformat.write(made, path)
    return path
