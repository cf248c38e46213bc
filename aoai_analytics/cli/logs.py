"""``aoai sample`` and ``aoai ingest``: logs made, logs read."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..config import settings
from ..errors import WrongUse
from . import options
from .progress import bar

if TYPE_CHECKING:
    from ..lake.delta import Lake


def sample(
    out: Annotated[Path, typer.Argument(help="A folder; new, empty, or of an earlier sample.", metavar="OUT")],
    requests: Annotated[int, typer.Option("--requests", help="Requests to make up.", metavar="N")] = 50_000,
    days: Annotated[int, typer.Option("--days", help="Days they spread over.", metavar="D")] = 14,
    seed: Annotated[int, typer.Option("--seed", help="Another seed gives other traffic.", metavar="S")] = 1,
    mix: Annotated[
        str, typer.Option("--mix", help="default, complete (nothing missing), languages or unseen-model.", metavar="M")
    ] = "default",
) -> None:
    """Make sample gateway logs, in the diagnostic-settings layout, with the truth beside them in truth.csv."""
    from ..sample import write_sample

    with bar("Making requests") as progress:
        summary = write_sample(out, requests=requests, days=days, seed=seed, mix=mix, progress=progress)  # type: ignore[arg-type]
    print(
        f"{summary.requests:,} requests from {summary.start:%Y-%m-%d} to {summary.end:%Y-%m-%d}, "
        f"{summary.bytes / 1e6:,.0f} MB in {summary.files:,} files: {out / 'logs'}"
    )
    print(f"Next: aoai ingest {out / 'logs'}", file=sys.stderr)


def ingest(
    logs: Annotated[
        list[str],
        typer.Argument(
            help="Folders, files or https:// containers of gateway logs, or one log-analytics:// source.",
            metavar="LOGS...",
        ),
    ],
    lake: Annotated[Path | None, typer.Option("--lake", help="The lake's folder.", metavar="DIR")] = None,
    no_messages: Annotated[
        bool, typer.Option("--no-messages", help="Let no prompt and no answer into the lake.")
    ] = False,
    since: options.Since = None,
    start: options.Start = None,
    end: options.End = None,
    credential: options.Credential = None,
) -> None:
    """Read gateway logs into a lake: only what is new, and nothing twice; may be stopped and run again."""
    from ..lake.delta import Lake

    folder = lake or settings().lake
    sources = [text for text in logs if text.startswith("log-analytics://")]
    if sources and len(logs) > 1:
        raise WrongUse("a log-analytics:// source is pulled by itself: give it alone")
    if sources and not (since or start):
        raise WrongUse("say from when to pull: --since 30d, or --start 2026-11-01")
    if not sources and (since or start or end):
        raise WrongUse("files are read whole: leave out --since, --start and --end")
    target = Lake.create(folder)
    with target.lock():
        if sources:
            begin, until = options.time_span(since, start, end)
            _pull(sources[0], target, begin, until, messages=not no_messages)
        else:
            _read(logs, target, messages=not no_messages)
        target.vacuum()


def _read(logs: list[str], lake: Lake, *, messages: bool) -> None:
    from ..engines.credentials import credential_for
    from ..lake.containers import place_of
    from ..lake.ingest import ingest as read
    from ..lake.recompute import recompute

    # Signing in is asked of those only who read from Azure.
    credential = credential_for(settings().credential) if any(map(place_of, logs)) else None
    with bar("Reading logs", of_bytes=True) as progress:
        summary = read(
            logs,
            lake,
            messages=messages,
            credential=credential,
            progress=lambda p: progress(p.bytes_done, p.bytes_total),
        )
    with bar("Computing requests, day by day") as progress:
        recompute(lake, progress=progress)
    for problem in summary.problems:
        print(problem, file=sys.stderr)
    _tell(
        {
            "files": f"{summary.files:,}",
            "records": f"{summary.records:,}",
            "new": f"{summary.new:,}",
            "duplicate": f"{summary.duplicate:,}",
            "quarantined": f"{summary.quarantined:,}",
            "other categories": f"{summary.other:,}",
            "half a record at a file's end": f"{summary.pending:,}",
            "MB/s": f"{summary.megabytes_per_second:,.0f} ({summary.bytes / 1e6:,.0f} MB in {summary.seconds:,.1f} s)",
        }
    )
    if summary.quarantined:
        print(f"Where the quarantined records are: {lake.path / '_aoai' / 'quarantine'}", file=sys.stderr)
    if summary.pending:
        print("Half records are read by a later ingest, once the gateway has written the rest.", file=sys.stderr)


def _pull(source: str, lake: Lake, start: datetime | None, end: datetime | None, *, messages: bool) -> None:
    from ..engines.log_analytics import LogAnalyticsEngine
    from ..lake.pull import pull

    engine = LogAnalyticsEngine.open(source, credential=settings().credential)
    try:
        with bar("Pulling rows") as progress, bar("Computing requests, day by day") as computing:
            summary = pull(
                engine,
                lake,
                start=start or datetime.min,
                end=end,
                messages=messages,
                progress=lambda p: progress(p.rows_done, p.rows_total),
                computing=computing,
            )
    finally:
        engine.close()
    _tell(
        {
            "hours": f"{summary.hours:,}",
            "hours known already": f"{summary.known:,}",
            "new": f"{summary.new:,}",
            "duplicate": f"{summary.duplicate:,}",
            "seconds": f"{summary.seconds:,.1f}",
        }
    )


def _tell(rows: dict[str, str]) -> None:
    for name, value in rows.items():
        print(f"{name:<30} {value}")
