"""``aoai sample`` and ``aoai ingest``: logs made, logs read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..config import settings
from .progress import bar


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
    from ..logs.sample import write_sample

    with bar("Making requests") as progress:
        summary = write_sample(out, requests=requests, days=days, seed=seed, mix=mix, progress=progress)  # type: ignore[arg-type]
    print(
        f"{summary.requests:,} requests from {summary.start:%Y-%m-%d} to {summary.end:%Y-%m-%d}, "
        f"{summary.bytes / 1e6:,.0f} MB in {summary.files:,} files: {out / 'logs'}"
    )
    print(f"Next: aoai ingest {out / 'logs'}", file=sys.stderr)


def ingest(
    logs: Annotated[list[Path], typer.Argument(help="Folders or files of gateway logs.", metavar="LOGS...")],
    lake: Annotated[Path | None, typer.Option("--lake", help="The lake's folder.", metavar="DIR")] = None,
    no_messages: Annotated[
        bool, typer.Option("--no-messages", help="Let no prompt and no answer into the lake.")
    ] = False,
) -> None:
    """Read gateway logs into a lake: only what is new, and nothing twice; may be stopped and run again."""
    from ..library.semantic import recompute
    from ..logs.ingest import ingest as read
    from ..logs.lake import Lake

    folder = lake or settings().lake
    target = Lake.create(folder)
    with target.lock():
        with bar("Reading logs", of_bytes=True) as progress:
            summary = read(
                logs, target, messages=not no_messages, progress=lambda p: progress(p.bytes_done, p.bytes_total)
            )
        with bar("Computing requests, day by day") as progress:
            recompute(target, progress=progress)
        target.vacuum()
    for problem in summary.problems:
        print(problem, file=sys.stderr)
    rows = {
        "files": f"{summary.files:,}",
        "records": f"{summary.records:,}",
        "new": f"{summary.new:,}",
        "duplicate": f"{summary.duplicate:,}",
        "quarantined": f"{summary.quarantined:,}",
        "other categories": f"{summary.other:,}",
        "half a record at a file's end": f"{summary.pending:,}",
        "MB/s": f"{summary.megabytes_per_second:,.0f} ({summary.bytes / 1e6:,.0f} MB in {summary.seconds:,.1f} s)",
    }
    for name, value in rows.items():
        print(f"{name:<30} {value}")
    if summary.quarantined:
        print(f"Where the quarantined records are: {folder / '_aoai' / 'quarantine'}", file=sys.stderr)
    if summary.pending:
        print("Half records are read by a later ingest, once the gateway has written the rest.", file=sys.stderr)
