"""Makes a lake of millions of requests in minutes: from the tables of a small lake, not from logs.

    large_lake.py LAKE [--requests 10000000] [--days 182] [--text-days 28]

A sample of 28 days is ingested. DuckDB then copies its stored rows onto each day of the large lake, by day of the week,
with ids, times and addresses of their own; the lake's own writer writes and commits them.
``AoaiRequests``, whose estimates depend on all requests, is computed by the product. Bodies and messages are kept for
the last ``--text-days``; earlier ones are as after ``aoai lake expire --texts-before``. The last day ends at 10:00, so
that a next hour can follow.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import duckdb

from aoai_analytics.lake import freshness
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.recompute import functions_version, recompute
from aoai_analytics.lake.records import TEXT_COLUMNS
from aoai_analytics.lake.writing import StagedFile
from aoai_analytics.sample import write_sample
from aoai_analytics.sample.write import LAST_DAY
from aoai_analytics.schema.sql import quoted, sql_text
from aoai_analytics.schema.table import Table
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, MESSAGES, REQUESTS_LOGGED

#: Tables whose rows are copied.
COPIED = (GATEWAY_LOGS, LLM_LOG, REQUESTS_LOGGED, MESSAGES)
SEED_DAYS = 28
#: The hour at which the last day ends.
LAST_HOUR = 10
_TEXTS = TEXT_COLUMNS | {"ErrorMessage", "LastErrorMessage", "Errors", "TraceRecords"}


def make(
    folder: Path,
    requests: int = 10_000_000,
    *,
    days: int = 182,
    text_days: int = 28,
    seed_requests: int = 40_000,
    seed: Lake | None = None,
    memory: str = "6GB",
    threads: int = 1,
    verbose: bool = False,
) -> Lake:
    """A computed lake in *folder* with about so many requests, to LAST_DAY; *seed* has what is copied.

    Raises AoaiError.
    """
    began = time.perf_counter()

    def tell(what: str) -> None:
        if verbose:
            print(f"{time.perf_counter() - began:7.0f} s  {what}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="large-lake-", dir=folder.parent) as scratch:
        seed = seed or _seed(Path(scratch), seed_requests)
        tell(f"a lake of {seed_requests:,} requests to copy from")
        lake = Lake.create(folder)
        with duckdb.connect(config={"memory_limit": memory, "threads": threads, "temp_directory": scratch}) as database:
            database.execute("SET TimeZone='UTC'")
            _read_seed(database, seed)
            copies = requests * 7 / (days * seed_requests)
            staged: dict[str, list[StagedFile]] = {table.name: [] for table in COPIED}
            wanted = [LAST_DAY - timedelta(days=back) for back in reversed(range(days))]
            for number, day in enumerate(wanted):
                _copy(database, day, copies)
                has_texts = days - number <= text_days
                for table in COPIED if has_texts else COPIED[:-1]:
                    rows = database.sql(_rows_of(table, has_texts)).to_arrow_table()
                    staged[table.name] += lake.stage(table.name, rows)
                if number % 14 == 13:
                    tell(f"{number + 1} of {days} days")
        _commit(lake, staged, [day.isoformat() for day in wanted])
        tell("committed; computing AoaiRequests")
        recompute(lake, progress=lambda done, total: None)
        _settle(lake, [day.isoformat() for day in wanted[: max(0, days - text_days)]])
        tell("done")
    return lake


def _seed(folder: Path, requests: int) -> Lake:
    write_sample(folder / "sample", requests=requests, days=SEED_DAYS)
    seed = Lake.create(folder / "lake")
    ingest([folder / "sample/logs"], seed)
    shutil.rmtree(folder / "sample")
    recompute(seed)
    return seed


def _read_seed(database: duckdb.DuckDBPyConnection, seed: Lake) -> None:
    """The seed's tables as views, and ``requests`` with the day of the week of each."""
    for table in COPIED:
        files = ", ".join(map(sql_text, seed.files(table.name)))
        database.execute(
            f"CREATE TABLE {table.name} AS FROM read_parquet([{files}], union_by_name=true, hive_partitioning=false)"
        )
    database.execute(f"""CREATE TABLE requests AS SELECT CorrelationId, moment, isodow(moment) AS weekday FROM (
        SELECT CorrelationId, min(TimeGenerated) AS moment FROM {GATEWAY_LOGS.name} GROUP BY ALL)""")


