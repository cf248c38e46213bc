"""``aoai setup``: run the guided setup from a terminal or a pipeline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import WrongUse
from .options import put

if TYPE_CHECKING:
    from ..setup import Guide
    from ..setup.findings import Table

app = typer.Typer(no_args_is_help=True, help="Set up the gateway step by step and verify it.")

Config = Annotated[Path, typer.Option("--config", "-c", help="File with the [setup] table.", metavar="FILE")]
Step = Annotated[str | None, typer.Option("--step", help="Step name or number (default: all).", metavar="STEP")]
Json = Annotated[bool, typer.Option("--json", help="Write the table as JSON.")]
CONFIG = Path("aoai.toml")


@app.command()
def example() -> None:
    """Print an example aoai.toml to fill in."""
    from ..config import shipped

    print((shipped("notebooks") / "setup/aoai.example.toml").read_text("utf-8"), end="")


@app.command()
def check(config: Config = CONFIG, json: Json = False) -> None:
    """Check login, permissions, regions, models, quota and names before deploying. Exits 1 if a check fails."""
    _show_findings(_guide(config).check(), json)


@app.command("what-if")
def what_if(
    step: Annotated[str, typer.Argument(help="Step name or number.", metavar="STEP")], config: Config = CONFIG
) -> None:
    """Show what deploying a step would change, without deploying it."""
    print(_guide(config).what_if(step))


@app.command()
def run(
    config: Config = CONFIG,
    first: Annotated[str | None, typer.Option("--from", help="First step to run.", metavar="STEP")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last step to run.", metavar="STEP")] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Run only this step; repeatable.", metavar="STEP")
    ] = None,
    wait: Annotated[float, typer.Option("--wait-minutes", help="Longest time to wait for log rows.")] = 120,
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder for the executed notebooks.")] = Path(
        "setup-runs"
    ),
) -> None:
    """Run the setup notebooks in order; stop at the first failure. Safe to run again.

    By default it runs the notebooks that deploy: 00 to 07. 08-clients needs a key in GATEWAY_KEY; 09-clean-up deletes.
    """
    from ..setup.running import CLIENTS, chosen, for_clients
    from ..setup.running import run as run_notebooks

    guide = _guide(config)
    steps = chosen(first, last, only or [])
    parameters: dict[str, Any] = {"config": str(config.resolve()), "wait_minutes": wait}
    if any(step.name == CLIENTS for step in steps):
        parameters["gateway_url"] = for_clients(guide)
        if guide.configuration.sandbox:
            parameters["mcp_path"] = "/docs-mcp/mcp"
    for path in run_notebooks(steps, parameters, out, _say):
        print(path)


@app.command()
def verify(config: Config = CONFIG, step: Step = None, json: Json = False) -> None:
    """Check every requirement against Azure and print the results. Exits 1 if one is not met."""
    _show_findings(_guide(config).findings(step), json)


@app.command()
def status(config: Config = CONFIG, json: Json = False) -> None:
    """Show when each step was deployed and how many of its requirements are met."""
    _show(_guide(config).status(), json)


@app.command()
def prove(
    config: Config = CONFIG,
    out: Annotated[Path, typer.Option("--output", "-o", help="Page to write.", metavar="FILE")] = Path("proof.html"),
    count: Annotated[int, typer.Option("--calls", min=10, help="Number of calls to send.", metavar="N")] = 2000,
    wait: Annotated[float, typer.Option("--wait-minutes", help="Longest time to wait for log rows.")] = 150,
    query: Annotated[
        list[str] | None, typer.Option("--query", help="Ask only this library query; repeatable.", metavar="NAME")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Do not delete the installation, which costs money.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Skip confirmation, for pipelines.")] = False,
) -> None:
    """Prove the setup: deploy to a resource group of its own, call, compare the logs, write a page, and delete it.

    The group is yours with -prove at its end. States the cost and asks first. Exits 1 if anything differs or fails.
    """
    from ..setup.firing import with_low_thresholds
    from ..setup.guide import Guide as Installation
    from ..setup.proof_page import differing, page
    from ..setup.proving import CLOSED, cost_of
    from ..setup.proving import prove as run_proof
    from .proving import LogQuestions

    if not out.parent.is_dir():
        raise WrongUse(f"cannot write {out}: its folder is not there")
    given = _guide(config)
    parameters = with_low_thresholds({name: value for name, value in given.parameters.items() if name not in CLOSED})
    configuration = given.configuration
    if not configuration.sandbox:
        configuration = configuration.model_copy(update={"resource_group": f"{configuration.resource_group}-prove"})
    guide = Installation(configuration, parameters, say=_say)
    cost = "nothing: it is the sandbox" if configuration.sandbox else cost_of(guide, count)
    _say(f"This deploys to {configuration.resource_group}, sends {count:,} calls and deletes it again. Cost: {cost}.")
    if not yes and not typer.confirm("Continue?", err=True):
        from ..errors import SetupError

        raise SetupError("nothing was deployed")
    questions = LogQuestions(query, stored=configuration.sandbox)
    try:
        proof = run_proof(guide, questions, count=count, wait_minutes=wait, keep=keep, say=_say)
    finally:
        questions.close()
    put(page(proof).encode(), out)
    print(out)
    if proof.failed:
        _say(f"{differing(proof)}.")
        raise typer.Exit(1)


@app.command()
def budgets(
    config: Config = CONFIG,
    act: Annotated[
        bool, typer.Option("--suspend", help="Suspend subscriptions over their budget: their keys are refused.")
    ] = False,
    json: Json = False,
) -> None:
    """Show what each subscription spent of its monthly budget. With --suspend, suspend those over it; for a timer.

    A subscription is over its budget if no error of estimates explains it. Running step 05 lets it in again.
    """
    from ..setup.findings import Table
    from ..setup.subscriptions import suspend
    from .spending import spending, to_suspend

    guide = _guide(config)
    found = spending(guide)
    rows = [
        (
            each.subscription,
            f"{each.budget:,.2f}",
            f"{each.spent:,.2f}",
            "over" if each.over else "",
            f"{each.unknown:,}",
        )
        for each in found
    ]
    _show(Table(("Subscription", "Budget", "Spent", "State", "Requests of unknown cost"), rows), json)
    if act:
        for name in suspend(guide.installation(), to_suspend(found)):
            _say(f"subscription {name}: over its budget, suspended")


@app.command("clean-up")
def clean_up(
    config: Config = CONFIG,
    delete: Annotated[
        str | None, typer.Option("--delete", help="Delete this resource group.", metavar="RESOURCE-GROUP")
    ] = None,
    erase_logs: Annotated[
        bool, typer.Option("--erase-logs", help="With --delete: delete the workspace for good, not for 14 days.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Skip confirmation, for pipelines.")] = False,
) -> None:
    """List the contents of the resource group. With --delete, delete it after confirmation, and list what remains."""
    guide = _guide(config)
    print(guide.inventory())
    if delete:
        _confirmed(f"the resource group {delete} and everything listed above", delete, yes)
        print(guide.delete(delete, erase_logs=erase_logs))


@app.command()
def purge(
    name: Annotated[str, typer.Argument(help="Soft-deleted account or gateway.")],
    config: Config = CONFIG,
    yes: Annotated[bool, typer.Option("--yes", help="Skip confirmation, for pipelines.")] = False,
) -> None:
    """Purge a soft-deleted account or gateway after confirmation. Frees its name; cannot be undone."""
    guide = _guide(config)
    _confirmed(f"{name} permanently", name, yes)
    print(guide.purge(name, name))


def _guide(config: Path) -> Guide:
    from ..setup import open_setup

    return open_setup(config, say=_say)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _confirmed(what: str, name: str, yes: bool) -> None:
    if not yes and typer.prompt(f"This deletes {what}. Type the name to confirm", err=True) != name:
        from ..errors import SetupError

        raise SetupError("nothing was deleted: the name you typed does not match")


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
        _say(f"{len(findings.failed)} of {len(findings.findings)} requirements are not met.")
        raise typer.Exit(1)
    _say("All requirements are met.")
