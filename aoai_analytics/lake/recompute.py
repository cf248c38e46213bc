"""Computing the semantic layer's tables in a lake: the KQL functions, run for the dates an ingest touched.

``AoaiRequestsLogged`` and ``AoaiMessages`` of a date come from that date's gateway rows and the LLM rows of the
day before to the day after. ``AoaiRequests`` of a month comes from ``AoaiRequestsLogged`` of that month and the
one before, as its fits do. So what a date's rows are depends on the logs alone, never on the order of ingests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ..engines.kql.functions import computed, shipped_functions
from ..engines.local import LocalEngine
from ..library.queries import library
from ..schema.table import Table
from ..schema.tables import GATEWAY_LOGS, LLM_LOG, MESSAGES, REQUESTS, REQUESTS_LOGGED
from .delta import Lake

if TYPE_CHECKING:
    import pyarrow as pa

#: Log bytes (compressed) computed at once: it bounds memory, and few large steps are faster than many small ones.
_STEP_BYTES = 192 * 2**20


def functions_version() -> str:
    """A hash of the stored tables' definitions: tables computed by other text are computed anew."""
    digest = hashlib.sha256()
    functions = library().functions()
    for table in (REQUESTS_LOGGED, REQUESTS, MESSAGES):
        text = functions[table.name].text
        for name in (table.name, *computed(text, shipped_functions())):
            digest.update(f"{name}\0{functions[name].text}\0".encode())
    return digest.hexdigest()[:16]


def recompute(lake: Lake, *, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """Bring the computed tables up to date with the logs; the dates computed, in order.

    *progress* is called with (dates done, dates to do). May be killed at any moment and run again: a date
    counts as done only when its last table is written. Raises LakeError, QueryError.
    """
    version = functions_version()
    dirty = lake.dirty_dates(functions=version)
    if not dirty:
        return []
    metadata = lake.raw_versions() | {"functions": version}
    engine = LocalEngine(lake, str(lake.path))
    functions = library().functions()
    try:
        done = 0
        for step in _steps(lake, dirty):
            for table in (REQUESTS_LOGGED, MESSAGES):
                rows = _of_days(engine, functions[table.name].text, table, step)
                known = metadata if table is MESSAGES else None
                lake.replace_dates(table.name, rows, step, metadata=known)
            done += len(step)
            if progress:
                progress(done, len(dirty))
        for month in _months(dirty):
            last = _next_month(month) - timedelta(days=1)
            dates = [day for day in lake.dates(REQUESTS_LOGGED.name) if month.isoformat() <= day <= last.isoformat()]
            dates += [day for day in dirty if month.isoformat() <= day <= last.isoformat() and day not in dates]
            if dates:
                rows = _of_month(engine, functions[REQUESTS.name].text, month)
                lake.replace_dates(REQUESTS.name, rows, sorted(dates), metadata=metadata)
    finally:
        engine.close()
    return dirty


def _of_days(engine: LocalEngine, kql: str, table: Table, days: list[str]) -> pa.Table:
    """*table*'s rows of consecutive *days*."""
    start, end = _midnight(days[0]), _midnight(days[-1]) + timedelta(days=1)
    ranges = {
        GATEWAY_LOGS.name: (start, end),
        LLM_LOG.name: (start - timedelta(days=1), end + timedelta(days=1)),
    }
    rows, _ = engine.arrow(kql, ranges)
    return _as_stored(rows, table)


def _of_month(engine: LocalEngine, kql: str, month: date) -> pa.Table:
    """``AoaiRequests`` of the month that begins on *month*."""
    end = _next_month(month)
    begin = (month - timedelta(days=1)).replace(day=1)
    ranges = {REQUESTS_LOGGED.name: (_midnight(begin.isoformat()), _midnight(end.isoformat()))}
    rows, _ = engine.arrow(kql, ranges, limit_to=f"TimeGenerated >= TIMESTAMP '{month.isoformat()}'")
    return _as_stored(rows, REQUESTS)


def _as_stored(rows: pa.Table, table: Table) -> pa.Table:
    """*rows* in the table's own columns and types, no string null (Kusto has none), with the partition column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    schema = table.arrow_schema()
    columns = []
    for field in schema:
        if field.name == "date":
            columns.append(pc.strftime(rows["TimeGenerated"], format="%Y-%m-%d"))
        elif pa.types.is_timestamp(field.type):
            columns.append(pc.assume_timezone(rows[field.name].cast(pa.timestamp("us")), "UTC"))
        elif pa.types.is_string(field.type):
            columns.append(pc.fill_null(rows[field.name].cast(pa.string()), ""))
        else:
            columns.append(rows[field.name].cast(field.type))
    return pa.table(columns, schema=schema)


def _steps(lake: Lake, days: list[str]) -> Iterator[list[str]]:
    """*days* in runs of consecutive ones, cut where a run's logs grow too large."""
    step: list[str] = []
    size = 0
    for day in days:
        own = sum(Path(file).stat().st_size for file in lake.files(GATEWAY_LOGS.name, (day, day)))
        own += sum(Path(file).stat().st_size for file in lake.files(LLM_LOG.name, (day, day)))
        consecutive = step and _midnight(day) - _midnight(step[-1]) == timedelta(days=1)
        if step and (not consecutive or size + own > _STEP_BYTES):
            yield step
            step, size = [], 0
        step.append(day)
        size += own
    if step:
        yield step


def _months(days: list[str]) -> list[date]:
    """The months whose estimates *days* bear on: their own and the next, each by its first day."""
    own = {date.fromisoformat(day).replace(day=1) for day in days}
    return sorted(own | {_next_month(month) for month in own})


def _next_month(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def _midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
