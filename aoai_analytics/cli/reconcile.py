"""``aoai reconcile``: the invoice beside the logs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from . import options
from .queries import Format


def reconcile(
    source: options.Source = None,
    since: options.Since = None,
    start: options.Start = None,
    end: options.End = None,
    period: options.Period = None,
    time_zone: options.TimeZone = None,
    output_format: Annotated[
        Format | None, typer.Option("--format", "-f", help="Format of the parts (default: table).")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Also write every account, meter and day to this file.", metavar="F"),
    ] = None,
    credential: options.Credential = None,
) -> None:
    """Compare the invoice with the logs, and name each part of the remainder.

    Exit 1 if the invoice does not agree with what the logs can know.
    """
    from ..library import library
    from ..prices.invoice import DAYS, PARTS, VERDICT, ask_invoice
    from . import output as writing

    file_format = writing.format_of(None, output) if output else ""
    first, last = options.time_span(since, start, end, period, time_zone)
    zone = options.zone_or_default(time_zone)
    with options.connected(options.source_or_default(source)) as engine:
        verdicts = ask_invoice(engine, VERDICT, first, last, time_zone=zone)
        parts = ask_invoice(engine, PARTS, first, last, time_zone=zone)
        writing.write(parts, writing.format_of(output_format, None), None, zone, units=library().get(PARTS).units)
        if output:
            days = ask_invoice(engine, DAYS, first, last, time_zone=zone)
            writing.write(days, file_format, output, zone, units=library().get(DAYS).units)
    for warning in verdicts.warnings:
        print(f"Warning: {warning}", file=sys.stderr)
    rows: list[dict[str, Any]] = [{str(k): v for k, v in row.items()} for row in verdicts.frame.to_dict("records")]
    for row in rows:
        print(_words(row), file=sys.stderr)
    if not all(row["Verdict"].startswith("Agrees") for row in rows):
        raise typer.Exit(1)


def _words(row: dict[str, Any]) -> str:
    """A currency's verdict in words."""
    days = f"{row['FirstDay']:%Y-%m-%d} to {row['LastDay']:%Y-%m-%d}"
    text = (
        f"{days}: {row['Invoiced']:,.2f} {row['Currency']} invoiced, {row['Ours']:,.2f} ± {row['CostError']:,.2f} ours."
    )
    if row["OffsetHours"]:
        side = "before" if row["OffsetHours"] > 0 else "after"
        text += f" The invoice's days begin {abs(row['OffsetHours'])} hours {side} UTC's."
    return f"{text} {row['Verdict']}."
