"""Prints how the kit scales, one line for each kind of work, beside a peer that does the same or the least possible.

    scale.py [--requests 25000] [--hours 500] [--pairs 3] [--only ROW...] [--skip ROW...] [--json FILE]

Rows: ingest, hour, year, library, first, command, report, page. Work and peer take turns, and the medians count, since
a machine's own pace changes within minutes. Every command is a process of its own, with Python compiled beforehand.
For millions of requests: ``large_lake.py`` makes a lake, ``library.py`` asks it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, redirect_stdout
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import library as questions
import pyarrow as pa
import report as reports

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.upkeep import info, optimize
from aoai_analytics.reporting.run.notebooks import standing
from aoai_analytics.sample import write_sample
from aoai_analytics.sample.write import LAST_DAY
from aoai_analytics.schema.tables import GATEWAY_LOGS, REQUESTS

AOAI = """import resource, sys
from aoai_analytics.cli import main
code = main(sys.argv[2:])
with open(sys.argv[1], "w") as told:
    told.write(open("/proc/self/io").read())
sys.exit(code)"""
#: What any conversion must do: parse the JSON, write Parquet.
PLAIN = """import sys, duckdb
texts = ("time", "category", "operationName", "correlationId", "callerIpAddress", "location", "resourceId")
columns = dict.fromkeys(texts, "VARCHAR") | {"durationMs": "BIGINT", "properties": "JSON"}
duckdb.sql("SET memory_limit='4GB'")
duckdb.sql(f"COPY (FROM read_json('{sys.argv[1]}/**/*.json', format='newline_delimited', columns={columns}))"
    f" TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd)")"""
#: The CPU of a query before DuckDB runs it, in milliseconds: reading it and translating it, or finding both remembered.
FIRST = """import sys, time
import duckdb, pandas, deltalake
from aoai_analytics.engines import connect, local
from aoai_analytics.library.queries import library
kql = library().get(sys.argv[2]).bind()
engine = connect(sys.argv[1])
began, found, run = time.process_time(), [], local.stoppable
def stoppable(*arguments):
    found.append(time.process_time() - began)
    return run(*arguments)
