"""The invoice beside the logs: each planted remainder is found to the cent, and the shares add up to the invoice.

The truth is of the plan and of what really happened in the sample (``sample.invoice``), not of the queries.
"""

from __future__ import annotations

import csv
import json
import shutil
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.cli import main
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import WrongUse
from aoai_analytics.lake.costs import ingest_costs
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.library.queries import library
from aoai_analytics.prices.invoice import in_one_currency, write_focus
from aoai_analytics.reporting.run.notebooks import standing
from aoai_analytics.sample import write_sample
from aoai_analytics.sample.invoice import Plan, write_invoice
from aoai_analytics.sample.world import PRICES, REGIONS
from tests.lakes import Once, lake_of
from tests.prices.focus_rules import violations

#: Half a thousandth of a cent: what is planted is exact, and so is what is found.
NEAR = 0.000005


@pytest.fixture(scope="session")
def exact(once: Once) -> Path:
    """A sample whose tokens are all in its logs, and its lake without an invoice."""

    def make(folder: Path) -> None:
        write_sample(folder / "sample", requests=400, days=3, mix="complete")
        lake_of(folder / "lake", folder / "sample/logs")

    return once("exact-sample", make)


def invoiced(exact: Path, folder: Path, plan: Plan, **shape: Any) -> dict[str, Any]:
    """A copy of the lake in *folder* with the plan's invoice; its truth."""
    shutil.copytree(exact / "lake", folder / "lake")
    told = write_invoice(exact / "sample/truth.csv", folder / "invoice", plan, **shape)
    ingest_costs([folder / "invoice"], Lake(folder / "lake"))
    return told


@pytest.fixture(scope="session")
def planted(once: Once, exact: Path) -> Path:
    """The usual plan in a lake, with ``truth.json``."""

    def make(folder: Path) -> None:
        folder.mkdir()
        (folder / "truth.json").write_text(json.dumps(invoiced(exact, folder, Plan())))

    return once("invoiced", make)


def parts(lake: Path) -> dict[str, float]:
    engine = LocalEngine(Lake(lake), "lake")
    try:
        rows = engine.query("AoaiReconciliation | summarize Amount = sum(Amount) by Part").frame
        return dict(zip(rows["Part"], rows["Amount"], strict=True))
    finally:
        engine.close()


def assert_found(found: dict[str, float], told: dict[str, Any]) -> None:
    for part, amount in told["parts"].items():
        assert found.get(part, 0.0) == pytest.approx(float(amount), abs=NEAR), part
    unplanned = {part: amount for part, amount in found.items() if part not in told["parts"] and abs(amount) > NEAR}
    assert unplanned == {}
    assert sum(found.values()) == pytest.approx(float(told["total"]), abs=NEAR)


def test_each_planted_remainder_is_found_to_the_cent(planted: Path) -> None:
    assert_found(parts(planted / "lake"), json.loads((planted / "truth.json").read_text()))


