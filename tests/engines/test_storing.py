"""Costs that are stored in a lake are those that would be computed, whatever changes, fails or is removed."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from aoai_analytics.engines import storing, views
from aoai_analytics.engines.kql import functions, remembered
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import QueryError
from aoai_analytics.lake import stored as rows_stored
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.own import add_table
from aoai_analytics.lake.stored import remove_stored, stored
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, REQUESTS, Table

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
COSTS = "AoaiCosts | sort by CorrelationId asc"
SUMS = """AoaiCosts | summarize Requests = count(), Cost = sum(Cost), Error = sum(CostSharedError),
    Variance = sum(CostOwnVariance), Cached = sum(CachedCost), Teams = dcount(Team) by ModelName
    | sort by ModelName asc"""
COVERAGE = "AoaiCoverage | sort by CorrelationId asc"


def rows(table: Table, **values: Any) -> pa.Table:
    row = {"TimeGenerated": NOON} | values
    return pa.Table.from_pylist([row | {"date": f"{row['TimeGenerated']:%Y-%m-%d}"}], table.arrow_schema())


def requests(number: int, *, day: int = 0, first: int = 0) -> pa.Table:
    """Requests of two models, some with cached tokens, some whose cached tokens no log tells."""
    moment = NOON + timedelta(days=day)
    made = [
        {
            "TimeGenerated": moment + timedelta(seconds=n),
            "CorrelationId": f"{day}-{first + n}",
            "ModelName": ("gpt-4o", "gpt-4o-mini", "")[n % 3],
            "ModelVersion": ("2024-11-20", "2024-07-18", "")[n % 3],
            "SubscriptionId": f"s{n % 2}",
            "DeploymentName": f"d{n % 2}",
            "UserId": f"user-{n % 7}",
            "CallerIpAddress": f"10.0.0.{n % 5}",
            "Surface": "chat",
            "Outcome": "success",
            "TokenSource": "usage",
            "PromptTokens": 1000 + 37 * n,
            "CachedTokens": None if n % 4 == 0 else 13 * n,
            "CompletionTokens": 1000 + n,
            "TotalTokens": 2000 + 38 * n,
            "PromptTokensError": 0.1 * n,
            "CompletionTokensError": 0.3,
            "PromptTokensSharedError": 0.7,
            "CompletionTokensSharedError": 0.0,
            "TokensOwnVariance": 0.01 * n,
            "TokensSharedError": 0.7,
            "date": f"{moment:%Y-%m-%d}",
        }
        for n in range(number)
    ]
    return pa.Table.from_pylist(made, REQUESTS.arrow_schema())


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake.create(tmp_path / "lake")
    for day in range(2):
        made.append(REQUESTS.name, requests(60, day=day))
    made.append(LLM_LOG.name, rows(LLM_LOG, CorrelationId="0-1", SequenceNumber=0, TotalTokens=2038))
    made.append(GATEWAY_LOGS.name, rows(GATEWAY_LOGS, CorrelationId="0-1", Url="https://g.example.net/openai"))
    return made


@pytest.fixture(autouse=True)
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty requests are many here."""
    monkeypatch.setattr(views, "LEAST_ROWS", 60)


def files(lake: Lake) -> list[Path]:
    return sorted(stored(lake).glob("*"))


def ask(lake: Lake, kql: str = SUMS, own: dict[str, str] | None = None, **given: Any) -> pd.DataFrame:
    """The answer of a new engine."""
    engine = LocalEngine.open(lake.path, own)
    try:
        return engine.query(kql, **given).frame
    finally:
        engine.close()


@pytest.fixture
def by_itself(monkeypatch: pytest.MonkeyPatch) -> Callable[..., pd.DataFrame]:
    """The answer of an engine that neither reads nor stores any."""

    def answer(lake: Lake, kql: str = SUMS, own: dict[str, str] | None = None, **given: Any) -> pd.DataFrame:
        with monkeypatch.context() as without:
            without.setattr(views.Views, "store", lambda *_, **__: None)
            return ask(lake, kql, own, **given)

    return answer


