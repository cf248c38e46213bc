"""``aoai prices``: the price book in force, list prices of today, and the show-back table for finance."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import WrongUse
from . import options

if TYPE_CHECKING:
    from ..prices import PriceBook

app = typer.Typer(help="What tokens cost: the price book, today's list prices, the show-back table.")


@app.command("list")
def list_prices(
    model: Annotated[str | None, typer.Option("--model", "-m", help="Only this model.", metavar="M")] = None,
    scope: Annotated[
        str | None, typer.Option("--scope", help="Only global, data-zone or regional.", metavar="SCOPE")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="As a price book's CSV, with each price's source.")] = False,
) -> None:
    """List the prices in force, own ones included, in USD for a million tokens."""
    from ..prices import PriceBook, own_prices
    from ..prices.book import SCOPES

    book = own_prices().book
    if model is not None and model not in book.models:
        raise WrongUse(f"there is no price of '{model}': its requests are unpriced; there are {', '.join(book.models)}")
    if scope is not None and scope not in SCOPES:
        raise WrongUse(f"--scope is one of {', '.join(SCOPES)}, not '{scope}'")
    chosen = PriceBook(p for p in book if model in (None, p.model) and scope in (None, p.scope))
    sys.stdout.write(chosen.csv() if as_csv else _table(chosen))


@app.command()
def refresh(
    output: Annotated[Path, typer.Option("--output", "-o", help="The price book to write.", metavar="FILE")] = Path(
        "prices.csv"
    ),
    region: Annotated[
        list[str] | None, typer.Option("--region", help="Regional prices of this region only; may be repeated.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", help="Another URL of the Retail Prices API.", metavar="URL")
    ] = None,
) -> None:
    """Read today's list prices from the Azure Retail Prices API into a price book of your own."""
    from ..prices import retail
    from ..prices.book import plain

    done = retail.refresh(endpoint=endpoint or retail.ENDPOINT, regions=region or (), today=datetime.now(UTC).date())
    options.put(done.book.csv().encode(), output)
    for reading in done.matched:
        m = reading.result
        assert isinstance(m, retail.Matched)
        name = f"{m.model} {m.version or '(all versions)'}, {m.scope}, {m.direction}"
        amount = f"{plain(reading.price * m.factor)} USD per 1M tokens"
        print(f"matched: {reading.meter}: {reading.price} per {reading.unit} -> {name}: {amount}")
    for reading in done.unmatched:
        assert isinstance(reading.result, retail.Unmatched)
        print(f"unmatched: {reading.meter}: {reading.price} per {reading.unit}: {reading.result.reason}")
    for line in done.dropped:
        print(f"left out: {line}")
    print(
        f"{len(done.book):,} prices of {len(done.book.models)} models in {output}, from {len(done.matched):,} meters; "
        f"{len(done.unmatched):,} meters are not matched, {len(done.dropped):,} prices left out.\n"
        f'To use them: [prices] file = "{output}" in aoai.toml.',
        file=sys.stderr,
    )


@app.command()
def showback(
    output: Annotated[Path, typer.Option("--output", "-o", help="FILE.csv or FILE.xlsx.", metavar="FILE")],
    source: options.Source = None,
    since: options.Since = None,
    start: options.Start = None,
    end: options.End = None,
    period: options.Period = None,
    time_zone: options.TimeZone = None,
    commitment: Annotated[
        list[str] | None,
        typer.Option(
            "--commitment", help="USD of a provisioned deployment in the period; may be repeated.", metavar="A/D=USD"
        ),
    ] = None,
) -> None:
    """Write what each subscription is to be charged, to the cent, for a spreadsheet."""
    from ..engines import connect
    from ..format.periods import in_words
    from ..library import library
    from ..prices import apply_own_prices
    from ..prices.showback import QUERY, write_showback

    apply_own_prices()
    first, last = options.time_span(since, start, end, period, time_zone)
    kql = library().get(QUERY).bind(commitments=commitment or [])
    name = options.source_or_default(source)
    engine = connect(name)
    try:
        result = engine.query(kql, start=first, end=last)
    finally:
        engine.close()
    for warning in result.warnings:
        print(f"Warning: {warning}", file=sys.stderr)
    if result.partial:
        raise WrongUse("the source gave only part of the requests: nothing is written; choose a shorter period")
    words = in_words(first, last, options.zone_or_default(time_zone))
    cents = write_showback(result.frame, output, period=words, source=name)
    print(f"{cents / 100:,.2f} USD of {len(result.frame):,} subscriptions in {output}", file=sys.stderr)


@app.command()
def functions(
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write to.", metavar="DIR")],
) -> None:
    """Write the KQL functions of the prices in force, to be saved in a workspace."""
    from ..prices import own_prices, price_functions

    own = own_prices()
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, text in price_functions(own.book, own.deployments).items():
            (output / f"{name}.kql").write_text(text, encoding="utf-8")
            print(output / f"{name}.kql")
    except OSError as error:
        raise WrongUse(f"cannot write to {output}: {error.strerror}") from error


def _table(book: PriceBook) -> str:
    from ..prices.book import plain

    lines = [("Model", "Version", "Scope", "Direction", "USD per 1M", "From", "Regions")]
    for p in book:
        regions, amount = " ".join(p.regions), plain(p.per_million)
        lines.append((p.model, p.version, p.scope, p.direction, amount, str(p.start), regions))
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "".join(
        "  ".join(
            cell.rjust(width) if place == 4 else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        + "\n"
        for line in lines
    )
