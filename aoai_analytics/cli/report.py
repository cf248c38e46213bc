"""``aoai report``: run the notebooks and write their pages."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ..config import settings
from ..errors import ReportError, WrongUse
from ..format.periods import Named, age, between, ended, named
from . import options, progress


def report(
    names: Annotated[
        list[str] | None, typer.Argument(help="Reports to run (default: all standard ones).", metavar="NAME")
    ] = None,
    source: options.Source = None,
    period: options.Period = None,
    backfill: Annotated[
        str | None,
        typer.Option("--backfill", help="Run every period in a range, e.g. 2026-07..2026-10.", metavar="A..B"),
    ] = None,
    due: Annotated[
        str | None,
        typer.Option(
            "--due",
            help="Run every finished period without a complete report: yearly, quarterly, monthly, weekly, daily.",
            metavar="KIND",
        ),
    ] = None,
    back: Annotated[
        int | None, typer.Option("--back", help="Number of periods --due looks back (default: 3).", metavar="N")
    ] = None,
    since: options.Since = None,
    start: options.Start = None,
    end: options.End = None,
    time_zone: options.TimeZone = None,
    out: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Output folder; each period gets a subfolder.", metavar="DIR"),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option("--keep", help="Delete reports whose period ended longer ago, e.g. 400d.", metavar="SPAN"),
    ] = None,
    deliver: Annotated[
        str | None,
        typer.Option(
            "--deliver",
            help="Copy the reports to a folder or a container, e.g. https://ACCOUNT.blob.core.windows.net/$web.",
            metavar="TO",
        ),
    ] = None,
    link: Annotated[
        str | None,
        typer.Option("--link", help="Public URL of the delivered pages, for the summary.", metavar="URL"),
    ] = None,
    deliver_prompts: Annotated[
        bool, typer.Option("--deliver-prompts", help="Also deliver reports that show prompts and responses.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Run only notebooks that failed or did not finish.")] = False,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", help="Notebooks to run at once (default: number of CPUs).", metavar="N"),
    ] = None,
    single_file: Annotated[bool, typer.Option("--single-file", help="Write all pages into one file.")] = False,
    param: options.Param = None,
    only: options.Only = None,
    show_prompts: options.ShowPrompts = False,
    credential: options.Credential = None,
) -> None:
    """Run the analysis notebooks and write an HTML report.

    The last line of output is the path of the report's first page. Exits 1 if part of the report failed.

    Each period has a subfolder in --output, and --output/index.html lists all reports. Running a period again
    replaces its report. --backfill runs every period in its range; with --resume, only those that failed or are
    missing. --deliver copies reports that are not yet at the destination; --due skips periods that are already there.
    """
    from ..reporting.due import BACK
    from ..reporting.due import due as periods_due
    from ..reporting.run.kernels import Kernels
    from ..reporting.run.notebooks import standing
    from ..reporting.store.collection import drop_expired

    _one_period(period=period, backfill=backfill, due=due, since=since or start or end)
    if back is not None and not due:
        raise WrongUse("--back needs --due")
    with ExitStack() as run:
        # Kernels import while the rest is prepared; not with --due, where there may be nothing to run.
        kernels = None if due else run.enter_context(Kernels())
        chosen = settings()
        zone = options.zone_or_default(time_zone)
        age_limit = keep or chosen.keep
        kept_for = age(age_limit) if age_limit else None
        folder = out or chosen.reports
        # What is wrong in the words is said before the source is opened.
        periods: list[Named] = [named(period)] if period else between(backfill) if backfill else []
        if due:
            ended(due, datetime.now(UTC), zone, 1)
        names = names or standing(options.source_or_default(source))
        to = deliver or chosen.deliver
        prompts = deliver_prompts or chosen.deliver_prompts
        if to and show_prompts and not prompts:
            raise WrongUse(
                "--show-prompts with --deliver would share prompts and responses: remove one of them, "
                "or add --deliver-prompts"
            )
        there = _delivered(to) if to else {}
        common: dict[str, Any] = {
            "source": options.source_or_default(source),
            "time_zone": zone,
            "out": folder,
            "show_prompts": show_prompts,
            "given": options.parameters(param),
            "jobs": jobs,
            "single_file": single_file,
            "link": link or chosen.link,
            "elsewhere": there,
            "resume": resume or bool(due),
        }
        if due:
            periods = periods_due(
                due,
                out=folder,
                names=names,
                source=common["source"],
                time_zone=zone,
                now=datetime.now(UTC),
                back=BACK if back is None else back,
                keep=kept_for,
                elsewhere=there.values(),
            )
            if not periods:
                _say(f"nothing is due: '{to or folder}' has the last {back or BACK} {due} reports")
        common["kernels"] = kernels or (run.enter_context(Kernels()) if periods else None)
        failed = False
        for each in periods:
            failed |= _make(names, common | {"period": each.key}, each.key if len(periods) > 1 else "")
        if not (periods or due):
            first, last = options.time_span(since, start, end, None, time_zone)
            failed = _make(names, common | {"start": first, "end": last}, "")
        if kept_for and (gone := drop_expired(folder, kept_for, datetime.now(UTC))):
            _say(f"deleted, past --keep: {', '.join(gone)}")
        if to:
            from ..reporting.store.delivery import deliver as send

            _say(str(send(folder, to, keep=kept_for, prompts=prompts)))
        if failed:
            raise typer.Exit(1)


def _delivered(to: str) -> dict[str, Any]:
    from ..reporting.store.delivery import delivered  # Azure's libraries, which take a while

    return dict(delivered(to))


def _one_period(**given: str | None) -> None:
    """Raises WrongUse if several options select the period."""
    named_by = [name for name, value in given.items() if value]
    if len(named_by) > 1:
        words = {"since": "--since, --start or --end"}
        first, second = (words.get(name, f"--{name}") for name in named_by[:2])
        raise WrongUse(f"{first} cannot be combined with {second}")


def _make(names: list[str], common: dict[str, Any], of: str) -> bool:
    """Make one report; True if part of it failed. *of* names it among several: its error does not stop the others."""
    from ..reporting.run.report import make_report

    try:
        with progress.notebooks(names, of) as shown:
            result = make_report(names, **common, progress=shown)
    except ReportError as error:
        if not of:
            raise
        _say(f"{of}: {error}")
        return True
    for line in (*result.failures, *result.problems):
        _say(f"{of}: {line}" if of else line)
    print(result.index)
    return result.failed


def _say(text: str) -> None:
    print(text, file=sys.stderr)
