"""A long pull from a workspace brings exactly its rows into a lake, whatever happens on the way."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import PartialResult, SourceError
from aoai_analytics.lake import pull as pulling
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.pull import PullProgress, pull
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, LOG_TABLES
from tests.contract.comparing import assert_same
from tests.contract.conftest import Asking, unlimited
from tests.contract.log_analytics_service import Credential, Faults, Limits, LogAnalyticsService

START, END = datetime(2026, 10, 29), datetime(2026, 11, 3)
#: Where a few hours are enough.
SOME = datetime(2026, 11, 1, 10)
TABLES = [*LOG_TABLES, "AoaiRequests", "AoaiMessages"]


def rows_of(lake: Path, table: str, **within: Any) -> Counter[str]:
    """The table's rows as the lake stores them, each with how often it is there."""
    engine = LocalEngine.open(lake)
    try:
        rows, _ = engine.arrow(table, {table: (within.get("start"), within.get("end"))})
    finally:
        engine.close()
    return Counter(map(repr, rows.to_pylist()))


def test_a_pulled_lake_answers_as_the_lake_behind_the_service(
    lake: Path, local: LocalEngine, bare_workspace: LogAnalyticsService, asking: Asking, tmp_path: Path
) -> None:
    told: list[PullProgress] = []
    pulled = Lake.create(tmp_path / "lake")
    summary = pull(asking(bare_workspace), pulled, start=START, end=END, progress=told.append)
    for table in LOG_TABLES:
        assert rows_of(pulled.path, table) == rows_of(lake, table)
    mine = LocalEngine.open(pulled.path)
    for table in TABLES:
        assert_same(mine.query(table), local.query(table))
    assert summary.new == sum(sum(rows_of(lake, table).values()) for table in LOG_TABLES)
    assert summary.dates == Lake(lake).dates(GATEWAY_LOGS.name)
    assert told[0].rows_done == 0 and told[-1].rows_done == told[-1].rows_total


def test_a_second_pull_asks_only_how_many_rows_there_are(
    bare_workspace: LogAnalyticsService, asking: Asking, tmp_path: Path
) -> None:
    pulled = Lake.create(tmp_path / "lake")
    first = pull(asking(bare_workspace), pulled, start=START, end=END, compute=False)
    again = pull(asking(bare_workspace), pulled, start=START, end=END, compute=False)
    assert again.new == again.hours == again.duplicate == 0
    assert again.known == first.hours > 0
    assert again.requests == len(LOG_TABLES)


def test_late_rows_are_fetched_and_only_they_are_added(
    lake: Path, local: LocalEngine, asking: Asking, tmp_path: Path
) -> None:
    behind = Lake.create(tmp_path / "behind")
    rows, _ = local.arrow(GATEWAY_LOGS.name, {})
    late = set(range(0, rows.num_rows, 7))
    early = pulling.as_stored(rows.take([i for i in range(rows.num_rows) if i not in late]), GATEWAY_LOGS)
    behind.append(GATEWAY_LOGS.name, early)
    pulled = Lake.create(tmp_path / "lake")
    with LogAnalyticsService(LocalEngine.open(behind.path), limits=unlimited()) as service:
        pull(asking(service), pulled, start=START, end=END, compute=False)
        assert sum(rows_of(pulled.path, GATEWAY_LOGS.name).values()) == rows.num_rows - len(late)
        behind.append(GATEWAY_LOGS.name, pulling.as_stored(rows.take(sorted(late)), GATEWAY_LOGS))
        summary = pull(asking(service), pulled, start=START, end=END, compute=False)
    assert summary.new == len(late) and summary.duplicate > 0
    assert rows_of(pulled.path, GATEWAY_LOGS.name) == rows_of(lake, GATEWAY_LOGS.name)


@pytest.mark.parametrize("seed", range(3))
def test_a_pull_that_breaks_off_again_and_again_ends_with_each_row_once(
    seed: int, lake: Path, local: LocalEngine, asking: Asking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "SLICE_ROWS", 20)
    pulled = Lake.create(tmp_path / "lake")
    limits = Limits(rows=16, bytes=120_000, requests=None, at_once=5, token_uses=25)
    faults = Faults(rate=0.3, seed=seed)
    with LogAnalyticsService(local, limits=limits, faults=faults) as service:
        broken = 0
        for allowed in (1, 2, 4, None):
            engine = asking(service, credential=Credential())
            try:
                pull(engine, pulled, start=SOME, end=END, progress=_interrupt_after(allowed), compute=False)
            except KeyboardInterrupt:
                broken += 1
        exchanges = service.exchanges
    assert broken == 3
    for table in LOG_TABLES:
        assert rows_of(pulled.path, table) == rows_of(lake, table, start=SOME)
    assert exchanges["partial"] > 3 and exchanges["401"] > 0
    assert sum(exchanges[kind] for kind in faults.kinds) > 5


