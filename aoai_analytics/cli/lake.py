"""``aoai lake``: what is in a lake, and keeping it small and fast."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..config import found, settings
from ..errors import WrongUse
from .progress import bar

if TYPE_CHECKING:
    from ..lake.delta import Lake

app = typer.Typer(help="Inspect, optimize and expire a lake.", no_args_is_help=True, rich_markup_mode=None)

Folder = Annotated[Path | None, typer.Argument(help="Lake folder.", metavar="[DIR]")]


@app.command()
def info(
    lake: Folder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Show a lake's tables: rows, files, sizes and dates, and what is not yet computed."""
    from ..lake.upkeep import info as read

    found = read(_open(lake))
    if as_json:
        import orjson

        sys.stdout.write(orjson.dumps(asdict(found), option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    heads = ("table", "rows", "files", "MB", "first date", "last date", "log MB", "unused MB")
    rows = [
        (
            table.name,
            f"{table.rows:,}",
            f"{table.files:,}",
            _megabytes(table.bytes),
            table.first,
            table.last,
            _megabytes(table.log_bytes),
            _megabytes(table.dead_bytes),
        )
        for table in found.tables
    ]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        cells = [
            text.ljust(width) if place in (0, 4, 5) else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    if found.stored_files:
        print(f"Costs and coverage stored by queries: {_megabytes(found.stored_bytes)} MB", file=sys.stderr)
    if found.quarantined:
        print(f"{found.quarantined:,} records are in quarantine; aoai doctor lists the reasons", file=sys.stderr)
    if found.stale:
        dates = f"{len(found.stale):,} dates ({found.stale[0]} to {found.stale[-1]})"
        print(f"{dates} are not yet computed; run aoai lake optimize", file=sys.stderr)


@app.command()
def optimize(lake: Folder = None) -> None:
    """Compute what is missing, merge small files, and delete files unused for a day.

    Queries keep running meanwhile. You can stop it at any time and run it again.
    """
    from ..lake.upkeep import optimize as merge

    target = _open(lake)
    with target.lock():
        _compute(target)
        with bar("Merging files") as progress:
            done = merge(target, progress=progress)
    print(f"{'files merged':<30} {done.before:,} into {done.after:,}")
    print(f"{'unused files deleted':<30} {done.removed:,}")


@app.command()
def expire(
    lake: Folder = None,
    before: Annotated[
        str | None, typer.Option("--before", help="Delete everything before this date.", metavar="DATE")
    ] = None,
    texts_before: Annotated[
        str | None,
        typer.Option(
            "--texts-before",
            help="Delete prompts, responses and error messages before this date; numbers stay.",
            metavar="DATE",
        ),
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="Delete the files at once; running queries may fail.")] = False,
) -> None:
    """Delete old rows, or only old texts.

    Without --now the files leave the disk a day later, with the next ingest or optimize. Dates are in UTC. Logs that
    you ingest again from another folder bring their rows back.
    """
    from ..lake.upkeep import HOURS
    from ..lake.upkeep import expire as remove

    if before is None and texts_before is None:
        raise WrongUse("--before or --texts-before is required")
    for name, text in (("--before", before), ("--texts-before", texts_before)):
        _check_date(name, text)
    target = _open(lake)
    with target.lock():
        _compute(target)
        done = remove(target, before=before, texts_before=texts_before, hours=0 if now else HOURS)
    print(f"{'rows deleted':<30} {done.rows:,}")
    print(f"{'dates without texts now':<30} {len(done.dates):,}")
    print(f"{'files deleted from disk':<30} {done.removed:,}")


@app.command()
def table(
    name: Annotated[str, typer.Argument(help="Table name, such as PRICING_CL.", metavar="NAME")],
    file: Annotated[Path, typer.Argument(help="CSV, JSON or Parquet file with the rows.", metavar="FILE")],
    lake: Folder = None,
) -> None:
    """Add a table of your own, such as prices, quotas or team names, for queries to join with.

    It replaces a table of the same name. Rows without TimeGenerated get the current time.
    """
    from ..lake.own import add_table

    target = _open(lake)
    with target.lock():
        rows, added = add_table(target, name, file)
    print(f"{'rows':<30} {rows:,}")
    for column, kind in added.columns.items():
        print(f"{column:<30} {kind}")


def _open(folder: Path | None) -> Lake:
    from ..lake.delta import Lake

    return Lake(found(folder or settings().lake))


def _compute(lake: Lake) -> None:
    from ..lake.recompute import recompute

    with bar("Computing requests by day") as progress:
        recompute(lake, progress=progress)


def _check_date(option: str, text: str | None) -> None:
    try:
        if text is not None and date.fromisoformat(text).isoformat() == text:
            return
    except ValueError:
        pass
    if text is not None:
        raise WrongUse(f"{option} {text}: not a date; write it as 2026-11-01")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f}"