def _copy(database: duckdb.DuckDBPyConnection, day: date, copies: float) -> None:
    """``copied``: for a day the requests to copy, as often as *copies* says on average, with id, shift and network."""
    least, share = int(copies), copies - int(copies)
    begin = f"TIMESTAMPTZ '{day.isoformat()} 00:00:00+00'"
    last = f"AND moment + shift < {begin} + INTERVAL {LAST_HOUR} HOUR" if day == LAST_DAY else ""
    database.execute(f"""CREATE OR REPLACE TABLE copied AS SELECT * FROM (
        SELECT CorrelationId, moment, number AS network,
            CAST(md5(concat_ws('/', CorrelationId, number, '{day}')) AS UUID)::VARCHAR AS id,
            {begin} + to_microseconds(CAST((epoch_us(moment) + hash(CorrelationId, number, '{day}') % 3600000000)
                % 86400000000 AS BIGINT)) - moment AS shift
        FROM requests, range({least + 1}) AS copies(number)
        WHERE weekday = {day.isoweekday()}
            AND (number < {least} OR hash(number, CorrelationId, '{day}') % 1000000 < {share * 1e6})
        ) WHERE true {last}""")


def _rows_of(table: Table, has_texts: bool) -> str:
    """SQL of the copied rows of a table, with their date."""
    cells = []
    for name, kind in table.columns.items():
        cell = f"t.{quoted(name)}"
        if name == "CorrelationId":
            cell = "c.id"
        elif name in ("TimeGenerated", "Timestamp"):
            cell = f"{cell} + c.shift"
        elif name == "CallerIpAddress":
            cell = _moved(cell)
        elif name == "User":
            cell = f"CASE WHEN {cell} = t.CallerIpAddress THEN {_moved(cell)} ELSE {cell} END"
        elif name in _TEXTS and not has_texts:
            cell = f"CAST(NULL AS {'VARCHAR' if kind in ('string', 'dynamic') else kind})"
        cells.append(f"{cell} AS {quoted(name)}")
    when = "strftime(t.TimeGenerated + c.shift, '%Y-%m-%d') AS date"
    return f"SELECT {', '.join(cells)}, {when} FROM {table.name} t JOIN copied c ON t.CorrelationId = c.CorrelationId"


def _moved(address: str) -> str:
    """An address in the network of a copy, so that there are more callers as there are more requests."""
    return f"regexp_replace({address}, '^[0-9]+', (10 + c.network)::VARCHAR)"


def _commit(lake: Lake, staged: dict[str, list[StagedFile]], days: list[str]) -> None:
    for table in (GATEWAY_LOGS, LLM_LOG):
        lake.commit(table.name, staged[table.name])
    files, functions = lake.log_files(), functions_version()
    for table in (REQUESTS_LOGGED, MESSAGES):
        known = sorted({*days, *files.gateway})

        def note(delta, name=table.name, known=known):  # type: ignore[no-untyped-def]
            return freshness.commit_note(delta, name, known, files, functions)

        lake.commit(table.name, staged[table.name], note=note)


def _settle(lake: Lake, days: list[str]) -> None:
    """Note that the texts of *days* have expired."""
    for table in freshness.COMPUTED:
        lake.commit(table.name, [], note=lambda delta: freshness.rewritten_note(delta, "gateway", {}, days))


def main() -> int:
    reader = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    reader.add_argument("lake", type=Path)
    reader.add_argument("--requests", type=int, default=10_000_000)
    reader.add_argument("--days", type=int, default=182)
    reader.add_argument("--text-days", type=int, default=28, help="the last days, which have bodies and messages")
    reader.add_argument("--seed-requests", type=int, default=40_000, help="requests in the lake that is copied from")
    reader.add_argument("--memory", default="6GB", help="what DuckDB may take for copying")
    reader.add_argument("--threads", type=int, default=1)
    given = reader.parse_args()
    if given.lake.exists():
        reader.error(f"{given.lake} exists")
    given.lake.parent.mkdir(parents=True, exist_ok=True)
    made = make(
        given.lake.absolute(),
        given.requests,
        days=given.days,
        text_days=given.text_days,
        seed_requests=given.seed_requests,
        memory=given.memory,
        threads=given.threads,
        verbose=True,
    )
    print(made.path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
