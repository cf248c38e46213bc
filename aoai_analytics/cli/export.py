"""``aoai export``: files for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ..errors import WrongUse
from . import options, progress

app = typer.Typer(help="Export the queries to Azure Workbooks, alerts, Grafana and Kusto.", no_args_is_help=True)

Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write to this file instead of standard output.", metavar="F")
]


@app.command()
def functions(
    target: Annotated[
        Literal["log-analytics", "kusto"], typer.Option("--target", help="Where to save the functions.")
    ] = "kusto",
    output: Output = None,
) -> None:
    """Export the semantic layer, with your own prices, as functions to save where the queries run.

    For kusto: commands that prepare an Azure Data Explorer or Eventhouse database: tables, mappings, policies and
    functions. For log-analytics: an ARM template that saves the functions in a workspace.
    """
    from ..dimensions import own_functions
    from ..export.functions import functions_json
    from ..export.kusto import kusto_commands

    own = own_functions()
    write(kusto_commands(own) if target == "kusto" else functions_json(own), output)


@app.command()
def alerts(output: Output = None) -> None:
    """Export the alert rules in kql/alerts as the Bicep file that modules/alerts.bicep deploys."""
    from ..export.alerts import alerts_bicep

    write(alerts_bicep(), output)


@app.command("summary-rules")
def summary_rules(output: Output = None) -> None:
    """Export the summary rule for hourly totals, with your own prices, for modules/summary-rules.bicep."""
    from ..dimensions import own_functions
    from ..export.summary_rules import rollup_json

    write(rollup_json(own_functions()), output)


@app.command("query-pack")
def query_pack(
    output: Output = None,
    prompts: Annotated[
        bool, typer.Option("--prompts", help="Include queries that show prompts and responses.")
    ] = False,
) -> None:
    """Export the library for the portal's query picker, for modules/query-pack.bicep."""
    from ..export.query_pack import query_pack_json

    write(query_pack_json(prompts=prompts), output)


@app.command()
def workbook(
    output: Output = None,
    bicep: Annotated[bool, typer.Option("--bicep", help="Also write the Bicep module that deploys it.")] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Write an HTML preview with data from --source.")] = False,
    source: options.Source = None,
    since: options.Since = None,
    start: options.Start = None,
    end: options.End = None,
    period: options.Period = None,
    time_zone: options.TimeZone = None,
    credential: options.Credential = None,
    show_prompts: options.ShowPrompts = False,
) -> None:
    """Export an Azure Workbook as JSON for the portal's advanced editor.

    --preview writes an HTML page that shows the workbook without Azure: its queries run on a lake, for the given period
    or for everything in the lake.
    """
    if preview and bicep:
        raise WrongUse("--preview and --bicep are mutually exclusive")
    if preview:
        within = options.time_span(since, start, end, period, time_zone)
        _preview(options.source_or_default(source), within, show_prompts, output)
        return
    if source or since or start or end or period or show_prompts:
        raise WrongUse(
            "--source, a period and --show-prompts need --preview; in Azure, the workbook's reader sets them"
        )
    from ..export.workbook import workbook_bicep, workbook_json

    if not bicep:
        write(workbook_json(), output)
        return
    if output is None:
        raise WrongUse("--bicep needs --output F: the module reads the workbook from a JSON file next to it")
    json_file = output.with_suffix(".json")
    write(workbook_json(), json_file)
    write(workbook_bicep(json_file.name), output)


def _preview(source: str, within: options.Span, show_prompts: bool, output: Path | None) -> None:
    from ..export.preview import preview_html
    from ..export.workbook import workbook as made

    with options.connected(source) as engine, progress.bar("Running the workbook's queries") as report:
        page = preview_html(
            made(),
            engine,
            start=within[0],
            end=within[1],
            show_prompts=show_prompts,
            source=source,
            progress=report,
        )
    write(page, output)


@app.command()
def grafana(
    data_source: Annotated[
        Literal["azure-monitor", "azure-data-explorer"],
        typer.Option("--data-source", help="Grafana data source; for Log Analytics, use azure-monitor."),
    ] = "azure-monitor",
    output: Output = None,
) -> None:
    """Export a Grafana dashboard with the workbook's panels, as JSON to import."""
    from ..export.grafana import grafana_dashboard

    write(grafana_dashboard(data_source), output)


@app.command("all")
def every(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The setup_scripts folder of a checkout.", metavar="DIR")
    ],
) -> None:
    """Write every generated file that the repository keeps: the workbook, alerts, dashboards and functions."""
    from ..export import COMMITTED, made

    for file in COMMITTED:
        target = output / file
        target.parent.mkdir(parents=True, exist_ok=True)
        write(made(file), target)
        typer.echo(str(target), err=True)


def write(text: str, output: Path | None) -> None:
    """Write *text* to a file or standard output. Raises WrongUse if the file cannot be written."""
    options.put(text.encode(), output)


@app.callback()
def _app() -> None:
    """Export the queries to Azure Workbooks, alerts, Grafana and Kusto."""
