"""``aoai setup``: the guided setup, from a terminal or a pipeline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..setup import Guide
    from ..setup.findings import Table

app = typer.Typer(no_args_is_help=True, help="Set the gateway up, step by step, and check what stands.")

Config = Annotated[Path, typer.Option("--config", "-c", help="The file with the table [setup].", metavar="FILE")]
Step = Annotated[
    str | None, typer.Option("--step", help="One step, by name or number; all without it.", metavar="STEP")
]
Json = Annotated[bool, typer.Option("--json", help="Write the table as JSON.")]
CONFIG = Path("aoai.toml")


@app.command()
def example() -> None:
    """Print an aoai.toml to put your own values in."""
    from ..config import shipped

    print((shipped("notebooks") / "setup/aoai.example.toml").read_text("utf-8"), end="")


@app.command()
def check(config: Config = CONFIG, json: Json = False) -> None:
    """Check sign-in, rights, regions, models, quota and names, before anything is made. Exits 1 where one fails."""
    _show_findings(_guide(config).check(), json)


@app.command("what-if")
def what_if(
    step: Annotated[str, typer.Argument(help="A step, by name or number.", metavar="STEP")], config: Config = CONFIG
) -> None:
    """Say what deploying a step would change. Makes nothing."""
    print(_guide(config).what_if(step))


@app.command()
def run(
    config: Config = CONFIG,
    first: Annotated[str | None, typer.Option("--from", help="The first step to run.", metavar="STEP")] = None,
    last: Annotated[str | None, typer.Option("--to", help="The last step to run.", metavar="STEP")] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Only that step; may be repeated.", metavar="STEP")
    ] = None,
    wait: Annotated[
        float, typer.Option("--wait-minutes", help="How long to wait for rows in the logs, at most.")
    ] = 120,
    out: Annotated[Path, typer.Option("--out", help="Where the notebooks go, with their outputs.")] = Path(
        "setup-runs"
    ),
) -> None:
    """Run the setup notebooks in order and stop at the first failure. Safe to run again.

    Without a choice it runs all that build, 00 to 07; 08-clients needs a key in GATEWAY_KEY, and 09-clean-up removes.
    """
    from ..setup.running import CLIENTS, chosen, for_clients
    from ..setup.running import run as run_notebooks

    guide = _guide(config)
    steps = chosen(first, last, only or [])
    parameters: dict[str, Any] = {"config": str(config.resolve()), "wait_minutes": wait}
    if any(step.name == CLIENTS for step in steps):
        parameters["gateway_url"] = for_clients(guide)
    for path in run_notebooks(steps, parameters, out, _say):
        print(path)


@app.command()
def verify(config: Config = CONFIG, step: Step = None, json: Json = False) -> None:
    """Ask the services about every requirement, and print the table. Exits 1 where one is not met."""
    _show_findings(_guide(config).findings(step), json)


@app.command()
def status(config: Config = CONFIG, json: Json = False) -> None:
    """Each step: when it was deployed, and how many of its requirements are met now."""
    _show(_guide(config).status(), json)


@app.command("clean-up")
def clean_up(
    config: Config = CONFIG,
    delete: Annotated[
        str | None, typer.Option("--delete", help="Delete the resource group of that name.", metavar="RESOURCE-GROUP")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again; for pipelines.")] = False,
) -> None:
    """List what the resource group holds; with its name, and when you confirm it, delete it with all in it."""
    guide = _guide(config)
    print(guide.inventory())
    if delete:
        _confirmed(f"the resource group {delete} with everything above", delete, yes)
        print(guide.delete(delete))


@app.command()
def purge(
    name: Annotated[str, typer.Argument(help="A soft-deleted account or gateway.")],
    config: Config = CONFIG,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again; for pipelines.")] = False,
) -> None:
    """Purge a soft-deleted account or gateway when you confirm it, which frees its name and cannot be undone."""
    guide = _guide(config)
    _confirmed(f"{name}, for good", name, yes)
    print(guide.purge(name, name))


def _guide(config: Path) -> Guide:
    from ..setup import open_setup

    return open_setup(config, say=_say)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _confirmed(what: str, name: str, yes: bool) -> None:
    if not yes and typer.prompt(f"This deletes {what}. Type its name to confirm", err=True) != name:
        from ..errors import SetupError

        raise SetupError("nothing was deleted: the name was not confirmed")


def _show(table: Table, json: bool) -> None:
    if json:
        from json import dumps

        keys = [heading.lower().replace(" ", "_") for heading in table.headings]
        rows: list[dict[str, Any]] = [dict(zip(keys, row, strict=True)) for row in table.rows]
        print(dumps(rows, indent=2, ensure_ascii=False))
    else:
        print(table)


def _show_findings(findings: Any, json: bool) -> None:
    _show(findings, json)
    if findings.failed:
        _say(f"{len(findings.failed)} of {len(findings.findings)} are not met.")
        raise typer.Exit(1)
    _say("Everything asked for is met.")
