"""``aoai report``: the notebooks run, their pages written."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..config import settings
from . import options


def report(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which; the standing ones without it.", metavar="[NAME...]")
    ] = None,
    source: options.Source = None,
    period: options.Period = None,
    since: options.Since = None,
    start: options.Start = None,
    end: options.End = None,
    time_zone: options.TimeZone = None,
    out: Annotated[Path | None, typer.Option("--out", help="The folder for the pages.", metavar="DIR")] = None,
    param: options.Param = None,
    show_prompts: options.ShowPrompts = False,
    credential: options.Credential = None,
) -> None:
    """Make an HTML report; the last line is the path of its first page. Exits 1 where a part of it failed."""
    from ..reports.run import make_report, standing

    first, last = options.time_span(since, start, end, period, time_zone)
    result = make_report(
        names or standing(),
        source=options.source_or_default(source),
        start=first,
        end=last,
        time_zone=options.zone_or_default(time_zone),
        out=out or settings().reports,
        show_prompts=show_prompts,
        given=options.parameters(param),
        progress=lambda name: print(f"Running {name} …", file=sys.stderr),
    )
    for line in (*result.failures, *result.problems):
        print(line, file=sys.stderr)
    print(result.index)
    if result.failed:
        raise typer.Exit(1)