@pytest.fixture
def not_computed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on, nothing may be stored: what is there must do."""

    def forbid() -> None:
        def fail(*_: object, **__: object) -> None:
            raise AssertionError("stored again")

        monkeypatch.setattr(storing.Storing, "write", fail)

    return forbid


@pytest.mark.parametrize("kql", [COSTS, SUMS, COVERAGE])
def test_rows_stored_are_those_computed_to_the_last_bit_from_the_first_question_on(
    lake, by_itself, not_computed, kql
) -> None:
    expected = by_itself(lake, kql)
    assert len(expected) and not files(lake)
    assert ask(lake, kql).equals(expected)
    (file,) = files(lake)
    not_computed()
    assert ask(lake, kql).equals(expected)
    engine = LocalEngine.open(lake.path)
    assert engine.query(kql).frame.equals(expected) and engine.query(f"{kql} | where true").frame.equals(expected)
    assert engine._views is not None and not engine._views.connection.execute("FROM duckdb_tables()").fetchall()
    assert str(file) in engine._views._selects[kql.split()[0]]
    engine.close()


def test_the_sql_of_costs_has_the_requests_that_storing_does_not_hold(lake) -> None:
    engine = LocalEngine.open(lake.path)
    shown = engine._connected()
    shown.show("AoaiCosts | count", {})
    assert storing._HELD in shown._selects["AoaiCosts"]
    engine.close()


def test_they_are_for_their_owner_only(lake) -> None:
    ask(lake)
    assert stat.S_IMODE(stored(lake).stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in files(lake)] == [0o600]


def test_a_lake_of_few_requests_stores_nothing(lake, monkeypatch) -> None:
    monkeypatch.setattr(views, "LEAST_ROWS", 121)
    ask(lake)
    assert not stored(lake).exists()


PRICES = (
    "datatable(Model: string, Version: string, Scope: string, Regions: string, Direction: string, "
    "From: datetime, PricePerMillion: real, Tier: string, Above: long)"
    '["gpt-4o", "", "global", "", "prompt", datetime(2020-01-01), %s, "default", 0]'
)
SCOPES = 'datatable(Deployment: string, Scope: string, Region: string)["d0", "%s", ""]'


def _dimension() -> dict[str, str]:
    return {"AoaiRequests": functions.shipped_functions()["AoaiRequests"].rstrip() + "\n| extend Team = UserId"}


@pytest.mark.parametrize(
    "own",
    [
        {"AoaiPrices": PRICES % "1.0"},
        {"AoaiPrices": PRICES % "2.0"},
        {"AoaiDeploymentScopes": SCOPES % "provisioned"},
        {"AoaiDeploymentScopes": SCOPES % "data-zone"},
        _dimension(),
        {
            "AoaiCosts": "AoaiRequests "
            "| extend Cost = 1.0, CostSharedError = 0.0, CostOwnVariance = 0.0, CachedCost = 0.0"
        },
    ],
)
def test_other_prices_scopes_dimensions_and_functions_have_rows_of_their_own(lake, by_itself, own) -> None:
    first = ask(lake)
    expected = by_itself(lake, SUMS, own)
    assert not expected.equals(first)
    for _ in range(2):
        assert ask(lake, SUMS, own).equals(expected) and len(files(lake)) == 2
    assert ask(lake).equals(first) and len(files(lake)) == 2


def test_own_tables_that_a_function_reads_have_their_part_in_it(lake, by_itself, tmp_path) -> None:
    text = functions.shipped_functions()["AoaiCosts"].rstrip() + "\n| lookup kind=leftouter Rates_CL on ModelName"
    own = {"AoaiCosts": text + "\n| extend Cost = Cost * Rate"}
    table = tmp_path / "rates.csv"
    table.write_text("ModelName,Rate\ngpt-4o,2.5\n")
    add_table(lake, "Rates_CL", table)
    kql = "Rates_CL | take 1 | project X = 1 | extend Sum = toscalar(AoaiCosts | summarize sum(Cost))"
    first = ask(lake, kql, own)
    assert len(files(lake)) == 1
    table.write_text("ModelName,Rate\ngpt-4o,3.5\n")
    add_table(lake, "Rates_CL", table)
    assert not files(lake)
    second = ask(lake, kql, own)
    assert second.equals(by_itself(lake, kql, own)) and not second.equals(first)


@pytest.mark.parametrize(
    "given",
    [{"start": NOON + timedelta(hours=12)}, {"end": NOON + timedelta(hours=12)}, {"end": NOON + timedelta(days=9)}],
)
def test_each_range_has_rows_of_its_own(lake, by_itself, given) -> None:
    first = ask(lake)
    assert ask(lake, SUMS, **given).equals(by_itself(lake, SUMS, **given)) and len(files(lake)) == 2
    assert ask(lake).equals(first)


def test_a_range_that_begins_now_is_not_stored_as_it_never_comes_again(lake, by_itself) -> None:
    given = {"start": NOON - timedelta(seconds=1, microseconds=7)}
    assert ask(lake, SUMS, **given).equals(by_itself(lake, SUMS, **given)) and not files(lake)


def test_new_requests_make_other_rows(lake, by_itself) -> None:
    engine = LocalEngine.open(lake.path)
    first = engine.query(SUMS).frame
    lake.append(REQUESTS.name, requests(60, day=2))
    second = engine.query(SUMS).frame
    engine.close()
    assert second.equals(by_itself(lake)) and not second.equals(first)
    assert ask(lake).equals(second) and len(files(lake)) == 2


def test_another_version_makes_other_files(lake, monkeypatch) -> None:
    first = ask(lake)
    monkeypatch.setattr(storing, "versions", lambda: "another")
    assert ask(lake).equals(first) and len(files(lake)) == 2


def test_what_changes_with_the_clock_is_not_stored(lake) -> None:
    text = functions.shipped_functions()["AoaiCosts"].rstrip()
    ask(lake, SUMS, {"AoaiCosts": f"{text}\n| where TimeGenerated < now()"})
    assert not files(lake)


def test_types_that_parquet_would_change_are_not_stored(lake) -> None:
    own = {"AoaiCosts": "AoaiRequests | summarize Cost = sum(TotalTokens) by ModelName"}
    assert ask(lake, "AoaiCosts | sort by ModelName asc", own)["Cost"].notna().all()
    assert not files(lake)


def test_requests_given_one_by_one_are_not_stored(lake) -> None:
    engine = LocalEngine.open(lake.path)
    ids = pa.array([f"0-{n}" for n in range(60)])
    among = views.Among(ids, {REQUESTS.name: lake.files(REQUESTS.name)})
    answer, _ = engine.arrow("AoaiCosts | count", {}, among=among)
    engine.close()
    assert answer.to_pylist() == [{"Count": 60}] and not files(lake)


def test_a_limit_of_time_is_for_the_answer(lake, monkeypatch, by_itself) -> None:
    expected = by_itself(lake)
    monkeypatch.setenv("AOAI_QUERY_SECONDS", "100")
    from aoai_analytics.config import settings

    settings.cache_clear()
    assert ask(lake).equals(expected) and not files(lake)
    monkeypatch.delenv("AOAI_QUERY_SECONDS")
    settings.cache_clear()


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _scramble(path: Path) -> None:
    """Pages, not the footer: it is found out while rows are read."""
    content = bytearray(path.read_bytes())
    content[4 : len(content) // 2] = b"\xa5" * (len(content) // 2 - 4)
    path.write_bytes(content)


def _other_columns(path: Path) -> None:
    duckdb.execute(f"COPY (SELECT 1 AS Cost) TO '{path}' (FORMAT parquet)")


@pytest.mark.parametrize(
    ("damage", "running"),
    [
        *((damage, running) for damage in (_truncate, _empty, _scramble) for running in (False, True)),
        (_other_columns, False),
    ],
)
def test_a_damaged_file_is_not_believed_and_made_anew(lake, by_itself, damage, running) -> None:
    expected = by_itself(lake)
    engine = LocalEngine.open(lake.path)
    engine.query("AoaiCosts | summarize max(PromptTokens)")
    if not running:
        engine.close()
    (file,) = files(lake)
    damage(file)
    if not running:
        engine = LocalEngine.open(lake.path)
    assert engine.query(SUMS).frame.equals(expected)
    assert engine.query(f"{SUMS} | where true").frame.equals(expected)
    engine.close()
    assert ask(lake).equals(expected) and files(lake) == [file]
    assert ask(lake).equals(expected)


def test_a_file_that_another_process_removes_is_computed_and_stored_again(lake, by_itself) -> None:
    expected = by_itself(lake)
    engine = LocalEngine.open(lake.path)
    engine.query("AoaiCosts | count")
    remove_stored(lake)
    assert engine.query(SUMS).frame.equals(expected)
    assert engine.query(f"{SUMS} | where true").frame.equals(expected)
    engine.close()
    assert ask(lake).equals(expected) and len(files(lake)) == 1


def test_a_querys_own_fault_costs_no_file(lake) -> None:
    engine = LocalEngine.open(lake.path)
    engine.query("AoaiCosts | count")
    before = [path.stat().st_ino for path in files(lake)]
    for wrong in ('assert(Cost < 0, "no")', "tolong(tostring(Cost)) + bin(Team, 3)"):
        with pytest.raises(QueryError):
            engine.query(f"AoaiCosts | extend X = {wrong} | summarize count() by X")
    engine.query("AoaiCosts | summarize max(Cost)")
    engine.close()
    assert [path.stat().st_ino for path in files(lake)] == before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="no permissions for the administrator")
def test_a_lake_that_cannot_be_written_answers(lake, by_itself) -> None:
    expected = by_itself(lake)
    lake.folder.chmod(0o500)
    try:
        assert ask(lake).equals(expected) and not files(lake)
    finally:
        lake.folder.chmod(0o700)


def test_a_folder_that_cannot_be_made_is_tried_once(lake, by_itself) -> None:
    expected = by_itself(lake)
    stored(lake).write_bytes(b"")
    engine = LocalEngine.open(lake.path)
    assert engine.query(SUMS).frame.equals(expected) and engine.query(f"{SUMS} | where true").frame.equals(expected)
    assert engine._views is not None and len(engine._views._storing._given_up) == 1
    engine.close()


def test_a_disk_without_room_is_left_alone(lake, by_itself, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    assert ask(lake).equals(by_itself(lake)) and not files(lake)


def _no_room(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(("name", "failing"), [("os.replace", _no_room), ("SOURCES", "no SQL '"), ("prune", _no_room)])
def test_a_write_that_fails_leaves_nothing_half_done(lake, by_itself, monkeypatch, name, failing) -> None:
    expected = by_itself(lake)
    monkeypatch.setattr(f"aoai_analytics.engines.storing.{name}", failing)
    assert ask(lake).equals(expected) and len(files(lake)) == (name == "prune")


def test_what_another_process_is_storing_is_computed_meanwhile(lake, by_itself) -> None:
    expected = by_itself(lake)
    ask(lake)
    (file,) = files(lake)
    other = file.with_name(f"{file.name}.0123{rows_stored.UNFINISHED}")
    os.replace(file, other)
    assert ask(lake).equals(expected) and files(lake) == [other]
    os.utime(other, (time.time() - 1_000,) * 2)  # it was killed
    assert ask(lake).equals(expected) and file in files(lake)


def test_the_same_may_be_stored_twice_at_once(lake, by_itself) -> None:
    expected = by_itself(lake)
    first, second = (LocalEngine.open(lake.path) for _ in range(2))
    write = storing.Storing.write

    def both(self: storing.Storing, *given: Any) -> None:
        storing.Storing.write = write  # type: ignore[method-assign]
        assert second.query(SUMS).frame.equals(expected)
        write(self, *given)

    storing.Storing.write = both  # type: ignore[method-assign,assignment]
    try:
        assert first.query(SUMS).frame.equals(expected) and len(files(lake)) == 1
        for engine in (first, second):
            assert engine.query(f"{SUMS} | where true").frame.equals(expected)
    finally:
        storing.Storing.write = write  # type: ignore[method-assign]
        first.close()
        second.close()


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    remembered._known.clear()
