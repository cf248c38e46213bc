"""``aoai queries`` and ``aoai query``: list the library, run a query."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ..errors import QueryError, WrongUse
from . import options

Format = Literal["table", "csv", "json", "parquet", "xlsx", "html"]


def queries(
    section: Annotated[str | None, typer.Argument(help="Only this section.", metavar="SECTION")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, with parameters and units.")] = False,
) -> None:
    """List the queries and the question each one answers."""
    from ..library import library
    from ..library.catalogue import overview

    listed = library().section(section) if section else list(library())
    if as_json:
        import json

        entries = [
            {
                "name": query.name,
                "title": query.title,
                "question": query.question,
                "chart": query.chart,
                "units": dict(query.units),
                "parameters": {
                    p.name: {"type": p.type, "default": p.default, "about": p.about} for p in query.parameters.values()
                },
            }
            for query in listed
        ]
        print(json.dumps(entries, indent=2, ensure_ascii=False))
        return
    print(overview(listed))


def query(
    name: Annotated[
        str | None, typer.Argument(help="Query name, or a section to list; see 'aoai queries'.", metavar="NAME")
    ] = None,
    kql: Annotated[
        str | None, typer.Option("--kql", help="KQL text to run instead of a named query.", metavar="TEXT")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="KQL file to run instead of a named query.", metavar="F")
    ] = None,
    source: options.Source = None,
    since: options.Since = None,
    start: options.Start = None,
    end: options.End = None,
    period: options.Period = None,
    time_zone: options.TimeZone = None,
    param: options.Param = None,
    only: options.Only = None,
    output_format: Annotated[
        Format | None,
        typer.Option("--format", "-f", help="Output format (default: by the output file's ending, else table)."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead of standard output.", metavar="F")
    ] = None,
    show_prompts: options.ShowPrompts = False,
    credential: options.Credential = None,
    check: Annotated[bool, typer.Option("--check", help="Check the query without running it.")] = False,
) -> None:
    """Run a query from the library, or your own KQL."""
    from ..engines.frames import days_in
    from ..engines.kql.placeholders import filled
    from ..library import library
    from ..prompts import ask
    from ..reporting.session.coverage import no_rows
    from . import output as writing

    if sum(given is not None for given in (name, kql, file)) != 1:
        raise WrongUse("give exactly one of NAME ('aoai queries' lists them), --kql TEXT or --file F")
    if name in library().sections:
        of_a_query = {
            **{"--since": since, "--start": start, "--end": end, "--period": period, "--time-zone": time_zone},
            **{"--param": param, "--only": only, "--format": output_format, "--output": output},
            **{"--show-prompts": show_prompts, "--check": check},
        }
        if unused := next((option for option, value in of_a_query.items() if value), ""):
            one = library().section(name)[0].name
            raise WrongUse(f"'{name}' is a section, which {unused} does not fit: name a query of it, e.g. {one}")
        queries(name)
        return
    written = writing.format_of(output_format, output)
    values = options.parameters(param)
    zone = options.zone_or_default(time_zone)
    named = library().get(name, library().sections) if name is not None else None
    local_days = False
    given: dict[str, str] = {}
    if named is not None:
        given, values = named.given(values, zone), {}
        local_days = zone != "UTC" and given.get("timeZone") == zone
        text = named.bind(**given)
    else:
        text = kql if kql is not None else options.existing_file(file or Path())
    first, last = options.time_span(since, start, end, period, time_zone)
    if check:
        with _pointing(text):
            _check(*filled(text, first, last, values), options.source_or_default(source))
        return
    with options.connected(options.source_or_default(source)) as engine:
        with _pointing(text):
            asked = ask(engine, text, query=named, start=first, end=last, parameters=values, show_prompts=show_prompts)
        result = replace(asked.result, frame=days_in(asked.result.frame, zone)) if local_days else asked.result
        if asked.texts_hidden:
            print("Prompts and responses are hidden; add --show-prompts to show them.", file=sys.stderr)
        if asked.note:
            print(asked.note, file=sys.stderr)
        for warning in result.warnings:
            print(f"Warning: {warning}", file=sys.stderr)
        title = named.title if named is not None else ""
        writing.write(result, written, output, zone, units=asked.units, title=title)
        if named is not None and "topN" in named.parameters and written == "table":
            most = int(str(given.get("topN", named.parameters["topN"].default)))
            if len(result.frame) == most:
                print(f"The first {most:,} rows: -p topN={10 * most} shows more.", file=sys.stderr)
        if not len(result.frame):
            print(no_rows(engine, first is not None or last is not None, zone), file=sys.stderr)
        if result.partial:
            raise typer.Exit(1)


@contextmanager
def _pointing(kql: str) -> Iterator[None]:
    """On a terminal, the line of *kql* that an error is in, with a caret at its place, before the error itself."""
    from ..engines.kql.syntax import pointed

    try:
        yield
    except QueryError as error:
        if sys.stderr.isatty() and (shown := pointed(error, kql)):
            print(shown, file=sys.stderr)
        raise


def _check(kql: str, values: Mapping[str, Any], source: str) -> None:
    """Say where *kql* can run, and what Azure does otherwise; exit 1 where a lake cannot run it."""
    from ..engines.checking import verdict_of

    found = verdict_of(kql, values, source)
    for lacking in found.lacks:
        print(lacking, file=sys.stderr)
    for note in found.notes:
        print(f"Note: {note}", file=sys.stderr)
    if found.lacks:
        raise typer.Exit(1)
    print("The query runs on a lake and in Azure.", file=sys.stderr)
