"""Cost Management exports into a lake: each day of an export has the rows of its newest run.

An export writes a run into a folder of its own: partitions, and ``manifest.json`` that lists them. Runs of a month are
cumulative, and a later one restates earlier days, so a run replaces what its export said of the days that it covers.
Which of several exports counts for a day and subscription is for KQL to say (``AoaiInvoice``).
https://learn.microsoft.com/azure/cost-management-billing/costs/tutorial-improved-exports
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath
from typing import Any

from ..errors import LogsError
from ..schema.sources import COST_DETAILS
from .blobs import Blob, Content, Unreadable, content_hash, find_blobs, plain_blocks, shown
from .cost_columns import ACTUAL, AMORTIZED, FOCUS, dataset_of, lacking_columns
from .cost_rows import cost_row, is_amortized
from .delta import Lake
from .journal import Journal
from .records import SHAPES, Misfit, to_arrow
from .rows import csv_pieces, header, parquet_pieces
from .secrets import redact
from .values import parse_time, utc_date
from .writing import widened

MANIFEST = "manifest.json"
_PART = re.compile(r"(?i)part_?\d+(?:_\d+)*")
#: The folder of a run: when it began.
_RAN = re.compile(r"20\d{10}")
#: Another version of these rules reads runs again that the lake has.
_RULES = 1
_ENTRIES = 1000


@dataclass
class Run:
    """One run of an export: its files, and what its manifest says, else what names and rows say."""

    files: list[Blob]
    export: str
    run: str
    when: int
    dataset: str = ""
    version: str = ""
    days: tuple[str, str] | None = None
    missing: tuple[str, ...] = ()


@dataclass
class CostsSummary:
    """What an ingest of exports did: ``runs`` found and those ``known`` already; charges that are ``new`` to the lake,
    ``replaced`` ones, ``quarantined`` rows and those of ``other`` services; ``reasons`` of the quarantined ones, with
    counts; ``problems``: one line for each run that was not read; ``dates`` that changed; ``seconds``."""

    runs: int = 0
    known: int = 0
    new: int = 0
    replaced: int = 0
    quarantined: int = 0
    other: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    seconds: float = 0.0


def ingest_costs(
    exports: Sequence[str | Path],
    lake: Lake,
    *,
    credential: Any = None,
    progress: Callable[[int, int], None] | None = None,
) -> CostsSummary:
    """Read the runs in *exports* (folders, files, containers) that *lake* lacks into ``CostDetails``, oldest first.

    Keeps charges of model accounts, their reservations, and API Management. A run of which a file is missing or cannot
    be read is not taken, since it would replace a whole one; a malformed row is quarantined. *progress* is called with
    (runs done, runs to do). Raises LogsError where there is no export, SourceError, LakeError.
    """
    began = time.perf_counter()
    blobs = find_blobs(exports, credential)
    summary = CostsSummary()
    with lake.lock():
        Journal(lake).recover()
        runs = sorted(_runs(blobs, summary), key=lambda run: (run.when, run.export, run.run))
        if not runs and not summary.problems:
            raise LogsError("no cost export found: give the folder that Cost Management writes, or its CSV or Parquet")
        summary.runs = len(runs)
        for done, run in enumerate(runs, 1):
            try:
                _take(lake, run, summary)
            except (Unreadable, OSError) as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else error
                summary.problems.append(f"{redact(shown(run.files[0].path.parent))}: {reason}; this run was not read")
            if progress:
                progress(done, len(runs))
    summary.dates = sorted(set(summary.dates))
    summary.seconds = time.perf_counter() - began
    return summary


def _runs(blobs: Sequence[Blob], summary: CostsSummary) -> Iterator[Run]:
    """The runs that files belong to: by their manifest; without one the partitions of a folder, else each file."""
    manifests = [blob for blob in blobs if blob.path.name.lower() == MANIFEST]
    others = [blob for blob in blobs if blob not in manifests and not blob.path.name.lower().endswith(".json")]
    for manifest in manifests:
        beside = {blob.path.name: blob for blob in others if blob.path.parent == manifest.path.parent}
        others = [blob for blob in others if blob.path.parent != manifest.path.parent]
        try:
            run = _of_manifest(manifest, beside)
        except (ValueError, KeyError, TypeError, AttributeError, OSError):
            summary.problems.append(f"{redact(manifest.name)}: not a manifest of Cost Management; its run was not read")
            continue
        if run is not None:
            yield run
    parts: dict[tuple[PurePath, str], list[Blob]] = {}
    for blob in others:
        name = blob.path.name
        parts.setdefault((blob.path.parent, _PART.sub("part", name) if _PART.search(name) else name), []).append(blob)
    for (folder, name), files in parts.items():
        named = "amortized" if re.search(r"(?i)amorti", f"{folder.name}/{name}") else ""
        ran = next((part for part in reversed(folder.parts) if _RAN.fullmatch(part)), "")
        # A copy of a file has the time of copying; the folder of a run has its own.
        when = max(file.modified for file in files) // 1000
        with suppress(ValueError):
            when = parse_time(datetime.strptime(ran, "%Y%m%d%H%M").replace(tzinfo=UTC))
        content = hashlib.blake2b("".join(map(content_hash, files)).encode(), digest_size=12).hexdigest()
        yield Run(files, redact(shown(folder / name)), content, when, AMORTIZED if named else "")


def _of_manifest(manifest: Blob, beside: dict[str, Blob]) -> Run | None:
    """The run that a manifest describes; None for one of another dataset, such as a price sheet."""
    import orjson

    with manifest.open() as stream:
        said = orjson.loads(b"".join(plain_blocks(stream)).removeprefix(b"\xef\xbb\xbf"))
    about, ran = said["exportConfig"], said["runInfo"]
    dataset = {"focuscost": FOCUS, "amortizedcost": AMORTIZED, "actualcost": ACTUAL, "usage": ACTUAL}.get(
        str(about["type"]).lower()
    )
    if dataset is None:
        return None
    names = [PurePath(str(blob["blobName"]).strip()).name for blob in said["blobs"]]
    return Run(
        files=[beside[name] for name in names if name in beside],
        export=redact(str(about.get("resourceId") or about["exportName"]).lower()),
        run=str(ran["runId"]),
        when=parse_time(re.sub(r"(\.\d{6})\d+", r"\1", str(ran["submittedTime"]))),
        dataset=dataset,
        version=str(about.get("dataVersion") or ""),
        days=(str(ran["startDate"])[:10], str(ran["endDate"])[:10]),
        missing=tuple(name for name in names if name not in beside),
    )


def _take(lake: Lake, run: Run, summary: CostsSummary) -> None:
    """Commit a run's rows in place of what its export said of these days, with a mark, in one step."""
    if run.missing:
        raise Unreadable(f"the manifest lists {run.missing[0]}, which is missing")
    mark = f"costs/{_RULES}/{run.export}/{run.run}"
    if lake.transaction(COST_DETAILS.name, mark) is not None:
        summary.known += 1
        return
    rows, bad = _rows(run, summary)
    about: dict[str, Any] = {
        "Dataset": run.dataset,
        "DatasetVersion": run.version,
        "ExportName": run.export,
        "RunId": run.run,
    }
    about |= {"RunTime": run.when, "Type": COST_DETAILS.name}
    schema, shape = COST_DETAILS.arrow_schema(), SHAPES[COST_DETAILS.name]
    tuples = [tuple((row | about).get(name) for name in shape.names) for row in rows]
    fresh = to_arrow(shape, tuples)
    # A day that a newer run covers is not taken from an older one, also where the newer has no charge on it.
    marks = {f"costs-day/{run.dataset}/{run.export}/{day}": day for day in _covered(run, rows)}
    newer = {marks[name] for name, when in lake.transactions(COST_DETAILS.name, marks).items() if when > run.when}
    dates = [day for day in marks.values() if day not in newer]
    fresh = fresh.filter([day not in newer for day in fresh["date"].to_pylist()]) if newer else fresh
    kept, replaced = _without_former(lake, run, dates)
    import pyarrow as pa

    table = pa.concat_tables([fresh.cast(schema), *kept])
    staged = lake.stage(COST_DETAILS.name, table) if table.num_rows else []
    lake.commit(
        COST_DETAILS.name,
        staged,
        replace=dates,
        marks={mark: 1} | {name: run.when for name, day in marks.items() if day not in newer},
    )
    if bad:
        journal = Journal(lake)
        batch = journal.new_batch()
        batch.quarantine += bad
        journal.commit(batch)
    summary.new += fresh.num_rows
    summary.replaced += replaced
    summary.dates += dates


