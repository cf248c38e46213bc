"""``aoai export``: what the kit gives to other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ..errors import WrongUse
from . import options, progress

app = typer.Typer(help="Write what other tools need, made from the same queries.", no_args_is_help=True)

Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to a file.", metavar="F")]


@app.command()
def functions(
    target: Annotated[
        Literal["log-analytics", "kusto"], typer.Option("--target", help="Where they are to be saved.")
    ] = "kusto",
    output: Output = None,
) -> None:
    """The semantic layer with your own prices, to be saved where the queries run.

    For kusto: commands that make an Azure Data Explorer or Eventhouse database ready, with tables, mappings, policies
    and functions. For log-analytics: an ARM template that saves the functions in a workspace.
    """
    from ..export.functions import functions_json
    from ..export.kusto import kusto_commands
    from ..prices import apply_own_prices

    apply_own_prices()
    write(kusto_commands() if target == "kusto" else functions_json(), output)


@app.command()
def alerts(output: Output = None) -> None:
    """The alert rules of kql/alerts, as the Bicep file that modules/alerts.bicep deploys."""
    from ..export.alerts import alerts_bicep

    write(alerts_bicep(), output)


@app.command("summary-rules")
def summary_rules(output: Output = None) -> None:
    """The summary rule that keeps hourly sums, with your own prices: what modules/summary-rules.bicep takes."""
    from ..export.summary_rules import rollup_json
    from ..prices import apply_own_prices

    apply_own_prices()
    write(rollup_json(), output)


@app.command("query-pack")
def query_pack(
    output: Output = None,
    prompts: Annotated[bool, typer.Option("--prompts", help="Also the queries that show what people wrote.")] = False,
) -> None:
    """The library for the portal's query picker: what modules/query-pack.bicep takes."""
    from ..export.query_pack import query_pack_json

    write(query_pack_json(prompts=prompts), output)


@app.command()
def workbook(
    output: Output = None,
    bicep: Annotated[bool, typer.Option("--bicep", help="The Bicep module that deploys it, beside the JSON.")] = False,
    preview: Annotated[bool, typer.Option("--preview", help="A page that shows it with data of --source.")] = False,
    source: options.Source = None,
    since: options.Since = None,
    start: options.Start = None,
    end: options.End = None,
    period: options.Period = None,
    time_zone: options.TimeZone = None,
    credential: options.Credential = None,
    show_prompts: options.ShowPrompts = False,
) -> None:
    """An Azure Workbook of the gateway, as JSON for the portal's advanced editor.

    With --preview, an HTML page that shows it without Azure: its queries are asked of a lake, for the period or for all
    that the lake holds.
    """
    if preview and bicep:
        raise WrongUse("--preview and --bicep are two things: ask for one")
    if preview:
        within = options.time_span(since, start, end, period, time_zone)
        _preview(options.source_or_default(source), within, show_prompts, output)
        return
    if source or since or start or end or period or show_prompts:
        raise WrongUse(
            "a source, a period and --show-prompts are for --preview; in Azure the workbook's reader chooses"
        )
    from ..export.workbook import workbook_bicep, workbook_json

    if not bicep:
        write(workbook_json(), output)
        return
    if output is None:
        raise WrongUse("--bicep needs --output F: the module reads the workbook from a file beside it")
    json_file = output.with_suffix(".json")
    write(workbook_json(), json_file)
    write(workbook_bicep(json_file.name), output)


def _preview(source: str, within: options.Span, show_prompts: bool, output: Path | None) -> None:
    from ..engines import connect
    from ..export.preview import preview_html
    from ..export.workbook import workbook as made
    from ..prices import apply_own_prices

    apply_own_prices()
    engine = connect(source)
    try:
        with progress.bar("Asking the workbook's questions") as report:
            page = preview_html(
                made(),
                engine,
                start=within[0],
                end=within[1],
                show_prompts=show_prompts,
                source=source,
                progress=report,
            )
    finally:
        engine.close()
    write(page, output)


@app.command()
def grafana(
    data_source: Annotated[
        Literal["azure-monitor", "azure-data-explorer"],
        typer.Option("--data-source", help="Grafana's data source: Log Analytics is asked through azure-monitor."),
    ] = "azure-monitor",
    output: Output = None,
) -> None:
    """A Grafana dashboard of the gateway with the workbook's panels, as JSON to import."""
    from ..export.grafana import grafana_dashboard

    write(grafana_dashboard(data_source), output)


@app.command("all")
def every(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder setup_scripts of a checkout.", metavar="DIR")
    ],
) -> None:
    """Write every file that is made of the queries and kept in the repository: the workbook and the others."""
    from ..export import COMMITTED, made

    for file in COMMITTED:
        target = output / file
        target.parent.mkdir(parents=True, exist_ok=True)
        write(made(file), target)
        typer.echo(str(target), err=True)


def write(text: str, output: Path | None) -> None:
    """*text* to a file, or to standard output. Raises WrongUse where the file cannot be written."""
    options.put(text.encode(), output)


@app.callback()
def _app() -> None:
    """Write what other tools need, made from the same queries."""
