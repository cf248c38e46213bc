"""Bringing a workspace's logs into a lake: hour by hour, in parallel, each hour's rows exactly once.

What was pulled is kept in the lake's own commits: the commit that completes an hour of a table carries a mark with
the number of rows the service had of it. A later pull first asks the service how many rows each hour has, and pulls
the hours that have more than their mark says: those that are missing, those that were under way, and those to which
late rows came. So it may be killed at any moment and run again. Rows that the lake has already, equal in every
column, are left out, as an ingest does.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..engines.gathering import Answer
from ..engines.log_analytics import LogAnalyticsEngine
from ..errors import PartialResult, WrongUse
from ..format.periods import utc
from ..schema.table import Table
from ..schema.tables import LOG_TABLES
from .delta import Lake
from .duplicates import without_known
from .journal import Journal
from .recompute import recompute
from .records import SHAPES, TEXT_COLUMNS, to_arrow
from .secrets import redact_columns

if TYPE_CHECKING:
    import pyarrow as pa

#: What one request is to bring: it bounds memory, and stays well within the service's 500,000 rows and 100 MB.
SLICE_ROWS = 25_000
SLICE_BYTES = 32_000_000
#: The service works on five queries of one user at once.
WORKERS = 5
_HOUR = timedelta(hours=1)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class PullProgress:
    """How far a pull is, in rows of the service."""

    rows_done: int
    rows_total: int


@dataclass
class PullSummary:
    """What a pull did: rows ``new`` to the lake and ``duplicate`` ones, whole ``hours`` pulled and those that were
    ``known`` already (both counted for each table), ``requests``, ``seconds``, and the ``dates`` that got rows."""

    new: int = 0
    duplicate: int = 0
    hours: int = 0
    known: int = 0
    requests: int = 0
    seconds: float = 0.0
    dates: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Slice:
    """A range of one table that one request brings, and the rows the service has of it; None: of its hour only."""

    table: Table
    start: datetime
    end: datetime
    hours: dict[datetime, int]
    rows: int | None


def pull(
    engine: LogAnalyticsEngine,
    lake: Lake,
    *,
    start: datetime,
    end: datetime | None = None,
    messages: bool = True,
    compute: bool = True,
    progress: Callable[[PullProgress], None] | None = None,
    computing: Callable[[int, int], None] | None = None,
) -> PullSummary:
    """Bring the two log tables of *start* <= TimeGenerated < *end* (None: now) into the lake, then compute its tables.

    With ``messages=False`` no body and no message text is asked for; with ``compute=False`` the computed tables wait
    for the next ``recompute``. After an error, Ctrl-C included, the engine asks nothing more: open another. *progress*
    is told of the pull, *computing* of what follows (see ``recompute``). Raises WrongUse; SourceError, QueryError
    where the service cannot be asked; PartialResult where it gives fewer rows than it counted; LakeError. What was
    pulled before an error stays.
    """
    began = time.perf_counter()
    # Azure has no gateway log from before 2015, and a lake takes none.
    start = max(utc(start), datetime(2015, 1, 1, tzinfo=UTC)).replace(minute=0, second=0, microsecond=0)
    end = min(utc(end) if end else datetime.now(UTC), datetime(2100, 1, 1, tzinfo=UTC))
    if start >= end:
        raise WrongUse("the start of a pull must be before its end")
    with lake.lock():
        # An ingest that was killed is finished first; what any left half-written is removed.
        Journal(lake).recover()
        run = _Pull(engine, lake, messages, progress)
        run.carry_out(start, end)
        run.summary.dates.sort()
        if compute:
            recompute(lake, progress=computing)
    run.summary.seconds = time.perf_counter() - began
    return run.summary


class _Pull:
    def __init__(
        self, engine: LogAnalyticsEngine, lake: Lake, messages: bool, progress: Callable[[PullProgress], None] | None
    ):
        self.engine = engine
        self.lake = lake
        self.messages = messages
        self.report = progress or (lambda _: None)
        self.summary = PullSummary()
        #: Slices still to come of an hour that is too large for one.
        self.parts_left: Counter[tuple[str, datetime]] = Counter()
        self.rows_of_parts: Counter[tuple[str, datetime]] = Counter()

    def carry_out(self, start: datetime, end: datetime) -> None:
        slices = [part for table in LOG_TABLES.values() for part in self._plan(table, start, end)]
        total = sum(sum(part.hours.values()) for part in slices if part.rows is not None)
        total += sum({(p.table.name, h): n for p in slices if p.rows is None for h, n in p.hours.items()}.values())
        done = 0
        self.report(PullProgress(0, total))
        waiting = iter(slices)
        pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="pull")
        under_way: dict[Future[Answer], _Slice] = {}
        try:
            while True:
                # Two more than can be asked at once: one is being written, one is about to be.
                while len(under_way) < WORKERS + 2 and (part := next(waiting, None)) is not None:
                    under_way[pool.submit(self._fetch, part)] = part
                if not under_way:
                    break
                finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in finished:
                    part = under_way.pop(future)
                    answer = future.result()
                    self._write(part, answer)
                    done = min(total, done + answer.rows.num_rows)
                    self.report(PullProgress(done, total))
        except BaseException:
            # Also Ctrl-C: no further request is begun, and those that wait for their turn end.
            self.engine.api.pace.stop()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _plan(self, table: Table, start: datetime, end: datetime) -> Iterator[_Slice]:
        """What is to be pulled of a table: runs of small hours of one day as one, large hours in parts."""
        counted = self.engine.arrow(
            f"{table.name} | summarize Rows = count(), Bytes = sum(_BilledSize) by Hour = bin(TimeGenerated, 1h)",
            (start, end),
        )
        if counted.cut is not None:
            raise PartialResult(f"{self.engine.source} returned an incomplete count for {table.name}: {counted.cut}")
        self.summary.requests += counted.requests
        hours: dict[datetime, tuple[int, int]] = {}
        for row in sorted(counted.rows.to_pylist(), key=lambda row: row["Hour"]):
            rows = row["Rows"]
            size = max(1, int(row["Bytes"] or 0) // SLICE_BYTES + 1, -(-rows // SLICE_ROWS))
            hours[row["Hour"].replace(tzinfo=UTC)] = (rows, size)
        marks = self.lake.transactions(table.name, map(self._mark, hours))
        todo = {hour: found for hour, found in hours.items() if found[0] > marks.get(self._mark(hour), 0)}
        self.summary.known += len(hours) - len(todo)
        run: dict[datetime, int] = {}
        for hour, (rows, parts) in todo.items():
            together = run and hour - max(run) == _HOUR and hour.date() == max(run).date()
            if run and (parts > 1 or not together or sum(run.values()) + rows > SLICE_ROWS):
                yield self._slice(table, run, end)
                run = {}
            if parts > 1:
                yield from self._parts(table, hour, rows, parts, end)
            else:
                run[hour] = rows
        if run:
            yield self._slice(table, run, end)

    def _slice(self, table: Table, run: dict[datetime, int], end: datetime) -> _Slice:
        return _Slice(table, min(run), min(end, max(run) + _HOUR), run, sum(run.values()))

    def _parts(self, table: Table, hour: datetime, rows: int, parts: int, end: datetime) -> Iterator[_Slice]:
        last = min(end, hour + _HOUR)
        width = max(_MICROSECOND, (last - hour) // parts)
        cuts = [hour + width * number for number in range(parts)] + [last]
        self.parts_left[table.name, hour] = parts
        for begin, finish in pairwise(cuts):
            yield _Slice(table, begin, finish, {hour: rows}, None)

    def _mark(self, hour: datetime) -> str:
        without = "" if self.messages else "/no-messages"
        return f"pull/{self.engine.source}{without}/{hour:%Y-%m-%dT%H}"

    def _fetch(self, part: _Slice) -> Answer:
        """The slice's rows. Raises PartialResult where they are fewer than the service counted, twice."""
        kql = part.table.name
        if not self.messages:
            texts = [name for name in part.table.columns if name in TEXT_COLUMNS]
            kql += f" | project-away {', '.join(texts)}"
        answer = self.engine.arrow(kql, (part.start, part.end))
        if part.rows is not None and answer.rows.num_rows < part.rows and answer.cut is None:
            again = self.engine.arrow(kql, (part.start, part.end))
            again.requests += answer.requests
            answer = again
        when = f"{part.table.name} from {part.start:%Y-%m-%d %H:%M} to {part.end:%Y-%m-%d %H:%M}"
        if answer.cut is not None:
            raise PartialResult(f"{self.engine.source} did not return all rows for {when}: {answer.cut}")
        if part.rows is not None and answer.rows.num_rows < part.rows:
            given = f"{answer.rows.num_rows:,}"
            counted = f"{part.rows:,} rows for {when}"
            raise PartialResult(f"{self.engine.source} counted {counted} but returned {given}; run again")
        return answer

    def _write(self, part: _Slice, answer: Answer) -> None:
        """Commits a slice's rows, and with them the marks of the hours that are complete now."""
        rows, _ = redact_columns(as_stored(answer.rows, part.table), but=("CorrelationId", "date"))
        fresh = without_equal(rows, part.table)
        fresh = _without_known(self.lake, fresh, part)
        self.summary.new += fresh.num_rows
        self.summary.duplicate += rows.num_rows - fresh.num_rows
        self.summary.requests += answer.requests
        marks = self._complete(part, rows)
        staged = self.lake.stage(part.table.name, fresh) if fresh.num_rows else []
        self.lake.commit(part.table.name, staged, marks=marks)
        self.summary.dates += [file.date for file in staged if file.date not in self.summary.dates]

    def _complete(self, part: _Slice, rows: pa.Table) -> dict[str, int]:
        """The marks of the slice's hours with the rows that came of each; none for an hour that has parts to come."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if part.rows is None:
            (hour,) = part.hours
            key = (part.table.name, hour)
            self.parts_left[key] -= 1
            self.rows_of_parts[key] += rows.num_rows
            if self.parts_left[key]:
                return {}
            if self.rows_of_parts[key] < part.hours[hour]:
                raise PartialResult(
                    f"{self.engine.source} counted {part.hours[hour]:,} rows of {part.table.name} in the hour from "
                    f"{hour:%Y-%m-%d %H:%M} but returned {self.rows_of_parts[key]:,}; run again"
                )
            self.summary.hours += 1
            return {self._mark(hour): self.rows_of_parts[key]}
        found: Counter[datetime] = Counter()
        hours = pc.floor_temporal(rows["TimeGenerated"].cast(pa.timestamp("us")), unit="hour")
        for entry in pc.value_counts(hours).to_pylist():
            found[entry["values"].replace(tzinfo=UTC)] = entry["counts"]
        self.summary.hours += len(part.hours)
        return {self._mark(hour): max(found[hour], 1) for hour in part.hours}


def as_stored(rows: pa.Table, table: Table) -> pa.Table:
    """A service's rows in the lake's columns and types, with the partition column; a column it lacks is null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    for schema_field in table.arrow_schema():
        name = schema_field.name
        if name == "date":
            columns.append(pc.strftime(rows["TimeGenerated"], format="%Y-%m-%d"))
        elif name not in rows.column_names:
            columns.append(pa.nulls(rows.num_rows, schema_field.type))
        elif table.columns[name] == "datetime":
            columns.append(pc.assume_timezone(rows[name].cast(pa.timestamp("us")), "UTC"))
        elif table.columns[name] == "dynamic":
            columns.append(pa.array([_bare(text) for text in rows[name].to_pylist()], pa.string()))
        else:
            columns.append(rows[name].cast(schema_field.type))
    return pa.table(columns, schema=table.arrow_schema())