def _interrupt_after(calls: int | None):
    left = [calls]

    def progress(_: PullProgress) -> None:
        if left[0] is not None:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt

    return progress


def test_an_hour_too_large_for_one_request_comes_in_parts(
    lake: Path, bare_workspace: LogAnalyticsService, asking: Asking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "SLICE_ROWS", 7)
    pulled = Lake.create(tmp_path / "lake")
    pull(asking(bare_workspace), pulled, start=SOME, end=END, compute=False)
    for table in LOG_TABLES:
        assert rows_of(pulled.path, table) == rows_of(lake, table, start=SOME)
    assert pull(asking(bare_workspace), pulled, start=SOME, end=END, compute=False).hours == 0


def test_a_pull_without_messages_asks_for_none(
    bare_workspace: LogAnalyticsService, asking: Asking, tmp_path: Path
) -> None:
    pulled = Lake.create(tmp_path / "lake")
    before = len(bare_workspace.asked)
    pull(asking(bare_workspace), pulled, start=START, end=END, messages=False, compute=False)
    fetched = [asked["query"] for asked in bare_workspace.asked[before:] if "summarize" not in asked["query"]]
    assert fetched and all("project-away" in query for query in fetched)
    engine = LocalEngine.open(pulled.path)
    assert engine.query(f"{LLM_LOG.name} | where isnotempty(tostring(RequestMessages)) | count").frame["Count"][0] == 0
    assert engine.query(f"{GATEWAY_LOGS.name} | where isnotempty(ResponseBody) | count").frame["Count"][0] == 0


def test_fewer_rows_than_the_service_counts_are_never_taken_for_all(
    local: LocalEngine, asking: Asking, tmp_path: Path
) -> None:
    def forgetful(kql: str) -> tuple[pa.Table, dict[str, str]]:
        rows, types = local.arrow(kql, {})
        return (rows if "summarize" in kql else rows.slice(1)), types

    with LogAnalyticsService(local, limits=unlimited(), answer=forgetful) as service:
        pulled = Lake.create(tmp_path / "lake")
        with pytest.raises(PartialResult, match=r"counted .* rows .* but returned .*; run again"):
            pull(asking(service), pulled, start=START, end=END, compute=False)
        assert pulled.transactions(GATEWAY_LOGS.name, [f"pull/x/{START:%Y-%m-%dT%H}"]) == {}


def test_a_service_that_stays_away_leaves_what_was_pulled(local: LocalEngine, asking: Asking, tmp_path: Path) -> None:
    faults = Faults(script=["", ""] + [""] * 2 + ["503"] * 200)
    pulled = Lake.create(tmp_path / "lake")
    with LogAnalyticsService(local, limits=unlimited(), faults=faults) as service:
        with pytest.raises(SourceError, match=r"503.*try again later"):
            pull(asking(service), pulled, start=START, end=END, compute=False)
        faults.script.clear()
        pull(asking(service), pulled, start=START, end=END, compute=False)
    for table in LOG_TABLES:
        assert rows_of(pulled.path, table) == rows_of(Path(local.source), table)


def test_rows_logged_at_the_edges_of_an_hour_come_once(asking: Asking, local: LocalEngine, tmp_path: Path) -> None:
    hour = datetime(2026, 11, 2, 10, tzinfo=UTC)
    tick, next_hour = timedelta(microseconds=1), hour + timedelta(hours=1)
    times = [hour - tick, hour, next_hour - tick, next_hour]
    behind = Lake.create(tmp_path / "behind")
    rows = local.arrow(f"{GATEWAY_LOGS.name} | take {len(times)}", {})[0]
    moments = pa.array([time.replace(tzinfo=None) for time in times], pa.timestamp("us"))
    rows = rows.set_column(rows.column_names.index("TimeGenerated"), "TimeGenerated", moments)
    behind.append(GATEWAY_LOGS.name, pulling.as_stored(rows, GATEWAY_LOGS))
    pulled = Lake.create(tmp_path / "lake")
    with LogAnalyticsService(LocalEngine.open(behind.path), limits=unlimited()) as service:
        pull(asking(service), pulled, start=hour - timedelta(hours=3), end=hour + timedelta(hours=1), compute=False)
        assert sum(rows_of(pulled.path, GATEWAY_LOGS.name).values()) == 3
        pull(asking(service), pulled, start=hour - timedelta(hours=3), end=hour + timedelta(hours=2), compute=False)
    assert rows_of(pulled.path, GATEWAY_LOGS.name) == rows_of(behind.path, GATEWAY_LOGS.name)