def test_what_azures_metrics_do_not_confirm_is_not_called_past_the_gateway(
    planted: Path, exact: Path, tmp_path: Path
) -> None:
    """Azure counts what was planted past the gateway on the last day, and not on the day before."""
    truth = json.loads((planted / "truth.json").read_text())
    counted: dict[tuple[str, str, str, str], int] = {}
    days = []
    with (exact / "sample/truth.csv").open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            if line["ModelName"] and line["BackendHost"]:
                days.append(f"{datetime.fromisoformat(line['TimeGenerated']):%Y-%m-%d}")
                for name, column in (
                    ("ProcessedPromptTokens", "PromptTokens"),
                    ("GeneratedTokens", "CompletionTokens"),
                ):
                    key = (days[-1], line["BackendHost"], line["ModelName"][:-11], name)
                    counted[key] = counted.get(key, 0) + int(line[column] or 0)
    first, last = (datetime.fromisoformat(day(days)) for day in (min, max))
    account = next(iter(REGIONS))
    for name, tokens in zip(("ProcessedPromptTokens", "GeneratedTokens"), Plan.past_tokens, strict=True):
        key = (max(days), account, Plan.past_model[:-11], name)
        counted[key] = counted.get(key, 0) + tokens
        for day in (first - timedelta(days=1), last + timedelta(days=1)):
            counted[f"{day:%Y-%m-%d}", account, "gpt-4o", name] = 1
    (tmp_path / "metrics.json").write_text(
        "\n".join(
            json.dumps(
                {
                    "time": f"{day}T12:00:00Z", "metricName": name, "timeGrain": "PT1H", "total": total,
                    "resourceId": f"/subscriptions/0/providers/Microsoft.CognitiveServices/accounts/{at}",
                    "dimensions": {"ModelDeploymentName": "chat", "ModelName": model},
                }
            )
            for (day, at, model, name), total in counted.items()
        )
        + "".join(
            "\n"
            + json.dumps(
                {
                    "time": f"{day:%Y-%m-%d}T{hour}:00:00Z", "timeGrain": "PT1H", "average": percent,
                    "metricName": "AzureOpenAIProvisionedManagedUtilizationV2",
                    "resourceId": f"/subscriptions/0/providers/Microsoft.CognitiveServices/accounts/{account}",
                    "dimensions": {"ModelDeploymentName": "units", "ModelName": "gpt-4o"},
                }
            )
            for day in (first, last)
            for hour, percent in ((12, 40.0), (13, 0.5), (14, 0.0))
        )
    )  # fmt: skip
    lake = Lake(Path(shutil.copytree(planted / "lake", tmp_path / "lake")))
    ingest([tmp_path / "metrics.json"], lake)
    half = Decimal(truth["parts"]["past the gateway"]) / 2
    assert_found(
        parts(tmp_path / "lake"),
        truth | {"parts": truth["parts"] | {"past the gateway": half, "not in Azure's count": half}},
    )
    engine = LocalEngine(lake, "lake")
    try:
        units = engine.query("AoaiReconciliation | where Part == 'provisioned' | sort by TimeGenerated asc").frame
        others = engine.query(
            "AoaiReconciliation | where Part != 'provisioned' | summarize countif(isnotnull(IdleHours))"
        )
    finally:
        engine.close()
    # All days but the first and the last are idle all day.
    assert units["IdleHours"].tolist() == [22, *[24] * (len(units) - 2), 22]
    assert others.frame.iloc[0, 0] == 0


def test_days_of_another_time_zone_and_another_currency_are_found(exact: Path, tmp_path: Path) -> None:
    plan = Plan(time_zone=9, currency="EUR", rate="0.9", discount="0")
    told = invoiced(exact, tmp_path, plan, version="1.2-preview", form="parquet")
    engine = LocalEngine(Lake(tmp_path / "lake"), "lake")
    try:
        rows = engine.query(
            """AoaiReconciliation
            | summarize Total = sum(Amount), OffsetHours = max(OffsetHours), Shift = sumif(Amount, Part has "time zone")
                by Part, Day = TimeGenerated, Currency"""
        ).frame
    finally:
        engine.close()
    assert set(rows["OffsetHours"]) == {9}
    assert set(rows["Currency"]) == {"EUR"}
    assert_found(dict(rows.groupby("Part")["Total"].sum()), told)
    # What each day has more than the day in UTC, of the truth's requests.
    moved: dict[str, Decimal] = {}
    with (exact / "sample/truth.csv").open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            if line["ModelName"] in PRICES and line["BackendHost"] and line["CostUSD"]:
                moment = datetime.fromisoformat(line["TimeGenerated"])
                for day, sign in ((moment + timedelta(hours=9), 1), (moment, -1)):
                    key = f"{day:%Y-%m-%d}"
                    moved[key] = moved.get(key, Decimal(0)) + sign * Decimal(line["CostUSD"]) * Decimal("0.9")
    found = rows.groupby("Day")["Shift"].sum()
    assert {f"{day:%Y-%m-%d}": round(amount, 8) for day, amount in found.items() if abs(amount) > 1e-9} == {
        day: round(float(amount), 8) for day, amount in moved.items() if amount
    }


def test_amortized_cost_has_no_payment_in_advance_and_a_currency_without_a_rate_is_not_converted(
    exact: Path, tmp_path: Path
) -> None:
    plan = Plan(currency="EUR", rate="0.8")
    told = invoiced(exact, tmp_path, plan, dataset="AmortizedCost", version="EA", form="csv.gz")
    advance = Decimal(told["parts"].pop("paid in advance"))
    assert_found(parts(tmp_path / "lake"), told | {"total": Decimal(told["total"]) - advance})


