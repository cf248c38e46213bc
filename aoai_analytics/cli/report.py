"""``aoai report``: the notebooks run, their pages written."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from ..config import settings
from ..errors import ReportError, WrongUse
from ..format.periods import Named, age, between, named
from . import options, progress


def report(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which; the standing ones without it.", metavar="[NAME...]")
    ] = None,
    source: options.Source = None,
    period: options.Period = None,
    backfill: Annotated[
        str | None,
        typer.Option("--backfill", help="Each period of a range, such as 2026-07..2026-10.", metavar="A..B"),
    ] = None,
    due: Annotated[
        str | None,
        typer.Option(
            "--due",
            help="Each period that is over and has no whole report yet: monthly, weekly, daily.",
            metavar="KIND",
        ),
    ] = None,
    back: Annotated[
        int | None, typer.Option("--back", help="How many periods back --due looks; 3 without it.", metavar="N")
    ] = None,
    since: options.Since = None,
    start: options.Start = None,
    end: options.End = None,
    time_zone: options.TimeZone = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The folder for the pages; a named period has one of its own in it.", metavar="DIR"),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option("--keep", help="Remove reports whose period ended longer ago, e.g. 400d.", metavar="SPAN"),
    ] = None,
    deliver: Annotated[
        str | None,
        typer.Option(
            "--deliver",
            help="Send the reports to a folder, or a container: https://ACCOUNT.blob.core.windows.net/$web.",
            metavar="TO",
        ),
    ] = None,
    link: Annotated[
        str | None,
        typer.Option("--link", help="Where the pages are then read; the summary leads there.", metavar="URL"),
    ] = None,
    deliver_prompts: Annotated[
        bool, typer.Option("--deliver-prompts", help="Send also reports that show what people wrote.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Run only what failed, or what a run that was stopped left undone.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", help="Notebooks at a time; one a core without it.", metavar="N")
    ] = None,
    single_file: Annotated[
        bool, typer.Option("--single-file", help="All pages in one file that can be sent on its own.")
    ] = False,
    param: options.Param = None,
    show_prompts: options.ShowPrompts = False,
    credential: options.Credential = None,
) -> None:
    """Make an HTML report; the last line is the path of its first page. Exits 1 where a part of it failed.

    The report of a period goes to a folder of its name in --out, and --out/index.html lists them all. The same period
    again replaces it. --backfill makes every one of its periods again, with --resume those that failed or are missing.
    --deliver sends the reports in --out that the place it names has not; what is there is not due.
    """
    from ..reporting.collection import drop_expired
    from ..reporting.due import BACK
    from ..reporting.due import due as periods_due
    from ..reporting.execution import Kernels, light_imports
    from ..reporting.run import make_report, standing

    _one_of(period=period, backfill=backfill, due=due, since=since or start or end)
    if back is not None and not due:
        raise WrongUse("--back says how far back --due looks: give --due too")
    with ExitStack() as run:
        run.enter_context(light_imports())
        # Kernels' imports go on while all else is made ready; not where perhaps nothing is due.
        kernels = None if due else run.enter_context(Kernels())
        zone = options.zone_or_default(time_zone)
        kept_for = keep or settings().keep
        kept = age(kept_for) if kept_for else None
        folder = out or settings().reports
        chosen = names or standing()
        to = deliver or settings().deliver
        prompts = deliver_prompts or settings().deliver_prompts
        if to and show_prompts and not prompts:
            raise WrongUse(
                "--show-prompts shows what people wrote, and --deliver sends it to others: leave one of them out, "
                "or add --deliver-prompts"
            )
        common: dict[str, Any] = {
            "source": options.source_or_default(source),
            "time_zone": zone,
            "out": folder,
            "show_prompts": show_prompts,
            "given": options.parameters(param),
            "jobs": jobs,
            "single_file": single_file,
            "link": link or settings().link,
        }
        there = _delivered(to) if to else {}
        common["elsewhere"] = there
        many: list[Named] = [named(period)] if period else between(backfill) if backfill else []
        if due:
            now = datetime.now(UTC)
            many = periods_due(
                due,
                out=folder,
                names=chosen,
                source=common["source"],
                time_zone=zone,
                now=now,
                back=BACK if back is None else back,
                keep=kept,
                elsewhere=there.values(),
            )
            if not many:
                print(
                    f"nothing is due: '{to or folder}' has every {due} report of the last {back or BACK}",
                    file=sys.stderr,
                )
        failed = False
        common["kernels"] = kernels or (run.enter_context(Kernels()) if many else None)
        if many:
            for each in many:
                common |= {"period": each.key, "resume": resume or bool(due)}
                failed |= _make(make_report, chosen, common, each.key if len(many) > 1 else "")
        elif not due:
            first, last = options.time_span(since, start, end, None, time_zone)
            failed = _make(make_report, chosen, common | {"start": first, "end": last, "resume": resume})
        if kept is not None:
            _expire(drop_expired, folder, kept)
        if to:
            from ..reporting.delivery import deliver as send

            print(send(folder, to, keep=kept, prompts=prompts), file=sys.stderr)
        if failed:
            raise typer.Exit(1)


def _delivered(to: str) -> dict[str, Any]:
    from ..reporting.delivery import delivered  # Azure's libraries, which take their time

    return dict(delivered(to))


def _one_of(**given: str | None) -> None:
    """Raises WrongUse where several options name the period."""
    named_by = [name for name, value in given.items() if value]
    if len(named_by) > 1:
        words = {"since": "--since, --start and --end"}
        first, second = (words.get(name, f"--{name}") for name in named_by[:2])
        raise WrongUse(f"{first} says it all: leave out {second}")


def _make(make_report: Any, names: list[str], common: dict[str, Any], of: str = "") -> bool:
    """Make one report; whether a part of it failed. Of several, one that cannot be made leaves the others be."""
    try:
        with progress.notebooks(names, of) as shown:
            result = make_report(names, **common, progress=shown)
    except ReportError as error:
        if not of:
            raise
        print(f"{of}: {error}", file=sys.stderr)
        return True
    for line in (*result.failures, *result.problems):
        print(f"{of}: {line}" if of else line, file=sys.stderr)
    print(result.index)
    return bool(result.failed)


def _expire(drop_expired: Any, folder: Path, keep: timedelta) -> None:
    gone = drop_expired(folder, keep, datetime.now(UTC))
    if gone:
        print(f"removed as older than is kept: {', '.join(gone)}", file=sys.stderr)
