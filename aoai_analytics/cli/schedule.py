"""``aoai schedule``: what runs reports on a timer, filled in with one's values."""

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

app = typer.Typer(help="Run reports on a timer: print the file that does, with your values.", no_args_is_help=True)


@app.command("list")
def list_them() -> None:
    """List the schedules: what each is, and by what time it runs."""
    from ..reporting.schedules import kinds

    found = kinds()
    for name, kind in found.items():
        print(f"{name:<{max(map(len, found))}}  {kind.title}; {kind.clock}")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="crontab, systemd, github or container-apps.", metavar="NAME")],
    every: Annotated[str, typer.Option("--every", help="monthly, weekly or daily.", metavar="KIND")] = "monthly",
    at: Annotated[
        str, typer.Option("--at", help="The time of day, in your time zone, to look for what is due.", metavar="HH:MM")
    ] = "06:00",
    report: Annotated[
        list[str] | None,
        typer.Option("--report", help="A report; may be repeated; the standing ones without it.", metavar="NAME"),
    ] = None,
    source: options.Source = None,
    logs: Annotated[
        list[str] | None,
        typer.Option("--logs", help="Logs to ingest into the lake first; may be repeated.", metavar="LOGS"),
    ] = None,
    time_zone: options.TimeZone = None,
    out: Annotated[str | None, typer.Option("--out", help="The folder for the pages.", metavar="DIR")] = None,
    deliver: Annotated[
        str | None, typer.Option("--deliver", help="A folder or container that the pages are sent to.", metavar="TO")
    ] = None,
    link: Annotated[
        str | None, typer.Option("--link", help="Where the pages are read, for the summary.", metavar="URL")
    ] = None,
    keep: Annotated[
        str | None, typer.Option("--keep", help="How long reports stay after their period, e.g. 400d.", metavar="SPAN")
    ] = None,
    credential: options.Credential = None,
    program: Annotated[
        str | None, typer.Option("--program", help="The aoai command; this one without it.", metavar="PATH")
    ] = None,
    folder: Annotated[
        str | None,
        typer.Option("--folder", help="Where it runs, and finds aoai.toml; here without it.", metavar="DIR"),
    ] = None,
    installation: Annotated[
        str | None, typer.Option("--name", help="container-apps: what the resources are named after.", metavar="NAME")
    ] = None,
    workspace: Annotated[
        str | None, typer.Option("--workspace", help="container-apps: the workspace's name.", metavar="NAME")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the files into this folder.", metavar="DIR")
    ] = None,
) -> None:
    """Print a schedule filled in with your values, ready to use; its first lines say how.

    It runs each day and makes the reports that are due, so that a missed or failed run is made up for by the next.
    What you leave out comes from aoai.toml or the AOAI_* variables.
    """
    from ..reporting.schedules import Schedule, checked, fill, kind, together

    given: dict[str, Any] = {
        "every": every, "at": _at(at), "reports": tuple(report or ()), "source": source, "logs": tuple(logs or ()),
        "time_zone": time_zone, "out": out, "deliver": deliver, "link": link, "keep": keep, "credential": credential,
        "program": program, "folder": folder, "name": installation, "workspace": workspace,
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
        raise WrongUse(f"--at '{text}' is no time of day: write it as 06:00") from error


def _here() -> dict[str, Any]:
    """The values that the settings and this machine give."""
    chosen = settings()
    found = Path(sys.argv[0]).absolute() if Path(sys.argv[0]).name == "aoai" else None
    program = found if found and found.is_file() else shutil.which("aoai") or Path(sys.executable).with_name("aoai")
    return {
        "source": options.source_or_default(None),
        "time_zone": chosen.time_zone,
        "out": str(chosen.reports),
        "keep": chosen.keep or "",
        "deliver": chosen.deliver or "",
        "link": chosen.link or "",
        "credential": chosen.credential or "",
        "program": str(program),
        "folder": str(Path.cwd()),
    }


def _this_clock(moment: datetime) -> timedelta:
    """How far this machine's clock is ahead of UTC at a moment."""
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
    """Run reports on a timer: print the file that does, with your values."""