def test_showback_adds_up_to_the_cent_of_the_invoice(planted: Path, tmp_path: Path, capsys: Any) -> None:
    told = json.loads((planted / "truth.json").read_text())
    lake = ["--source", str(planted / "lake"), "--scale-to-invoice"]
    apart, spread = tmp_path / "apart.csv", tmp_path / "spread.csv"
    assert main(["prices", "showback", *lake, "-o", str(apart)]) == 0
    assert main(["prices", "showback", *lake, "-o", str(spread), "--remainder", "spread", "--share-gateway"]) == 0
    capsys.readouterr()
    for path in (apart, spread):
        with path.open(encoding="utf-8-sig") as file:
            (_, *rows) = csv.reader(file)
        amounts = {row[0]: Decimal(row[1]) for row in rows}
        total = amounts.pop("Total")
        assert total == sum(amounts.values()) == round(Decimal(told["total"]), 2)
        assert any(name.startswith("(past") for name in amounts) == (path is apart)
        if path is apart:
            assert amounts["(API Management)"] == Decimal(told["parts"]["gateway"])
            past = Decimal(told["parts"]["past the gateway"]) * (1 - Decimal(Plan.discount))
            assert abs(amounts["(past the gateway)"] - past) < Decimal("0.01")


def test_focus_rows_follow_the_specification_and_add_up_to_the_invoice(planted: Path, tmp_path: Path) -> None:
    import pandas as pd
    import pyarrow.parquet as pq

    told = json.loads((planted / "truth.json").read_text())
    path = tmp_path / "focus.csv"
    assert main(["prices", "focus", "--source", str(planted / "lake"), "-o", str(path)]) == 0
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert violations(rows) == []
    assert sum(float(row["BilledCost"]) for row in rows) == pytest.approx(float(told["total"]), abs=NEAR)
    assert any(row["x_Tokens"] != "0.0" and row["SubAccountId"] for row in rows)
    times = [name for name in rows[0] if name.endswith(("Start", "End"))]
    parquet = tmp_path / "focus.parquet"
    assert write_focus(pd.read_csv(path, parse_dates=times, keep_default_na=False), parquet) == len(rows)
    table = pq.read_table(parquet)
    assert str(table.schema.field("ChargePeriodStart").type) == "timestamp[us, tz=UTC]"
    assert table["SubAccountId"].null_count == sum(not row["SubAccountId"] for row in rows)


def test_reconcile_prints_the_verdict_and_writes_each_day(planted: Path, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "days.csv"
    lake = str(planted / "lake")
    assert main(["reconcile", "--source", lake, "--period", "2026-11", "-o", str(path), "-f", "csv"]) == 0
    out, err = capsys.readouterr()
    assert "Agrees within what the logs can know" in err
    assert "past the gateway" in out
    with path.open(encoding="utf-8") as file:
        verdicts = {row["Verdict"] for row in csv.DictReader(file)}
    assert {"agrees", "explained"} <= verdicts <= {"agrees", "explained", "no meter"}


def test_a_lake_without_an_invoice_says_what_to_do(exact: Path, capsys: Any) -> None:
    assert main(["reconcile", "--source", str(exact / "lake")]) == 2
    assert "aoai ingest costs" in capsys.readouterr().err


def test_a_report_has_the_invoices_page_only_where_there_is_an_invoice(exact: Path, planted: Path) -> None:
    assert "invoice" not in standing(exact / "lake")
    assert "invoice" in standing(planted / "lake")


def test_two_currencies_are_never_added(exact: Path, tmp_path: Path) -> None:
    invoiced(exact, tmp_path, Plan())
    other = Plan(currency="EUR", time_zone=0)
    write_invoice(exact / "sample/truth.csv", tmp_path / "other", other)
    text = next((tmp_path / "other").rglob("run-2/part_0_0001.csv")).read_text("utf-8-sig")
    file = tmp_path / "euro.csv"
    file.write_text(text.replace("7f3a0c52", "other"), encoding="utf-8")
    ingest_costs([file], Lake(tmp_path / "lake"))
    engine = LocalEngine(Lake(tmp_path / "lake"), "lake")
    try:
        verdicts = engine.query(library().get("cost/invoice-verdict").text).frame
    finally:
        engine.close()
    assert verdicts["Currency"].tolist() == ["EUR", "USD"]
    with pytest.raises(WrongUse, match="never added up"):
        in_one_currency(verdicts, None)
    assert in_one_currency(verdicts, "eur")["Currency"].tolist() == ["EUR"]
