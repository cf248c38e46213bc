"""``aoai report``: run the notebooks and write their pages."""

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
            help="Run every finished period without a complete report: monthly, weekly or daily.",
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
        typer.Option("--out", help="Output folder; each period gets a subfolder.", metavar="DIR"),
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
    show_prompts: options.ShowPrompts = False,
    credential: options.Credential = None,
) -> None:
    """Run the analysis notebooks and write an HTML report.

    The last line of output is the path of the report's first page. Exits 1 if part of the report failed.

    Each period has a subfolder in --out, and --out/index.html lists all reports. Running a period again replaces its
    report. --backfill runs every period in its range; with --resume, only those that failed or are missing. --deliver
    copies reports that are not yet at the destination; --due skips periods that are already there.
    """
    from ..reporting.collection import drop_expired
    from ..reporting.due import BACK
    from ..reporting.due import due as periods_due
    from ..reporting.execution import Kernels, light_imports
    from ..reporting.run import make_report, standing

    _one_of(period=period, backfill=backfill, due=due, since=since or start or end)
    if back is not None and not due:
        raise WrongUse("--back needs --due")
    with ExitStack() as run:
        run.enter_context(light_imports())
        # Kernels import while the rest is prepared; not with --due, where there may be nothing to run.
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
                "--show-prompts with --deliver would share prompts and responses: remove one of them, "
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
                    f"nothing is due: '{to or folder}' has the last {back or BACK} {due} reports",
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
    """Raises WrongUse if several options select the period."""
    named_by = [name for name, value in given.items() if value]
    if len(named_by) > 1:
        words = {"since": "--since, --start or --end"}
        first, second = (words.get(name, f"--{name}") for name in named_by[:2])
        raise WrongUse(f"{first} cannot be combined with {second}")


def _make(make_report: Any, names: list[str], common: dict[str, Any], of: str = "") -> bool:
    """Make one report; True if a part of it failed. With several reports, an error in one does not stop the others."""
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
        print(f"deleted, past --keep: {', '.join(gone)}", file=sys.stderr)
