"""``aoai sample`` and ``aoai ingest``: generate logs, ingest logs."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..config import found, settings
from ..errors import LogsError, WrongUse
from . import options
from .progress import bar

if TYPE_CHECKING:
    from ..lake.delta import Lake
    from ..lake.metrics_pull import MetricsSummary
    from ..lake.pull import PullSummary


#: Seconds to wait for another ingest into the same lake: a round of --follow is over sooner.
_PATIENCE = 60


def sample(
    out: Annotated[Path, typer.Argument(help="Output folder: new, empty or from an earlier sample.", metavar="OUT")],
    requests: Annotated[int, typer.Option("--requests", help="Number of requests to generate.", metavar="N")] = 50_000,
    days: Annotated[int, typer.Option("--days", help="Number of days to spread them over.", metavar="D")] = 14,
    seed: Annotated[
        int, typer.Option("--seed", help="Random seed: a different seed gives different traffic.", metavar="S")
    ] = 1,
    mix: Annotated[
        str, typer.Option("--mix", help="default, complete (nothing missing), languages or unseen-model.", metavar="M")
    ] = "default",
    mcp: Annotated[int, typer.Option("--mcp", help="Also generate this many MCP calls.", metavar="N")] = 0,
    invoice: Annotated[bool, typer.Option("--invoice", help="Also generate cost exports of the same days.")] = False,
) -> None:
    """Generate sample gateway logs, with the true values in truth.csv.

    The logs have the layout that a diagnostic setting writes to a storage account.
    """
    from ..sample import write_sample

    with bar("Generating requests") as progress:
        summary = write_sample(
            out,
            requests=requests,
            days=days,
            seed=seed,
            mix=mix,  # type: ignore[arg-type]
            mcp_calls=mcp,
            invoice=invoice,
            progress=progress,
        )
    print(
        f"{summary.requests:,} requests from {summary.start:%Y-%m-%d} to {summary.end:%Y-%m-%d}, "
        f"{summary.bytes / 1e6:,.0f} MB in {summary.files:,} files: {out / 'logs'}"
    )
    print(f"Next: aoai ingest {out / 'logs'}", file=sys.stderr)
    if invoice:
        print(f"Then: aoai ingest costs {out / 'invoice'}", file=sys.stderr)


def ingest(
    logs: Annotated[
        list[str],
        typer.Argument(
            help="Folders, files or https:// containers with gateway logs, one log-analytics:// source, the word costs "
            "and then cost exports, or, with --subscription or --resource, the word metrics.",
            metavar="LOGS...",
        ),
    ],
    lake: Annotated[Path | None, typer.Option("--lake", help="Lake folder.", metavar="DIR")] = None,
    no_messages: Annotated[bool, typer.Option("--no-messages", help="Do not store prompts or responses.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Keep ingesting new records of files and containers until Ctrl-C.")
    ] = False,
    resource: Annotated[
        list[str] | None,
        typer.Option("--resource", help="Resource id of a model account with metrics; repeatable.", metavar="ID"),
    ] = None,
    subscription: Annotated[
        list[str] | None,
        typer.Option("--subscription", help="Subscription of model accounts with metrics; repeatable.", metavar="ID"),
    ] = None,
    region: Annotated[str, typer.Option("--region", help="Azure region of these accounts.", metavar="REGION")] = "",
    since: options.Since = None,
    start: options.Start = None,
    end: options.End = None,
    credential: options.Credential = None,
) -> None:
    """Ingest gateway logs, account metrics or cost exports into a lake.

    Reads only new records and stores none twice. You can stop it at any time and run it again.
    """
    from ..lake.delta import Lake
    from ..lake.upkeep import HOURS, optimize

    folder = lake or found(settings().lake)
    sources = [text for text in logs if text.startswith("log-analytics://")]
    if sources and len(logs) > 1:
        raise WrongUse("a log-analytics:// source cannot be combined with other logs: ingest it in a run of its own")
    if sources and not (since or start):
        raise WrongUse("--since or --start is required for a workspace, e.g. --since 30d or --start 2026-11-01")
    if resource or region or subscription:
        if logs != ["metrics"] or not (resource or subscription) or bool(resource) != bool(region):
            raise WrongUse(
                "metrics need accounts: aoai ingest metrics --subscription ID, or --resource ID --region REGION"
            )
        if follow:
            raise WrongUse("--follow applies to files and containers, not to metrics")
        if not (since or start):
            raise WrongUse("--since or --start is required for metrics, e.g. --since 7d")
        begin, until = options.time_span(since, start, end)
        _pull_metrics(_by_region(subscription or [], resource, region), Lake.create(folder), begin, until)
        return
    if logs[0] == "costs" and len(logs) > 1:
        if follow or since or start or end:
            raise WrongUse("--follow, --since, --start and --end do not apply to cost exports; they are read whole")
        _read_costs(logs[1:], Lake.create(folder))
        return
    if not sources and (since or start or end):
        raise WrongUse("--since, --start and --end apply only to a log-analytics:// source; files are read whole")
    if sources and follow:
        raise WrongUse("--follow applies to files and containers, not to a log-analytics:// source")
    target = Lake.create(folder)
    if follow:
        _follow(logs, target, messages=not no_messages)
        return
    with target.lock(wait=_PATIENCE):
        if sources:
            begin, until = options.time_span(since, start, end)
            _pull(sources[0], target, begin, until, messages=not no_messages)
        else:
            _read(logs, target, messages=not no_messages)
        optimize(target, only_worth=True)
        target.vacuum(hours=HOURS)


def _follow(logs: list[str], lake: Lake, *, messages: bool) -> None:
    """Ingest in rounds until Ctrl-C, with a line for each that brought something. Between rounds others may write."""
    from ..lake.containers import place_of
    from ..lake.ingest import ingest as read
    from ..lake.recompute import recompute
    from ..lake.upkeep import HOURS, optimize

    credential = _credential_for(logs)
    # A round lists every file, which costs in Azure Storage and little here.
    seconds = 60 if any(map(place_of, logs)) else 2
    told: set[str] = set()
    print(f"Following {', '.join(logs)}; Ctrl-C stops", file=sys.stderr)
    try:
        for round_number in count(1):
            try:
                with lake.lock(wait=_PATIENCE):
                    summary = read(logs, lake, messages=messages, credential=credential)
                    recompute(lake)
                    if round_number % 100 == 0:
                        optimize(lake, only_worth=True)
                        lake.vacuum(hours=HOURS)
            except LogsError as error:
                # The logs may not be there yet.
                problems = [f"{error}; still waiting"]
            else:
                problems = summary.problems
                if summary.records:
                    kinds = {"new": summary.new, "duplicate": summary.duplicate, "quarantined": summary.quarantined}
                    parts = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items() if number)
                    print(f"{datetime.now():%H:%M:%S}  {parts or 'other categories only'}", flush=True)
            for problem in problems:
                if problem not in told:
                    print(problem, file=sys.stderr)
            told |= set(problems)
            time.sleep(seconds)
    except KeyboardInterrupt:
        print("Stopped", file=sys.stderr)


def _credential_for(logs: list[str]) -> Any:
    """Only reading from Azure needs a login."""
    from ..engines.credentials import credential_for
    from ..lake.containers import place_of

    return credential_for(settings().credential) if any(map(place_of, logs)) else None


def _read(logs: list[str], lake: Lake, *, messages: bool) -> None:
    from ..lake.ingest import ingest as read
    from ..lake.recompute import recompute

    credential = _credential_for(logs)
    with bar("Reading logs", of_bytes=True) as progress:
        summary = read(
            logs,
            lake,
            messages=messages,
            credential=credential,
            progress=lambda p: progress(p.bytes_done, p.bytes_total),
        )
    with bar("Computing requests by day") as progress:
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
            "incomplete trailing record": f"{summary.pending:,}",
            "MB/s": f"{summary.megabytes_per_second:,.0f} ({summary.bytes / 1e6:,.0f} MB in {summary.seconds:,.1f} s)",
        }
    )
    if summary.others:
        named = ", ".join(f"{name} {count:,}" for name, count in sorted(summary.others.items()))
        print(f"Records of categories that are not read: {named}", file=sys.stderr)
    if summary.quarantined:
        print(f"Quarantined records: {lake.path / '_aoai' / 'quarantine'}", file=sys.stderr)
    if summary.pending:
        print("Ingest again to read incomplete records, once the gateway has written the rest.", file=sys.stderr)


def _read_costs(exports: list[str], lake: Lake) -> None:
    from ..lake.costs import ingest_costs

    with bar("Reading cost exports") as progress:
        summary = ingest_costs(exports, lake, credential=_credential_for(exports), progress=progress)
    for problem in summary.problems:
        print(problem, file=sys.stderr)
    _tell(
        {
            "export runs": f"{summary.runs:,}",
            "already ingested": f"{summary.known:,}",
            "new": f"{summary.new:,}",
            "replaced": f"{summary.replaced:,}",
            "quarantined": f"{summary.quarantined:,}",
            "other services": f"{summary.other:,}",
        }
    )
    if summary.quarantined:
        why = "; ".join(f"{reason} ({rows:,} rows)" for reason, rows in summary.reasons.most_common(3))
        place = lake.path / "_aoai" / "quarantine"
        print(f"The invoice is incomplete: {why}. Quarantined rows: {place}", file=sys.stderr)
    if summary.problems and len(summary.problems) >= summary.runs:
        raise LogsError("no export run could be read")


def _pull(source: str, lake: Lake, start: datetime | None, end: datetime | None, *, messages: bool) -> None:
    from ..engines.log_analytics import LogAnalyticsEngine
    from ..lake.pull import pull

    engine = LogAnalyticsEngine.open(source, credential=settings().credential)
    try:
        with bar("Pulling rows") as progress, bar("Computing requests by day") as computing:
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
    _tell_pulled(summary)


def _by_region(subscriptions: list[str], resources: list[str] | None, region: str) -> dict[str, list[str]]:
    from ..lake.accounts import accounts_by_region

    found = {region: list(resources)} if resources else {}
    for subscription in subscriptions:
        for place, ids in accounts_by_region(subscription, credential=settings().credential).items():
            found[place] = [*found.get(place, []), *ids]
    return found


def _pull_metrics(by_region: dict[str, list[str]], lake: Lake, start: datetime | None, end: datetime | None) -> None:
    from ..lake.metrics_pull import MetricsSummary, pull_metrics
    from ..lake.recompute import recompute

    total = MetricsSummary()
    for region, resources in by_region.items():
        with bar(f"Pulling metrics, {region}") as progress:
            total += pull_metrics(
                resources,
                lake,
                region=region,
                start=start or datetime.min,
                end=end,
                credential=settings().credential,
                progress=progress,
            )
    with bar("Computing requests by day") as progress:
        recompute(lake, progress=progress)
    _tell_pulled(total)


def _tell_pulled(summary: PullSummary | MetricsSummary) -> None:
    _tell(
        {
            "hours": f"{summary.hours:,}",
            "hours already pulled": f"{summary.known:,}",
            "new": f"{summary.new:,}",
            "duplicate": f"{summary.duplicate:,}",
            "seconds": f"{summary.seconds:,.1f}",
        }
    )


def _tell(rows: dict[str, str]) -> None:
    for name, value in rows.items():
        print(f"{name:<30} {value}")
