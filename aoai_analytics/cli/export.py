"""``aoai export``: what the kit gives to other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ..errors import WrongUse

app = typer.Typer(help="Write what other tools need, made from the same queries.", no_args_is_help=True)


@app.command()
def functions(
    target: Annotated[Literal["kusto"], typer.Option("--target", help="Where they are to be saved.")] = "kusto",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to a file.", metavar="F")] = None,
) -> None:
    """Commands that make an Azure Data Explorer or Eventhouse database ready: tables, mappings, policies, functions."""
    from ..export.kusto import kusto_commands

    text = kusto_commands()
    if output is None:
        print(text, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WrongUse(f"cannot write {output}: {error.strerror}") from error


@app.callback()
def _app() -> None:
    """Write what other tools need, made from the same queries."""
