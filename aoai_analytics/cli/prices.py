"""``aoai prices``: the current price book, today's list prices and the showback table for finance."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import WrongUse
from . import options

if TYPE_CHECKING:
    from ..prices import PriceBook

app = typer.Typer(help="Token prices: list, refresh from Azure, showback for finance.")

Currency = Annotated[
    str | None, typer.Option("--currency", help="Where the invoice has several: only this one.", metavar="CODE")
]


@app.command("list")
def list_prices(
    model: Annotated[str | None, typer.Option("--model", "-m", help="Only this model.", metavar="M")] = None,
    scope: Annotated[
        str | None, typer.Option("--scope", help="Only this scope: global, data-zone or regional.", metavar="SCOPE")
    ] = None,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Write a price book CSV with the source of each price.")
    ] = False,
) -> None:
    """List current prices, including your own, in USD per 1M tokens."""
    from ..prices import PriceBook, own_prices
    from ..prices.book import SCOPES

    book = own_prices().book
    if model is not None and model not in book.models:
        raise WrongUse(
            f"no price for '{model}': its requests are unpriced. Models with a price: {', '.join(book.models)}"
        )
    if scope is not None and scope not in SCOPES:
        raise WrongUse(f"--scope must be one of {', '.join(SCOPES)}, not '{scope}'")
    chosen = PriceBook(p for p in book if model in (None, p.model) and scope in (None, p.scope))
    sys.stdout.write(chosen.csv() if as_csv else _table(chosen))


@app.command("coverage")
def coverage(
    scope: Annotated[
        str, typer.Option("--scope", help="Scope of the prices: global, data-zone or regional.", metavar="SCOPE")
    ] = "global",
) -> None:
    """Show which models have a price, by service tier and direction. What has none is unpriced."""
    from ..prices import own_prices
    from ..prices.book import SCOPES, TIERS, covered
    from ..prices.models import shipped_models

    if scope not in SCOPES:
        raise WrongUse(f"--scope must be one of {', '.join(SCOPES)}, not '{scope}'")
    book = own_prices().book
    models = [*book.models, *(m.name for m in shipped_models())]
    cells = [
        (model, *(", ".join(covered(book, model, scope, tier)) or "unpriced" for tier in TIERS))
        for model in sorted(set(models))
    ]
    lines = [("Model", *TIERS), *cells]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    print(
        f"Newest price: {max(price.start for price in book)}. Also unpriced: image, audio and realtime tokens, "
        "fine-tuned models, and models that are not listed.",
        file=sys.stderr,
    )


@app.command("models")
def list_models() -> None:
    """List model versions with the day they retire, by Microsoft's schedule."""
    from ..prices.models import shipped_models

    rows = [
        (m.name, m.version, m.stage, f"{m.retires}", m.replacement, f"{m.context:,}" if m.context else "unknown")
        for m in shipped_models()
    ]
    headings = ("Model", "Version", "Stage", "Retires", "Replacement", "Context")
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    for row in (headings, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@app.command()
def refresh(
    output: Annotated[Path, typer.Option("--output", "-o", help="Price book to write.", metavar="FILE")] = Path(
        "prices.csv"
    ),
    region: Annotated[
        list[str] | None, typer.Option("--region", help="Regional prices for this region only; repeatable.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", help="Retail Prices API URL to use instead of Azure's.", metavar="URL")
    ] = None,
) -> None:
    """Fetch today's list prices from the Azure Retail Prices API into your own price book."""
    from ..prices import meters, retail
    from ..prices.book import plain

    done = retail.refresh(endpoint=endpoint or retail.ENDPOINT, regions=region or (), today=datetime.now(UTC).date())
    options.put(done.book.csv().encode(), output)
    for reading in done.matched:
        m = reading.result
        assert isinstance(m, meters.Matched)
        name = f"{m.model} {m.version or '(all versions)'}, {retail.kind_of(m)}, {m.direction}"
        amount = f"{plain(reading.price * m.factor)} USD per 1M tokens"
        print(f"matched: {reading.meter}: {reading.price} per {reading.unit} -> {name}: {amount}")
    for reading in done.unmatched:
        assert isinstance(reading.result, meters.Unmatched)
        print(f"unmatched: {reading.meter}: {reading.price} per {reading.unit}: {reading.result.reason}")
    for line in done.dropped:
        print(f"skipped: {line}")
    print(
        f"{len(done.book):,} prices of {len(done.book.models)} models in {output}, from {len(done.matched):,} meters; "
        f"{len(done.unmatched):,} meters not matched, {len(done.dropped):,} prices skipped.\n"
        f'To use them: [prices] file = "{output}" in aoai.toml.',
        file=sys.stderr,
    )


@app.command()
def showback(
    output: Annotated[Path, typer.Option("--output", "-o", help="Output file: .csv or .xlsx.", metavar="FILE")],
    source: options.Source = None,
    since: options.Since = None,
    start: options.Start = None,
    end: options.End = None,
    period: options.Period = None,
    time_zone: options.TimeZone = None,
    commitment: Annotated[
        list[str] | None,
        typer.Option(
            "--commitment", help="USD for a provisioned deployment in the period; repeatable.", metavar="A/D=USD"
        ),
    ] = None,
    scale_to_invoice: Annotated[
        bool, typer.Option("--scale-to-invoice", help="Share the invoiced amount, to its cent, in its currency.")
    ] = False,
    remainder: Annotated[
        str,
        typer.Option(
            "--remainder", help="With --scale-to-invoice: keep what no use explains apart, or spread it.", metavar="R"
        ),
    ] = "apart",
    share_gateway: Annotated[
        bool, typer.Option("--share-gateway", help="With --scale-to-invoice: share API Management's cost by requests.")
    ] = False,
    currency: Currency = None,
) -> None:
    """Write the amount to charge each subscription, to the cent, as a spreadsheet."""
    from ..format.periods import in_words
    from ..library import library
    from ..prices.invoice import SHOWBACK, ask_invoice, in_one_currency
    from ..prices.showback import QUERY, write_showback

    if remainder not in ("apart", "spread"):
        raise WrongUse(f"--remainder must be apart or spread, not '{remainder}'")
    if scale_to_invoice and commitment:
        raise WrongUse("--commitment does not apply with --scale-to-invoice: the invoice has the commitments' cost")
    first, last = options.time_span(since, start, end, period, time_zone)
    zone = options.zone_or_default(time_zone)
    name = options.source_or_default(source)
    with options.connected(name) as engine:
        if scale_to_invoice:
            more = {"remainder": remainder, "shareGateway": share_gateway}
            result = ask_invoice(engine, SHOWBACK, first, last, time_zone=zone, **more)
            result = replace(result, frame=in_one_currency(result.frame, currency))
        else:
            kql = library().get(QUERY).bind(commitments=commitment or [])
            result = engine.query(kql, start=first, end=last)
    for warning in result.warnings:
        print(f"Warning: {warning}", file=sys.stderr)
    if result.partial:
        raise WrongUse("the source returned only part of the requests, so nothing was written; choose a shorter period")
    cents = write_showback(result.frame, output, period=in_words(first, last, zone), source=name)
    unit = result.frame["Currency"].iloc[0] if scale_to_invoice else "USD"
    rows = "rows" if scale_to_invoice else "subscriptions"
    amount = "unknown" if cents is None else f"{cents / 100:,.2f}"
    print(f"{output}: {amount} {unit} for {len(result.frame):,} {rows}", file=sys.stderr)


@app.command()
def focus(
    output: Annotated[Path, typer.Option("--output", "-o", help="Output file: .csv or .parquet.", metavar="FILE")],
    source: options.Source = None,
    since: options.Since = None,
    start: options.Start = None,
    end: options.End = None,
    period: options.Period = None,
    time_zone: options.TimeZone = None,
    currency: Currency = None,
) -> None:
    """Write each team's share of the invoice as FOCUS 1.2 rows, for FinOps tools."""
    from ..prices.invoice import FOCUS, ask_invoice, in_one_currency, write_focus

    first, last = options.time_span(since, start, end, period, time_zone)
    with options.connected(options.source_or_default(source)) as engine:
        result = ask_invoice(engine, FOCUS, first, last, time_zone=options.zone_or_default(time_zone))
    frame = in_one_currency(result.frame, currency, "BillingCurrency")
    rows = write_focus(frame, output)
    print(
        f"{output}: {rows:,} rows, {frame['BilledCost'].sum():,.2f} {frame['BillingCurrency'].iloc[0]}", file=sys.stderr
    )


@app.command()
def functions(
    output: Annotated[Path, typer.Option("--output", "-o", help="Output folder.", metavar="DIR")],
) -> None:
    """Write current prices and the model book as KQL functions to save in a workspace."""
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

    lines = [("Model", "Version", "Scope", "Tier", "Direction", "USD per 1M", "From", "Above", "Regions")]
    for p in book:
        regions, amount = " ".join(p.regions), plain(p.per_million)
        above = f"{p.above:,}" if p.above else ""
        lines.append((p.model, p.version, p.scope, p.tier, p.direction, amount, str(p.start), above, regions))
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "".join(
        "  ".join(
            cell.rjust(width) if place in (5, 7) else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        + "\n"
        for line in lines
    )