def _rows(run: Run, summary: CostsSummary) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A run's rows, and the quarantine's entries of those that are malformed. Raises Unreadable, OSError."""
    rows: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    for blob in run.files:
        with Content(blob) as content:
            if not content.head:
                continue
            is_parquet = content.kind == "parquet"
            columns = [] if is_parquet else header(content, {})
            for piece in parquet_pieces(content) if is_parquet else csv_pieces(content):
                reason = piece.reason or ""
                if piece.position == 0:
                    columns = list(piece.records[0]) if is_parquet and piece.records else columns
                    run.dataset = run.dataset or dataset_of(columns)
                    if lacking := lacking_columns(columns):
                        raise Unreadable(f"the columns of {blob.path.name} are not those of a cost export: {lacking}")
                for record in piece.records:
                    try:
                        row = cost_row(record, run.dataset)
                    except Misfit as error:
                        reason = str(error)
                        continue
                    if row is None:
                        summary.other += 1
                    else:
                        rows.append(row)
                if reason:
                    summary.quarantined += 1
                    summary.reasons[reason] += 1
                    if len(bad) < _ENTRIES:
                        place = {"file": redact(blob.name), "unit": "row", "offset": piece.position, "length": 1}
                        bad.append({**place, "reason": redact(reason), "count": 1})
    if run.dataset == ACTUAL and not run.version and any(map(is_amortized, rows)):
        run.dataset = AMORTIZED
    for row in rows:
        if run.dataset == AMORTIZED:
            row["EffectiveCost"], row["BilledCost"] = row["BilledCost"], None
    return rows, bad


def _covered(run: Run, rows: Sequence[dict[str, Any]]) -> list[str]:
    """The days that a run speaks for: those of its manifest, else from the month's first to its last row's; and any
    other that a row has."""
    found = {utc_date(row["TimeGenerated"]) for row in rows}
    if run.days:
        first, last = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in run.days)
    elif rows:
        first = datetime.fromtimestamp(min(row["BillingPeriodStart"] for row in rows) / 1e6, UTC)
        last = datetime.fromtimestamp(max(row["TimeGenerated"] for row in rows) / 1e6, UTC)
    else:
        return []
    span = {(first + timedelta(days=n)).date().isoformat() for n in range(min((last - first).days + 1, 400))}
    return sorted(found | span)


def _without_former(lake: Lake, run: Run, days: Sequence[str]) -> tuple[list[Any], int]:
    """Of *days* the rows of other exports, and how many there are of this one."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    kept: list[Any] = []
    replaced = 0
    schema = COST_DETAILS.arrow_schema()
    for path in lake.files(COST_DETAILS.name, (days[0], days[-1])) if days else ():
        day = path.rpartition("/date=")[2].partition("/")[0]
        if day in days:
            table = pq.read_table(path, partitioning=None)
            table = widened(table.append_column("date", pa.repeat(day, table.num_rows)), schema)
            same = pc.and_(pc.equal(table["ExportName"], run.export), pc.equal(table["Dataset"], run.dataset))
            kept.append(table.filter(pc.invert(same)))
            replaced += table.num_rows - kept[-1].num_rows
    return kept, replaced
