"""``aoai schedule``: print the files that run reports on a timer, with your values."""

from __future__ import annotations

import shutil
import sys
import time
from datetime import datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Annotated, Any

import typer

from ..config import settings
from ..errors import WrongUse
from . import options

app = typer.Typer(help="Print the files that run reports on a timer.", no_args_is_help=True)


@app.command("list")
def list_them() -> None:
    """List the kinds of schedule and the clock each one follows."""
    from ..reporting.schedule import kinds

    found = kinds()
    for name, kind in found.items():
        print(f"{name:<{max(map(len, found))}}  {kind.title}; {kind.clock}")


# --out was the name of --pages.
@app.command(context_settings={"token_normalize_func": lambda word: "pages" if word == "out" else word})
def show(
    name: Annotated[str, typer.Argument(help="crontab, systemd, github or container-apps.", metavar="NAME")],
    every: Annotated[
        str, typer.Option("--every", help="yearly, quarterly, monthly, weekly or daily.", metavar="KIND")
    ] = "monthly",
    at: Annotated[str, typer.Option("--at", help="Time of day to run, in your time zone.", metavar="HH:MM")] = "06:00",
    report: Annotated[
        list[str] | None,
        typer.Option("--report", help="Report to run; repeatable (default: all standard ones).", metavar="NAME"),
    ] = None,
    source: options.Source = None,
    logs: Annotated[
        list[str] | None,
        typer.Option("--logs", help="Logs to ingest into the lake first; repeatable.", metavar="LOGS"),
    ] = None,
    time_zone: options.TimeZone = None,
    pages: Annotated[str | None, typer.Option("--pages", help="Folder for the pages.", metavar="DIR")] = None,
    deliver: Annotated[
        str | None, typer.Option("--deliver", help="Folder or container to copy the pages to.", metavar="TO")
    ] = None,
    link: Annotated[
        str | None, typer.Option("--link", help="Public URL of the delivered pages.", metavar="URL")
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option("--keep", help="How long to keep reports after their period, e.g. 400d.", metavar="SPAN"),
    ] = None,
    credential: options.Credential = None,
    program: Annotated[
        str | None, typer.Option("--program", help="Path of the aoai command (default: this one).", metavar="PATH")
    ] = None,
    folder: Annotated[
        str | None,
        typer.Option("--folder", help="Working folder with aoai.toml (default: this one).", metavar="DIR"),
    ] = None,
    installation: Annotated[
        str | None, typer.Option("--name", help="container-apps: base name of the resources.", metavar="NAME")
    ] = None,
    workspace: Annotated[
        str | None, typer.Option("--workspace", help="container-apps: workspace name.", metavar="NAME")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the files to this folder.", metavar="DIR")
    ] = None,
) -> None:
    """Print a schedule with your values, ready to use. Its first lines explain how to install it.

    The schedule runs daily and makes the reports that are due, so the next run makes up for a missed or failed one.
    Options you leave out come from aoai.toml or the AOAI_* variables.
    """
    from ..reporting.schedule import Schedule, checked, fill, kind, together

    given: dict[str, Any] = {
        "every": every, "at": _at(at), "reports": tuple(report or ()), "source": source, "logs": tuple(logs or ()),
        "time_zone": time_zone, "pages": pages, "deliver": deliver, "link": link, "keep": keep, "program": program,
        "credential": credential, "folder": folder, "name": installation, "workspace": workspace,
    }  # fmt: skip
    given = {key: value for key, value in given.items() if value}
    checked(name, list(given))
    takes = kind(name).takes
    values = {key: value for key, value in _here().items() if key in takes} | given
    if missing := [key for key in ("name", "workspace") if key in takes and key not in given]:
        raise WrongUse(f"the schedule {name} needs {' and '.join(f'--{key} NAME' for key in missing)}")
    schedule = Schedule(**values)
    if output is not None:
        _write(output, together(name, schedule))
        return
    files = fill(name, schedule, _this_clock)
    for file, text in files.items():
        if len(files) > 1:
            print(f"# {file}")
        print(text, end="" if file == list(files)[-1] else "\n")


def _at(text: str) -> time_of_day:
    try:
        return datetime.strptime(text, "%H:%M").time()
    except ValueError as error:
        raise WrongUse(f"--at '{text}' is not a time of day: use HH:MM, e.g. 06:00") from error


def _here() -> dict[str, Any]:
    """Values from the settings and this machine."""
    chosen = settings()
    found = Path(sys.argv[0]).absolute() if Path(sys.argv[0]).name == "aoai" else None
    program = found if found and found.is_file() else shutil.which("aoai") or Path(sys.executable).with_name("aoai")
    return {
        "source": options.source_or_default(None),
        "time_zone": chosen.time_zone,
        "pages": str(chosen.reports),
        "keep": chosen.keep or "",
        "deliver": chosen.deliver or "",
        "link": chosen.link or "",
        "credential": chosen.credential or "",
        "program": str(program),
        "folder": str(Path.cwd()),
    }


def _this_clock(moment: datetime) -> timedelta:
    """This machine's UTC offset at a given time."""
    return timedelta(seconds=time.localtime(moment.timestamp()).tm_gmtoff)


def _write(folder: Path, files: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / file).write_text(text, "utf-8")
            print(folder / file)
    except OSError as error:
        raise WrongUse(f"cannot write {error.filename}: {error.strerror}") from error


@app.callback()
def _app() -> None:
    """Print the files that run reports on a timer."""
