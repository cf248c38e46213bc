"""Computing the semantic layer's tables in a lake: the KQL functions, run for what an ingest brought.

``AoaiRequestsLogged`` and ``AoaiMessages`` of a date come from that date's gateway rows and the LLM rows of the
day before to the day after; each of their rows from the log rows of its request alone, so only the requests that new
log files name are computed. ``AoaiRequests`` of a month comes from ``AoaiRequestsLogged`` of that month and the
one before, as its fits do. So what a date's rows are depends on the logs alone, never on the order of ingests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ..engines.kql.functions import computed, shipped_functions
from ..engines.kql.remembered import beside
from ..engines.local import LocalEngine
from ..engines.views import Among
from ..schema.sources import APP_METRICS, AZURE_METRICS
from ..schema.table import Table
from ..schema.tables import GATEWAY_LOGS, LLM_LOG, MESSAGES, REQUESTS, REQUESTS_LOGGED
from .delta import Lake
from .freshness import Stale
from .rewriting import finish
from .translations import translations

if TYPE_CHECKING:
    import pyarrow as pa

#: Log bytes (compressed) computed at once: it bounds memory, and few large steps are faster than many small ones.
_STEP_BYTES = 192 * 2**20
#: ``AoaiRequests`` before metrics, of Azure and of the gateway, are considered.
ESTIMATED = "AoaiRequestsEstimated"
_EVIDENCE = "AoaiTokenEvidence"
#: The month before serves to fit only: what is estimated of it is not kept, and no estimate depends on another month's.
_OF_LAST_MONTH = """
| extend IsOpen = IsOpen and Month == toscalar(AoaiRequestsLogged | summarize max(startofmonth(TimeGenerated)))
"""
#: Where new files are so large a part of a date's, the whole date is computed: looking for its requests saves nothing.
_MOST_NEW = 0.5


def functions_version() -> str:
    """A hash of the stored tables' definitions: tables computed by other text are computed anew."""
    digest = hashlib.sha256()
    functions = shipped_functions()
    for table in (REQUESTS_LOGGED, REQUESTS, MESSAGES):
        for name in (table.name, *computed(functions[table.name], functions)):
            digest.update(f"{name}\0{functions[name]}\0".encode())
    return digest.hexdigest()[:16]


def estimating(lake: Lake) -> LocalEngine:
    """An engine for ``of_month`` of ESTIMATED that estimates the requests of the last month it reads, no others."""
    return LocalEngine(lake, str(lake.path), {_EVIDENCE: shipped_functions()[_EVIDENCE] + _OF_LAST_MONTH})


def of_month(engine: LocalEngine, name: str, month: date) -> pa.Table:
    """The rows of function *name*, ``AoaiRequests`` or ESTIMATED, of the month that begins on *month*, as stored.

    They come from ``AoaiRequestsLogged`` and metrics of that month and the one before. Raises QueryError.
    """
    end = _next_month(month)
    begin = (month - timedelta(days=1)).replace(day=1)
    within = (_midnight(begin.isoformat()), _midnight(end.isoformat()))
    ranges = dict.fromkeys((REQUESTS_LOGGED.name, AZURE_METRICS.name, APP_METRICS.name), within)
    limit = f"TimeGenerated >= TIMESTAMP '{month.isoformat()}'"
    rows, _ = engine.arrow(shipped_functions()[name], ranges, limit_to=limit)
    return _as_stored(rows, REQUESTS)


