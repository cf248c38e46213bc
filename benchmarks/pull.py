"""How fast a pull from Log Analytics is with the service's limits in force, against the same client without them.

    pull.py [ROWS]      rows of both log tables together, by default 3,000,000

A loopback service in a process of its own answers with made-up rows of the real tables' columns. With its limits in
force (rows and bytes of an answer, requests in 30 seconds, requests at once) and without, the same client pulls
everything, which must be exactly the service's rows. Ends with 1 where it is not, or where the limits cost more than
1.3 times the time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pyarrow as pa

from aoai_analytics.engines.log_analytics import LogAnalyticsEngine
from aoai_analytics.engines.pace import Pace
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.pull import PullProgress, pull
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, LOG_TABLES
from tests.contract.log_analytics_service import WORKSPACE, Credential, Limits, LogAnalyticsService

BOUND = 1.3
START = datetime(2026, 11, 1, tzinfo=UTC)
HOURS = 48
_RANGE = re.compile(r"TimeGenerated (>=|<) datetime\(([^)]+)\)")


class Rows:
    """Made-up rows of both tables, spread evenly over the hours: each row is a function of its number."""

    def __init__(self, total: int) -> None:
        # A request has a gateway row and two LLM rows.
        self.counts = {GATEWAY_LOGS.name: total // 3, LLM_LOG.name: total - total // 3}

    def numbers(self, table: str, kql: str) -> tuple[int, int]:
        """The numbers of the rows in the query's range."""
        first, last = 0, self.counts[table]
        span = timedelta(hours=HOURS)
        for operator, moment in _RANGE.findall(kql):
            offset = datetime.fromisoformat(moment) - START
            number = -(-(offset * self.counts[table]) // span)
            first, last = (max(first, number), last) if operator == ">=" else (first, min(last, number))
        return first, max(first, last)

    def moment(self, table: str, number: int) -> datetime:
        return START + timedelta(hours=HOURS) * number / self.counts[table]

    def answer(self, kql: str) -> tuple[pa.Table, dict[str, str]]:
        table = LLM_LOG if LLM_LOG.name in kql else GATEWAY_LOGS
        first, last = self.numbers(table.name, kql)
        if "summarize" in kql:
            return self._count(table.name, first, last)
        moments = [self.moment(table.name, number).replace(tzinfo=None) for number in range(first, last)]
        columns = []
        for name, kind in table.columns.items():
            if name == "TimeGenerated":
                columns.append(pa.array(moments, pa.timestamp("us")))
            elif name == "CorrelationId":
                columns.append(pa.array([f"{number:032x}" for number in range(first, last)]))
            else:
                columns.append(_filled(name, kind, last - first))
        return pa.table(columns, names=list(table.columns)), dict(table.columns)

    def _count(self, table: str, first: int, last: int) -> tuple[pa.Table, dict[str, str]]:
        hours: dict[datetime, int] = {}
        for hour in range(HOURS):
            begin = START + timedelta(hours=hour)
            within = f"TimeGenerated >= datetime({begin.isoformat()}) TimeGenerated < datetime("
            low, high = self.numbers(table, f"{within}{(begin + timedelta(hours=1)).isoformat()})")
            count = min(high, last) - max(low, first)
            if count > 0:
                hours[begin.replace(tzinfo=None)] = count
        rows = {
            "Hour": pa.array(list(hours), pa.timestamp("us")),
            "Rows": pa.array(list(hours.values()), pa.int64()),
            "Bytes": pa.array([900.0 * count for count in hours.values()], pa.float64()),
        }
        return pa.table(rows), {"Hour": "datetime", "Rows": "long", "Bytes": "real"}


def _filled(name: str, kind: str, count: int) -> pa.Array:
    value: Any = {"string": name, "bool": True, "int": 7, "long": 1234, "real": 900.0, "dynamic": '{"a":1}'}.get(kind)
    types = {"string": pa.string(), "dynamic": pa.string(), "bool": pa.bool_(), "int": pa.int32(), "long": pa.int64()}
    if value is None:
        return pa.nulls(count, pa.timestamp("us"))
    return pa.repeat(pa.scalar(value, types.get(kind, pa.float64())), count)


def _serve(total: int, limits: Limits, ready: Any, stop: Any) -> None:
    rows = Rows(total)
    with LogAnalyticsService(None, limits=limits, answer=rows.answer) as service:  # type: ignore[arg-type]
        ready.put(service.url)
        stop.wait()
        ready.put(dict(service.exchanges))


def run(total: int, limits: Limits, folder: Path) -> tuple[float, dict[str, int], list[str]]:
    """Seconds that a pull took, what the service answered, and what is wrong with the rows."""
    context = multiprocessing.get_context("spawn")
    ready, stop = context.Queue(), context.Event()
    process = context.Process(target=_serve, args=(total, limits, ready, stop), daemon=True)
    process.start()
    url = ready.get()
    lake = Lake.create(folder)
    pace = Pace() if limits.requests else Pace(requests=None)
    engine = LogAnalyticsEngine.open(f"log-analytics://{WORKSPACE}", credential=Credential(), endpoint=url, pace=pace)

    def progress(done: PullProgress) -> None:
        if sys.stderr.isatty():
            print(f"\r{done.rows_done:,} of {done.rows_total:,} rows", end="", file=sys.stderr, flush=True)

    began = time.perf_counter()
    pull(engine, lake, start=START, end=START + timedelta(hours=HOURS), compute=False, progress=progress)
    seconds = time.perf_counter() - began
    engine.close()
    stop.set()
    exchanges = ready.get()
    process.join()
    return seconds, exchanges, _wrong(lake, Rows(total))


def _wrong(lake: Lake, rows: Rows) -> list[str]:
    """How the lake's rows differ from the service's: each number must be there once, with its time."""
    import duckdb

    wrong = []
    for table in LOG_TABLES:
        files = lake.files(table)
        found = duckdb.execute(
            f"""SELECT count(*), count(DISTINCT CorrelationId), min(CorrelationId), max(CorrelationId),
                count(*) FILTER (abs(epoch_us(TimeGenerated) - (? + ('0x' || CorrelationId)::HUGEINT * ? / ?)) > 1)
                FROM read_parquet({files})""",
            [int(START.timestamp() * 1e6), HOURS * 3600 * 1_000_000, rows.counts[table]],
        ).fetchall()[0]
        count = rows.counts[table]
        if found != (count, count, f"{0:032x}", f"{count - 1:032x}", 0):
            said = f"{found[0]:,} rows, {found[1]:,} ids, {found[4]:,} at a wrong time"
            wrong.append(f"{table}: {said}; not {count:,}")
    return wrong


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("rows", nargs="?", type=int, default=3_000_000)
    total = parser.parse_args(arguments).rows
    off = Limits(rows=None, bytes=None, requests=None, at_once=None)
    seconds: dict[str, float] = {}
    wrong: list[str] = []
    for name, limits in (("limits off", off), ("limits on", Limits())):
        with tempfile.TemporaryDirectory(prefix="pull-") as folder:
            seconds[name], exchanges, found = run(total, limits, Path(folder) / "lake")
        wrong += [f"{name}: {line}" for line in found]
        said = ", ".join(f"{count} {kind}" for kind, count in sorted(exchanges.items()))
        rate = total / seconds[name]
        print(f"{name}: {total:,} rows in {seconds[name]:.1f} s, {rate:,.0f} rows/s; {said}", flush=True)
    ratio = seconds["limits on"] / seconds["limits off"]
    print(f"limits cost {ratio:.2f} times the time (bound: {BOUND}); rows: {'; '.join(wrong) or 'exact'}")
    return 1 if wrong or ratio > BOUND else 0


if __name__ == "__main__":
    sys.exit(main())