def _bare(text: str | None) -> str | None:
    """A dynamic value's JSON as the lake stores it: a string bare, for a piece of a message is text, no JSON."""
    import orjson

    if text is None or not text.startswith('"'):
        return text
    bare: str = orjson.loads(text)
    try:
        orjson.loads(bare)
    except orjson.JSONDecodeError:
        return bare
    return text


def without_equal(rows: pa.Table, table: Table) -> pa.Table:
    """*rows*, each once. Whole rows are compared only where time and id are equal."""
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = ["TimeGenerated", *table.key]
    numbered = rows.select(keys).append_column("Row", pa.array(range(rows.num_rows), pa.int64()))
    groups = numbered.group_by(keys).aggregate([("Row", "list"), ("Row", "count")])
    drop = []
    for candidates in groups.filter(pc.greater(groups["Row_count"], 1))["Row_list"].to_pylist():
        seen = set()
        for row in sorted(candidates):
            values = tuple(rows.slice(row, 1).to_pylist()[0].values())
            if values in seen:
                drop.append(row)
            seen.add(values)
    if not drop:
        return rows
    return rows.filter(pc.invert(pc.is_in(pa.array(range(rows.num_rows), pa.int64()), pa.array(drop, pa.int64()))))


def _without_known(lake: Lake, rows: pa.Table, part: _Slice) -> pa.Table:
    """*rows* without those that the lake has: of this pull's former run, of another source, or of an ingest."""
    dates = (part.start.date().isoformat(), part.end.date().isoformat())
    micros = tuple(int(moment.timestamp() * 1_000_000) for moment in (part.start, part.end))
    if not lake.overlapping(part.table.name, dates, micros):  # type: ignore[arg-type]
        return rows
    shape = SHAPES[part.table.name]
    return to_arrow(shape, without_known(lake, shape, _tuples(rows, shape.names)))


def _tuples(rows: pa.Table, names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    import pyarrow as pa

    columns = []
    for name in names:
        column = rows[name]
        columns.append((column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist())
    return list(zip(*columns, strict=True))
