"""``aoai doctor``: find logging gaps and how to fix them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import options

if TYPE_CHECKING:
    from ..doctor import Finding

_COLOURS = {"problem": "bold red", "warning": "yellow", "note": "cyan"}


def doctor(
    source: options.Source = None,
    since: options.Since = None,
    start: options.Start = None,
    end: options.End = None,
    period: options.Period = None,
    time_zone: options.TimeZone = None,
    credential: options.Credential = None,
    output_format: Annotated[Literal["table", "json"], typer.Option("--format", "-f", help="Output format.")] = "table",
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 if there is a problem or a warning.")] = False,
) -> None:
    """Find logging gaps: what is missing, which numbers it affects and which setting fixes it."""
    from ..doctor import LIMITS, diagnose

    first, last = options.time_span(since, start, end, period, time_zone)
    with options.connected(options.source_or_default(source)) as engine:
        findings = diagnose(engine, first, last)
    if output_format == "json":
        import json

        print(json.dumps([finding.as_json() for finding in findings], indent=2, ensure_ascii=False))
    elif sys.stdout.isatty():
        _on_terminal(findings, options.zone_or_default(time_zone))
    else:
        print("".join(_block(finding, options.zone_or_default(time_zone)) for finding in findings), end="")
    print(_summary(findings), file=sys.stderr)
    print("Not detectable from logs:", file=sys.stderr)
    for limit in LIMITS:
        print(f"- {limit}", file=sys.stderr)
    if strict and any(finding.severity != "note" for finding in findings):
        raise typer.Exit(1)


def _summary(findings: list[Finding]) -> str:
    if not findings:
        return "No findings: the logs for this period look complete."
    counts = {severity: sum(finding.severity == severity for finding in findings) for severity in _COLOURS}
    return (
        ", ".join(
            f"{count} {severity}{'' if count == 1 else 's'}" for severity, count in counts.items() if count
        ).capitalize()
        + "."
    )


def _place(finding: Finding, time_zone: str) -> str:
    """Where and when; '' if it applies everywhere and always."""
    from ..format.labels import plain
    from ..format.periods import in_words

    places = [f"{column} {', '.join(map(plain, names))}" for column, names in finding.where.items()]
    if finding.start or finding.end:
        places.append(in_words(finding.start, finding.end, time_zone))
    return "; ".join(places)


def _hidden(finding: Finding) -> str:
    """The numbers that the finding makes uncertain; '' if it gives none."""
    of = finding.hidden
    said = []
    if of.estimated_requests:
        error = f" (standard error at most {of.estimated_tokens_error:,.0f})" if of.estimated_tokens_error else ""
        said.append(f"{of.estimated_tokens or 0:,} tokens in {_requests(of.estimated_requests)} are estimated{error}")
    if of.unknown_requests:
        said.append(f"tokens for {_requests(of.unknown_requests)} are unknown")
    return "; ".join(said)


def _requests(count: int) -> str:
    return f"{count:,} {'request' if count == 1 else 'requests'}"


def _block(finding: Finding, time_zone: str) -> str:
    lines = [f"{finding.severity}: {finding.kind}: {finding.what}"]
    for label, text in (
        ("where", _place(finding, time_zone)),
        ("numbers", _hidden(finding)),
        ("impact", finding.impact),
        ("fix", finding.fix),
        ("query", f"aoai query {finding.query}"),
    ):
        if text:
            lines.append(f"  {label}: {text}")
    return "\n".join(lines) + "\n\n"


def _on_terminal(findings: list[Finding], time_zone: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_lines=True)
    for heading in ("Finding", "Details", "Impact", "Fix"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        name = Text(finding.kind, style=_COLOURS[finding.severity])
        name.append(f"\n{finding.severity}", style="dim")
        what = "\n".join(filter(None, (finding.what, _place(finding, time_zone))))
        impact = "\n".join(filter(None, (finding.impact, _hidden(finding))))
        table.add_row(name, Text(what), Text(impact), Text(f"{finding.fix}\naoai query {finding.query}"))
    if findings:
        Console().print(table)
