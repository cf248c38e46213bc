"""``aoai notebooks``: the notebooks, to open and change."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..config import shipped
from ..errors import WrongUse

app = typer.Typer(help="Get the notebooks, to open and change.", no_args_is_help=True)


@app.callback()
def _notebooks() -> None:
    """Get the notebooks, to open and change."""


@app.command()
def copy(
    folder: Annotated[Path, typer.Argument(help="Copy to this folder; created if needed.", metavar="DIR")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite notebooks you have changed.")] = False,
) -> None:
    """Copy the setup and analysis notebooks. Files that you changed are not overwritten without --force."""
    source = shipped("notebooks")
    found = {
        path.relative_to(source): path.read_bytes()
        for path in sorted(source.rglob("*"))
        if path.is_file() and ".ipynb_checkpoints" not in path.parts
    }
    changed = [
        folder / name
        for name, content in found.items()
        if (folder / name).exists() and (folder / name).read_bytes() != content
    ]
    if changed and not force:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise WrongUse(f"{changed[0]}{more} would be overwritten; use --force, or copy to another folder")
    for name, content in found.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    print(f"{len(found)} files in {folder}; open them with: jupyter lab {folder}", file=sys.stderr)
