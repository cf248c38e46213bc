"""How long the library's questions take on a lake, cold and warm, against SQL written by hand.

    library.py LAKE [--seconds 600] [--json FILE] [NAME...]

A question is cold in an engine that has answered none, and warm in one that has answered all others: then costs and
coverage are kept if they fit. An answer itself is never taken from memory. Questions come in a random order, and the
time may be bounded, so that those answered are a fair sample of the others.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import duckdb
import pandas as pd
from hand_sql import HAND_SQL

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import AoaiError
from aoai_analytics.lake.delta import Lake
from aoai_analytics.library.queries import library
from aoai_analytics.schema.sql import sql_text
from aoai_analytics.schema.tables import REQUESTS, TABLES


@dataclass(frozen=True)
class Taken:
    """Seconds of a question and of the hand-written SQL, on the clock and of CPU."""

    name: str
    cold: float
    warm: float
    cold_cpu: float
    warm_cpu: float
    hand: float | None = None
    hand_cpu: float | None = None


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds on the clock, of CPU, and what *work* gives."""
    began, cpu = time.perf_counter(), time.process_time()
    given = work()
    return time.perf_counter() - began, time.process_time() - cpu, given


def answer(engine: LocalEngine, kql: str, number: int) -> pd.DataFrame:
    """The rows of *kql*; *number* is another each time, so that they are computed."""
    rows, _ = engine.arrow(kql, {name: (None, None) for name in TABLES}, limit_to=f"{number} = {number}")
    frame: pd.DataFrame = rows.to_pandas()
    return frame


def measure(lake: Path, names: Sequence[str], seconds: float, *, say: Callable[[str], None]) -> list[Taken]:
    """What the questions took, as many as there is time for. Raises AssertionError where hand SQL answers otherwise."""
    taken: list[Taken] = []
    number = 0
    until = time.monotonic() + seconds
    requests = ", ".join(map(sql_text, Lake(lake).files(REQUESTS.name)))
    with duckdb.connect() as by_hand:
        by_hand.execute("SET TimeZone='UTC'")
        by_hand.execute(f"CREATE VIEW requests AS FROM read_parquet([{requests}], hive_partitioning=false)")
        lasting = LocalEngine.open(lake)
        answer(lasting, "AoaiRequests | take 1", 0)  # what is imported at first use is no question's
        for name in names:
            if time.monotonic() > until:
                break
            kql = library().get(name).bind()
            fresh = LocalEngine.open(lake)
            try:
                cold, cold_cpu, rows = timed(lambda: answer(fresh, kql, 0))  # noqa: B023
                number += 1
                warm, warm_cpu, _ = timed(lambda: answer(lasting, kql, number))  # noqa: B023
            except AoaiError as error:
                say(f"{name}: {error}")
                continue
            finally:
                fresh.close()
            hand = hand_cpu = None
            if sql := HAND_SQL.get(name):
                by_hand.sql(sql).to_arrow_table().to_pandas()
                hand, hand_cpu, theirs = timed(lambda: by_hand.sql(sql).to_arrow_table().to_pandas())
                same(name, rows, theirs)
            taken.append(Taken(name, cold, warm, cold_cpu, warm_cpu, hand, hand_cpu))
            told = {"cold": (cold, cold_cpu), "warm": (warm, warm_cpu), "by hand": (hand, hand_cpu)}
            parts = [f"{kind} {one:7.2f} s ({cpu:.2f} s CPU)" for kind, (one, cpu) in told.items() if one and cpu]
            say(f"{name:40} {'  '.join(parts)}")
        lasting.close()
    return taken


def same(name: str, ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """Raises AssertionError where the sums of a column that both have differ."""
    assert len(ours) == len(theirs), f"{name}: {len(ours)} and {len(theirs)} rows"
    for column in theirs.columns:
        if pd.api.types.is_numeric_dtype(theirs[column]):
            sums = [float(frame[column].astype(float).sum()) for frame in (ours, theirs)]
            assert abs(sums[0] - sums[1]) <= 1e-6 * abs(sums[1]) + 0.2, f"{name}: {column} {sums}"


def summary(taken: Sequence[Taken]) -> dict[str, float]:
    """Median, 95th percentile and worst of the seconds; ratios of CPU to hand-written SQL; memory in GB."""
    found: dict[str, float] = {"questions": len(taken)}
    for kind in ("cold", "warm", "cold_cpu", "warm_cpu"):
        seconds = sorted(getattr(one, kind) for one in taken)
        found[f"{kind}_median"] = statistics.median(seconds)
        found[f"{kind}_p95"] = seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))]
        found[f"{kind}_worst"] = seconds[-1]
    by_hand = [one for one in taken if one.hand]
    for kind in ("cold", "warm") if by_hand else ():
        # Of CPU, which others on the machine change less.
        ratios = [getattr(one, f"{kind}_cpu") / (one.hand_cpu or 1) for one in by_hand]
        found[f"{kind}_ratio_median"], found[f"{kind}_ratio_worst"] = statistics.median(ratios), max(ratios)
    found["gigabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {name: round(value, 3) for name, value in found.items()}


def asked_by_default(seed: int = 1) -> list[str]:
    """The library's questions without those whose answer is computed outside KQL, those with hand SQL first."""
    names = [query.name for query in library() if not query.header.get("then") and query.name not in HAND_SQL]
    random.Random(seed).shuffle(names)
    return [*HAND_SQL, *names]


def main() -> int:
    reader = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    reader.add_argument("lake", type=Path)
    reader.add_argument("names", nargs="*")
    reader.add_argument("--seconds", type=float, default=600, help="after which no other question is begun")
    reader.add_argument("--json", type=Path, help="write the numbers there too")
    given = reader.parse_args()
    taken = measure(
        given.lake, given.names or asked_by_default(), given.seconds, say=lambda text: print(text, flush=True)
    )
    found = summary(taken)
    print("\n".join(f"{name:24} {value:,}" for name, value in found.items()))
    if given.json:
        given.json.write_text(json.dumps({"summary": found, "questions": [asdict(one) for one in taken]}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