def recompute(lake: Lake, *, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """Bring the computed tables up to date with the logs; the dates computed, in order.

    *progress* is called with (dates done, dates to do). May be killed at any moment and run again: what a table's
    dates were computed from is noted with their rows. Raises LakeError, QueryError.
    """
    with lake.lock():
        finish(lake)
        run = _Run(lake)
        if run.dirty:
            try:
                run.carry_out(progress or (lambda done, total: None))
            finally:
                run.engine.close()
                run.estimating.close()
        return run.dirty


@dataclass(frozen=True)
class _Step:
    """Dates computed at once: all of consecutive ones, or only what is new of any."""

    days: list[str]
    whole: bool


class _Run:
    def __init__(self, lake: Lake):
        self.lake = lake
        # Reading all functions takes three seconds of a core, which an hourly ingest has no need to pay each time.
        with beside("the functions", translations(lake)):
            self.functions = functions_version()
            self.engine = LocalEngine(lake, str(lake.path))
            self.estimating = estimating(lake)
        self.files = lake.log_files()
        self.stale = {
            table.name: lake.stale_dates(table.name, functions=self.functions, files=self.files)
            for table in (REQUESTS_LOGGED, MESSAGES, REQUESTS)
        }
        self.dirty = sorted({day for days in self.stale.values() for day in days})

    def carry_out(self, progress: Callable[[int, int], None]) -> None:
        done = 0
        for step in self._steps():
            for table in (REQUESTS_LOGGED, MESSAGES):
                days = [day for day in step.days if day in self.stale[table.name]]
                if days and step.whole:
                    # A run of dates stays whole, for a table too that has some of them.
                    rows = _of_days(self.engine, shipped_functions()[table.name], table, step.days)
                    self._replace(table, rows, step.days)
                elif days:
                    self._compute_new(table, days)
            done += len(step.days)
            progress(done, len(self.dirty))
        for month in _months(self.dirty):
            self._compute_month(month)

    def _steps(self) -> Iterator[_Step]:
        """The dates to compute in steps of limited size."""
        tables = (REQUESTS_LOGGED.name, MESSAGES.name)
        stale = {day: [self.stale[name][day] for name in tables if day in self.stale[name]] for day in self.dirty}
        whole = [day for day, found in stale.items() if any(self._is_whole(day, one) for one in found)]
        for run in _runs(whole, self._size):
            yield _Step(run, True)
        few: list[str] = []
        size = 0
        for day, found in stale.items():
            if day in whole or not found:
                continue
            own = sum(map(self._size_of_new, found))
            if few and size + own > _STEP_BYTES:
                yield _Step(few, False)
                few, size = [], 0
            few.append(day)
            size += own
        if few:
            yield _Step(few, False)

    def _is_whole(self, day: str, stale: Stale) -> bool:
        if stale.whole or stale.settled:
            return stale.whole
        return self._size_of_new(stale) > _MOST_NEW * self._size(day)

    def _size(self, day: str) -> int:
        """The bytes of the log files that a date is computed from, but for its neighbours' LLM rows."""
        own = _sizes(self.lake, GATEWAY_LOGS, self.files.of_gateway(day).values())
        return own + _sizes(self.lake, LLM_LOG, self.files.llm.get(day, {}).values())

    def _size_of_new(self, stale: Stale) -> int:
        return _sizes(self.lake, GATEWAY_LOGS, stale.gateway or ()) + _sizes(self.lake, LLM_LOG, stale.llm or ())

    def _replace(self, table: Table, rows: pa.Table, days: list[str]) -> None:
        self.lake.replace_dates(table.name, rows, days, computed_from=self.files, functions=self.functions)

    def _compute_new(self, table: Table, days: list[str]) -> None:
        """Computes the requests of *days* that new files name."""
        import pyarrow as pa

        stale = [self.stale[table.name][day] for day in days]
        new_gateway = {path for one in stale for path in one.gateway or ()}
        new_llm = {path for one in stale for path in one.llm or ()}
        all_gateway = {path for day in days for path in self.files.of_gateway(day).values()}
        ids = self._ids_in(GATEWAY_LOGS, new_gateway)
        if new_llm:
            late = self._ids_in(LLM_LOG, new_llm) - ids
            ids |= late & self._ids_in(GATEWAY_LOGS, all_gateway - new_gateway)
        rows = table.arrow_schema().empty_table()
        if ids:
            all_llm = {path for day in days for path in self.files.of_llm(day).values()}
            among = Among(
                pa.array(sorted(ids), pa.string()),
                {
                    GATEWAY_LOGS.name: self._files_with(GATEWAY_LOGS, all_gateway, new_gateway, ids),
                    LLM_LOG.name: self._files_with(LLM_LOG, all_llm, new_llm, ids),
                },
            )
            rows = _of_days(self.engine, shipped_functions()[table.name], table, days, among)
        self.lake.replace_requests(table.name, rows, days, ids, computed_from=self.files, functions=self.functions)

    def _ids_in(self, table: Table, paths: Iterable[str]) -> set[str]:
        """The CorrelationIds in files of a log table."""
        import pyarrow.parquet as pq

        found: set[str] = set()
        for path in _absolute(self.lake, table, paths):
            found.update(pq.read_table(path, columns=["CorrelationId"], partitioning=None)["CorrelationId"].to_pylist())
        return found

    def _files_with(self, table: Table, paths: Collection[str], new: Collection[str], ids: set[str]) -> list[str]:
        """Of files of a log table, the new ones and those that name one of *ids*."""
        others = [path for path in paths if path not in new and not ids.isdisjoint(self._ids_in(table, [path]))]
        return sorted(map(str, _absolute(self.lake, table, [*new, *others])))

    def _compute_month(self, month: date) -> None:
        """``AoaiRequests`` of the month that begins on *month*; dates with unchanged rows are not written."""
        last = (_next_month(month) - timedelta(days=1)).isoformat()
        dates = [day for day in self.lake.dates(REQUESTS_LOGGED.name) if month.isoformat() <= day <= last]
        dates += [day for day in self.dirty if month.isoformat() <= day <= last and day not in dates]
        if not dates:
            return
        if self._has_metrics(month):
            # Calibration weighs the errors that the estimates of both months share.
            rows = of_month(self.engine, REQUESTS.name, month)
        else:
            rows = of_month(self.estimating, ESTIMATED, month)
        changed = _changed(self.lake, rows, sorted(dates))
        self.lake.replace_dates(
            REQUESTS.name,
            rows,
            sorted(dates),
            computed_from=self.files,
            functions=self.functions,
            unchanged=sorted({*dates} - {*changed}),
        )

    def _has_metrics(self, month: date) -> bool:
        begin = (month - timedelta(days=1)).replace(day=1)
        return any(begin.isoformat() <= day < _next_month(month).isoformat() for day in self.files.metrics)


def _changed(lake: Lake, rows: pa.Table, dates: list[str]) -> list[str]:
    """The *dates* whose stored rows of ``AoaiRequests`` differ from *rows*."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    order = [("TimeGenerated", "ascending"), ("CorrelationId", "ascending")]
    changed = []
    for day in dates:
        files = lake.files(REQUESTS.name, (day, day))
        own = rows.filter(pc.equal(rows["date"], day)).drop_columns(["date"])
        stored = [pq.read_table(file, partitioning=None) for file in files]
        if sum(part.num_rows for part in stored) == own.num_rows and all(part.schema == own.schema for part in stored):
            before = pa.concat_tables(stored) if stored else own
            if before.sort_by(order).equals(own.sort_by(order)):
                continue
        changed.append(day)
    return changed


def _absolute(lake: Lake, table: Table, paths: Iterable[str]) -> list[Path]:
    return [lake.path / table.name / unquote(path) for path in paths]


def _sizes(lake: Lake, table: Table, paths: Iterable[str]) -> int:
    return sum(path.stat().st_size for path in _absolute(lake, table, paths))


def _of_days(engine: LocalEngine, kql: str, table: Table, days: list[str], among: Among | None = None) -> pa.Table:
    """*table*'s rows of consecutive *days*, or of any days' requests *among* all."""
    start, end = _midnight(days[0]), _midnight(days[-1]) + timedelta(days=1)
    ranges = {
        GATEWAY_LOGS.name: (start, end),
        LLM_LOG.name: (start - timedelta(days=1), end + timedelta(days=1)),
    }
    rows, _ = engine.arrow(kql, ranges, among=among)
    return _as_stored(rows, table)


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


def _runs(days: list[str], size_of: Callable[[str], int]) -> Iterator[list[str]]:
    """*days* in runs of consecutive ones, cut where a run's logs grow too large."""
    run: list[str] = []
    size = 0
    for day in days:
        own = size_of(day)
        consecutive = run and _midnight(day) - _midnight(run[-1]) == timedelta(days=1)
        if run and (not consecutive or size + own > _STEP_BYTES):
            yield run
            run, size = [], 0
        run.append(day)
        size += own
    if run:
        yield run


def _months(days: list[str]) -> list[date]:
    """The months whose estimates depend on *days*: their own and the next, each by its first day."""
    own = {date.fromisoformat(day).replace(day=1) for day in days}
    return sorted(own | {_next_month(month) for month in own})


def _next_month(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def _midnight(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
