"""Ingests, merges and expiries killed at random moments in fresh processes: no row is lost, none is there twice.

Unlike the tests of each step, the moment is a time: it falls where nobody thought of. A few kills by default;
``make faults`` goes on for as long as ``FAULTS_MINUTES`` says.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.freshness import COMPUTED
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.rewriting import finish
from aoai_analytics.lake.upkeep import expire, optimize
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, TABLES
from tests.lake.gateway_logs import gateway, ids, lines, llm, quarantine

MINUTES = float(os.environ.get("FAULTS_MINUTES", "0"))
KILLS = 6
WORK = """
import sys
from aoai_analytics.lake import delta, freshness, ingest, upkeep
ingest.BATCH_ROWS = 60
logs, folder, what = sys.argv[1:]
lake = delta.Lake.create(folder)
print("ready", flush=True)
with lake.lock():
    if what == "ingest":
        ingest.ingest([logs], lake)
    elif what == "optimize":
        upkeep.optimize(lake, hours=0)
    elif what == "compute":
        files = lake.log_files()
        days = lake.dirty_dates()
        for table in freshness.COMPUTED if days else ():
            lake.replace_dates(table.name, table.arrow_schema().empty_table(), days, computed_from=files)
    else:
        upkeep.expire(lake, texts_before="2026-10-31", hours=0)
"""


def write_hour(folder: Path, number: int) -> tuple[set[str], int]:
    """An hour's logs; the ids that are in them, and the lines that are no record."""
    day = f"2026-10-{29 + number % 3}"
    names = [f"{number}-{n}" for n in range(40)]
    time = f"{day}T10:00:00Z"
    records = [gateway(name, time=time) for name in names]  # type: ignore[arg-type]
    records += [llm(name, 0, time=time, promptTokens=1) for name in names]  # type: ignore[arg-type]
    (folder / f"{number:04d}.json").write_bytes(lines(*records[:50], b"junk", *records[50:]))
    return {f"id-{name}" for name in names}, 1


def test_no_row_is_lost_or_doubled_by_kills_at_random_moments(tmp_path):
    chance = random.Random(int(time.time()) if MINUTES else 3)
    logs = tmp_path / "logs"
    logs.mkdir()
    lake = Lake.create(tmp_path / "lake")
    expected: set[str] = set()
    junk = kills = rounds = 0
    until = time.monotonic() + 30 * MINUTES
    while rounds < KILLS or time.monotonic() < until:
        rounds += 1
        found, bad = write_hour(logs, rounds)
        expected |= found
        junk += bad
        what = ("ingest", "compute", "optimize", "ingest", "expire")[rounds % 5]
        command = [sys.executable, "-c", WORK, str(logs), str(lake.path), what]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as work:
            assert work.stdout is not None
            work.stdout.readline()
            time.sleep(chance.random() ** 2 * 1.5)
            work.send_signal(signal.SIGKILL)
        kills += work.returncode == -signal.SIGKILL
        if rounds % 3 == 0 or rounds >= KILLS:
            check(lake, logs, expected, junk)
    print(f"{kills} kills in {rounds} rounds, {len(expected)} requests", file=sys.stderr)


def check(lake: Lake, logs: Path, expected: set[str], junk: int) -> None:
    """After one undisturbed run everything is there once, and nothing else is on the disk."""
    ingest([logs], lake)
    for name in (GATEWAY_LOGS.name, LLM_LOG.name):
        counted = Counter(ids(lake, name))
        assert set(counted) == expected, name
        assert set(counted.values()) == {1}, name
    assert sum(entry["count"] for entry in quarantine(lake)) == junk
    files = lake.log_files()
    days = lake.dirty_dates()
    for table in COMPUTED if days else ():
        lake.replace_dates(table.name, table.arrow_schema().empty_table(), days, computed_from=files)
    with lake.lock():
        finish(lake)
    optimize(lake, hours=0)
    expire(lake, texts_before="2026-10-01", hours=0)
    assert lake.dirty_dates() == []
    on_disk = {path for name in TABLES for path in (lake.path / name).glob("date=*/*")}
    assert on_disk == {Path(path) for name in TABLES for path in lake.files(name)}
    assert set(ids(lake)) == expected