local.stoppable = stoppable
engine.query(kql)
print(1000 * found[0])"""
#: Milliseconds that a page keeps the browser from answering, beyond 50 at a time, until it is drawn.
_BLOCKED = """() => new Promise(done => {
    let sum = 0;
    new PerformanceObserver(list => list.getEntries().forEach(entry => { sum += entry.duration - 50; }))
        .observe({type: 'longtask', buffered: true});
    setTimeout(() => done(sum), 3000);
})"""


@dataclass(frozen=True)
class Used:
    """What a command took: seconds on the clock, of CPU, gigabytes of memory, megabytes read."""

    seconds: float
    cpu: float
    gigabytes: float
    read: float = 0.0


@dataclass
class Row:
    """A line of the table: what was measured, its peer where there is one, and the target in words."""

    work: str
    ours: float
    unit: str
    target: str
    peer: float | None = None
    of: str = ""
    more: dict[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer if self.peer else None


class Bench:
    """Makes the rows, in a scratch folder."""

    def __init__(self, folder: Path, requests: int, hours: int, pairs: int, seconds: float):
        self.folder, self.requests, self.hours, self.pairs, self.seconds = folder, requests, hours, pairs, seconds
        compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
        cache = {"XDG_CACHE_HOME": str(folder / "cache")}  # one's own holds what earlier runs translated
        self.environment: Mapping[str, str] = os.environ | compiled | cache
        self.logs = folder / "sample/logs"
        self.lake = folder / "lake"
        write_sample(folder / "sample", requests=requests, days=28)
        write_sample(folder / "small", requests=500, days=3)
        self.small = folder / "small-lake"
        self.aoai("ingest", folder / "small/logs", "--lake", self.small)

    def run(self, *words: object) -> Used:
        """What a command of Python takes, which must not fail."""
        began = time.perf_counter()
        work = subprocess.Popen([sys.executable, *map(str, words)], env=self.environment, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(work.pid, 0)
        work.returncode = os.waitstatus_to_exitcode(status)
        if work.returncode:
            raise subprocess.CalledProcessError(work.returncode, list(map(str, words)))
        return Used(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6)

    def aoai(self, *words: object) -> Used:
        """What a command of ours takes."""
        told = self.folder / "io"
        used = self.run("-c", AOAI, told, *words)
        read = dict(line.split(": ") for line in told.read_text().splitlines())
        return Used(used.seconds, used.cpu, used.gigabytes, int(read["rchar"]) / 1e6)

    def ingest(self) -> Iterator[Row]:
        """The whole sample, semantic layer included, against plain DuckDB."""
        ours, plain = [], []
        for _ in range(self.pairs):
            shutil.rmtree(self.lake, ignore_errors=True)
            plain.append(self.run("-c", PLAIN, self.logs, self.folder / "plain.parquet"))
            ours.append(self.aoai("ingest", self.logs, "--lake", self.lake))
        more = {"CPU s": _median(ours, "cpu"), "GB": _median(ours, "gigabytes"), "plain CPU s": _median(plain, "cpu")}
        yield Row(f"ingest {self.requests:,} requests", _median(ours, "seconds"), "s", "3 x, < 1.5 GB",
                  _median(plain, "seconds"), "DuckDB, JSON to Parquet", more)  # fmt: skip

    def hour(self) -> Iterator[Row]:
        """One more hour, of 408 records."""
        ours = []
        for number in range(self.pairs):
            start = LAST_DAY + timedelta(days=1)
            logs = self.folder / f"hour-{number}"
            write_sample(logs, requests=24 * 130, days=1, start=start, seed=number + 2)
            for path in [*logs.rglob("*.json")]:
                if f"/h={10 + number:02}/" not in path.as_posix():
                    path.unlink()
            ours.append(self.aoai("ingest", logs / "logs", "--lake", self.lake))
        more = {"CPU s": _median(ours, "cpu"), "MB read": _median(ours, "read"), "GB": _median(ours, "gigabytes")}
        yield Row(f"one more hour into {self.requests:,}", _median(ours, "seconds"), "s", "< 2 s", more=more)

    def year(self) -> Iterator[Row]:
        """A commit an hour, three rows each, before and after they are merged."""
        lake = Lake.create(self.folder / "year")
        schema = {table.name: table.arrow_schema() for table in (GATEWAY_LOGS, REQUESTS)}
        for number in range(self.hours):
            moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number)
            row = {"TimeGenerated": moment, "TotalTokens": number, "date": f"{moment:%F}"}
            rows = [row | {"CorrelationId": f"{number}-{n}"} for n in range(3)]
            for name, columns in schema.items():
                lake.append(name, pa.Table.from_pylist(rows, columns))
        kql = "AoaiRequests | summarize sum(TotalTokens) by bin(TimeGenerated, 1d)"

        def asked() -> float:
            with closing(LocalEngine.open(lake.path)) as engine:
                ask = partial(questions.answer, engine, kql)
                return statistics.median(questions.timed(partial(ask, n))[0] for n in range(5))

        asked()
        before, log_before = asked(), sum(table.log_bytes for table in info(lake).tables)
        seconds, _, _ = questions.timed(lambda: optimize(lake, hours=0))
        more = {"optimize s": seconds, "log MB before": log_before / 1e6}
        yield Row(f"query of {self.hours:,} hourly commits", 1000 * asked(), "ms", "as merged", 1000 * before,
                  "before optimize", more)  # fmt: skip

    def library(self) -> Iterator[Row]:
        """The library's questions on the sample's lake."""
        taken = questions.measure(self.lake, questions.asked_by_default(), self.seconds, say=lambda _: None)
        found = questions.summary(taken)
        for kind in ("cold", "warm"):
            by_hand = [1000 * (getattr(one, kind) - one.hand) for one in taken if one.hand]
            more = {name.removeprefix(f"{kind}_"): value for name, value in found.items() if name.startswith(kind)}
            more |= {"questions": len(taken), "ms beyond SQL by hand": statistics.median(by_hand)}
            yield Row(f"library, {kind}", 1000 * found[f"{kind}_median"], "ms", "median 250, p95 1,000 ms", more=more)

    def first(self) -> Iterator[Row]:
        """Translation in a new process, of every tenth question."""
        names = questions.asked_by_default()[::10]
        without, cached = [], []
        for name in names:
            for kept in (self.small / "_aoai/translations", self.folder / "cache"):
                shutil.rmtree(kept, ignore_errors=True)
            without.append(self._before_duckdb(name))
            cached.append(self._before_duckdb(name))
        more = {"worst": max(cached), "without, worst": max(without), "questions": len(names)}
        yield Row("first query of a process", statistics.median(cached), "ms CPU", "< 20, without < 300 ms",
                  statistics.median(without), "without the cache", more)  # fmt: skip

    def _before_duckdb(self, name: str) -> float:
        words = [sys.executable, "-c", FIRST, str(self.small), name]
        return float(subprocess.run(words, env=self.environment, check=True, capture_output=True, text=True).stdout)

    def command(self) -> Iterator[Row]:
        """`aoai query` and `aoai --help` end to end."""
        asked, helped, least = [], [], []
        for _ in range(self.pairs):
            asked.append(self.aoai("query", "tokens/by-subscription", "--source", self.small))
            helped.append(self.run("-c", "import sys; from aoai_analytics.cli import main; sys.exit(main(['--help']))"))
            least.append(self.run("-c", "import duckdb, pandas"))
        yield Row("aoai query, small lake", _median(asked, "seconds"), "s", "< 0.9 s", _median(least, "seconds"),
                  "import duckdb, pandas", {"CPU s": _median(asked, "cpu")})  # fmt: skip
        yield Row("aoai --help", _median(helped, "seconds"), "s", "< 0.2 s", more={"CPU s": _median(helped, "cpu")})

    def report(self) -> Iterator[Row]:
        """All standing notebooks, against papermill and nbconvert for each."""
        names = standing(self.lake)
        with redirect_stdout(sys.stderr):  # each notebook's seconds are no line of the table
            for way in (reports.as_report, reports.one_by_one):
                way(names, self.small, self.folder, self.environment)
            ours, _ = reports.as_report(names, self.lake, self.folder, self.environment)
            plain, _ = reports.one_by_one(names, self.lake, self.folder, self.environment)
        yield Row(f"report, {len(names)} notebooks", ours, "s", "0.15 to 0.25 x", plain, "papermill and nbconvert")

    def page(self) -> Iterator[Row]:
        """How long the reliability page keeps a browser busy as it opens."""
        from playwright.sync_api import sync_playwright

        out = self.folder / "page"
        self.aoai("report", "reliability", "--source", self.small, "--output", out)
        place = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        blocked = []
        with sync_playwright() as running:
            browser = running.chromium.launch(executable_path=place, args=["--no-sandbox", "--disable-gpu"])
            for _ in range(self.pairs):
                page = browser.new_page()
                page.goto((out / "reliability.html").as_uri(), wait_until="load")
                blocked.append(float(page.evaluate(_BLOCKED)))
                page.close()
            browser.close()
        yield Row("reliability page, blocked", statistics.median(blocked), "ms", "< 200 ms")


ROWS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    name: getattr(Bench, name) for name in ("ingest", "hour", "year", "library", "first", "command", "report", "page")
}


def _median(used: list[Used], what: str) -> float:
    return float(statistics.median(getattr(one, what) for one in used))


def line(row: Row) -> str:
    """A row of the table, which is Markdown."""
    peer = f"{row.peer:,.2f} {row.unit} ({row.of})" if row.peer else ""
    ratio = f"{row.ratio:.2f}" if row.ratio else ""
    more = ", ".join(f"{name} {value:,.2f}" for name, value in row.more.items())
    return f"| {row.work} | {row.ours:,.2f} {row.unit} | {peer} | {ratio} | {row.target} | {more} |"


def main() -> int:
    reader = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    reader.add_argument("--requests", type=int, default=25_000, help="in the sample that is ingested")
    reader.add_argument("--hours", type=int, default=500, help="commits of the row 'year'")
    reader.add_argument("--pairs", type=int, default=3)
    reader.add_argument("--seconds", type=float, default=300, help="for the row 'library'")
    reader.add_argument("--only", nargs="+", choices=list(ROWS), default=list(ROWS))
    reader.add_argument("--skip", nargs="+", choices=list(ROWS), default=[])
    reader.add_argument("--json", type=Path, help="write the table there too")
    given = reader.parse_args()
    rows: list[Row] = []
    print("| work | measured | peer | ratio | target | more |\n|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        bench = Bench(Path(folder), given.requests, given.hours, given.pairs, given.seconds)
        wanted = [name for name in ROWS if name in given.only and name not in given.skip]
        if "ingest" not in wanted and {"hour", "library", "report"} & set(wanted):
            bench.aoai("ingest", bench.logs, "--lake", bench.lake)
        for name in wanted:
            for row in ROWS[name](bench):
                rows.append(row)
                print(line(row), flush=True)
    if given.json:
        found = {"made": datetime.now(UTC).isoformat(timespec="seconds"), "cores": os.cpu_count()}
        given.json.write_text(
            json.dumps(found | {"rows": [asdict(row) | {"ratio": row.ratio} for row in rows]}, indent=1)
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
