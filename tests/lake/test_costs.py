"""Cost Management exports become rows of CostDetails: each day of an export once, as its newest run has it."""

from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import LogsError
from aoai_analytics.lake.costs import CostsSummary, ingest_costs
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.journal import set_aside

ACCOUNT = "/subscriptions/0A1B/resourceGroups/ai/providers/Microsoft.CognitiveServices/accounts/Swedish"


def focus(day: int, cost: Any, **columns: Any) -> dict[str, Any]:
    """A row with Microsoft's documented columns of FocusCost 1.0 that matter here."""
    return {
        "BilledCost": cost,
        "EffectiveCost": cost,
        "ListCost": cost,
        "BillingCurrency": "USD",
        "BillingPeriodStart": "2026-10-01T00:00Z",
        "ChargePeriodStart": f"2026-10-{day:02}T00:00Z",
        "ChargeCategory": "Usage",
        "CommitmentDiscountId": "",
        "PricingQuantity": 1000,
        "x_PricingUnitDescription": "1K",
        "ResourceId": ACCOUNT,
        "ServiceName": "Azure OpenAI",
        "SubAccountId": "/subscriptions/0A1B",
        "x_SkuMeterName": "gpt 4.1 Inp glbl Tokens",
        "x_SkuMeterCategory": "Foundry Models",
    } | columns


def details(day: str, cost: float, **columns: Any) -> dict[str, Any]:
    """A row of EA cost details."""
    return {
        "BillingPeriodStartDate": "10/01/2026",
        "SubscriptionId": "0a1b",
        "Date": day,
        "MeterCategory": "Azure OpenAI",
        "MeterName": "gpt 4.1 Inp glbl Tokens",
        "Quantity": 1000,
        "Cost": cost,
        "BillingCurrency": "EUR",
        "ResourceId": ACCOUNT,
        "UnitOfMeasure": "1K",
        "ReservationId": "",
        "ChargeType": "Usage",
        "PayGPrice": 0.002,
        "PricingModel": "OnDemand",
    } | columns


def file(path: Path, rows: list[dict[str, Any]], modified: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8-sig", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    if modified:
        os.utime(path, (modified, modified))
    return path


def run(
    folder: Path, *parts: list[dict[str, Any]], submitted: str, days: tuple[int, int] = (1, 31), kind: str = "FocusCost"
) -> Path:
    """A run as Cost Management writes it: partitions, and the manifest of its tutorial."""
    names = [file(folder / f"part_{number}_0001.csv", rows).name for number, rows in enumerate(parts)]
    manifest = {
        "manifestVersion": "2024-04-01",
        "exportConfig": {"exportName": "costs", "dataVersion": "1.0", "type": kind},
        "runInfo": {
            "submittedTime": submitted,
            "runId": folder.name,
            "startDate": f"2026-10-{days[0]:02}T00:00:00",
            "endDate": f"2026-10-{days[1]:02}T00:00:00Z",
        },
        "blobs": [{"blobName": f"folder/costs/{folder.name}/{name}"} for name in names],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def costs(lake: Lake, kql: str = "AoaiInvoice") -> list[dict[str, Any]]:
    engine = LocalEngine(lake, "lake")
    try:
        frame = engine.query(f"{kql} | sort by TimeGenerated asc, BilledCost asc").frame
        return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
    finally:
        engine.close()


def billed(lake: Lake) -> dict[int, float]:
    """The cost of each day."""
    found: dict[int, float] = {}
    for row in costs(lake):
        found[row["TimeGenerated"].day] = found.get(row["TimeGenerated"].day, 0.0) + row["BilledCost"]
    return found


def take(lake: Lake, *exports: Path) -> CostsSummary:
    return ingest_costs(exports, lake)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "lake")


def test_a_restated_month_has_each_day_once_in_whatever_order_its_runs_come(tmp_path: Path, lake: Lake) -> None:
    early = run(tmp_path / "x/early", [focus(1, 5), focus(2, 2)], submitted="2026-10-03T04:05:06.5234447Z", days=(1, 2))
    late = run(tmp_path / "x/late", [focus(1, 6)], [focus(3, 3)], submitted="2026-10-04T04:05:06Z", days=(1, 3))
    take(lake, late)
    summary = take(lake, early)
    assert summary.new == 0
    assert billed(lake) == {1: 6.0, 3: 3.0}  # the later run has no charge on the second
    assert take(lake, tmp_path / "x").known == 2


@pytest.mark.parametrize("name", ["costs.csv", "costs.csv.gz", "costs.parquet"])
@pytest.mark.parametrize("row", [focus(1, 5, BillingCurrency=""), details("10/01/2026", 5)], ids=["focus", "details"])
def test_a_cost_export_among_logs_is_called_one(tmp_path: Path, lake: Lake, name: str, row: dict[str, Any]) -> None:
    path = tmp_path / name
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([row]), path)
    else:
        file(path, [row])
    with pytest.raises(LogsError, match=rf"{name}: a cost export, not a log; read it with 'aoai ingest costs'$"):
        ingest([path], lake)


def test_a_run_of_some_days_leaves_the_others(tmp_path: Path, lake: Lake) -> None:
    take(lake, run(tmp_path / "month", [focus(1, 5), focus(9, 2)], submitted="2026-11-02T00:00:00Z"))
    again = run(tmp_path / "days", [focus(9, 7)], submitted="2026-11-03T00:00:00Z", days=(8, 10))
    assert take(lake, again).replaced == 1
    assert billed(lake) == {1: 5.0, 9: 7.0}


def test_a_run_that_lacks_a_partition_is_not_taken(tmp_path: Path, lake: Lake) -> None:
    take(lake, run(tmp_path / "a", [focus(1, 5)], submitted="2026-11-02T00:00:00Z"))
    broken = run(tmp_path / "b", [focus(1, 1)], [focus(1, 1)], submitted="2026-11-03T00:00:00Z")
    (broken / "part_1_0001.csv").unlink()
    assert "part_1_0001.csv, which is missing" in take(lake, broken).problems[0]
    assert billed(lake) == {1: 5.0}


def test_charges_of_other_services_are_counted_and_not_kept(tmp_path: Path, lake: Lake) -> None:
    machine = ACCOUNT.replace("CognitiveServices/accounts", "Compute/virtualMachines")
    other = focus(1, 9, ResourceId=machine, ServiceName="Virtual Machines", x_SkuMeterCategory="Virtual Machines")
    summary = take(lake, file(tmp_path / "costs.csv", [focus(1, 5), other]))
    assert (summary.new, summary.other) == (1, 1)


def test_malformed_rows_are_quarantined_by_name(tmp_path: Path, lake: Lake) -> None:
    bad = [
        focus(1, "five"),
        focus(1, 1, ChargePeriodStart="2026-13-01"),
        focus(1, 1, BillingCurrency=""),
        focus(1, ""),
        focus(1, 1, PricingQuantity="NaN"),
    ]
    summary = take(lake, file(tmp_path / "costs.csv", [*bad, focus(2, 1)]))
    assert (summary.new, summary.quarantined) == (1, 5)
    reasons = set(set_aside(lake).quarantined)
    assert reasons == set(summary.reasons)
    assert reasons == {
        "billedcost is not a number such as 1234.56",
        "chargeperiodstart is not a date such as 2026-10-31 or 10/31/2026",
        "no BillingCurrency of three letters",
        "no cost",
        "pricingquantity is not a number such as 1234.56",
    }


@pytest.mark.parametrize("cost", ["1,234.56", "1,234", "2,5", "$2.50", "(2.50)"])
def test_a_cost_that_a_spreadsheet_wrote_is_not_guessed(tmp_path: Path, lake: Lake, cost: str) -> None:
    summary = take(lake, file(tmp_path / "costs.csv", [focus(1, cost), focus(2, 1)]))
    assert (summary.new, dict(summary.reasons)) == (1, {"billedcost is not a number such as 1234.56": 1})


def test_days_before_months_are_refused_and_not_read_as_those_of_other_months(tmp_path: Path, lake: Lake) -> None:
    rows = [focus(1, 1, ChargePeriodStart=day) for day in ("05/10/2026", "13/10/2026")]
    summary = take(lake, file(tmp_path / "costs.csv", rows))
    assert summary.new == 0
    assert summary.problems[0].endswith(
        "its dates are day/month/year, such as 13/10/2026; export it as 2026-10-31; this run was not read"
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (lambda text: text.replace(",", ";"), "they are separated by semicolons, not commas"),
        (lambda text: text.replace(",", "\t"), "they are separated by tabs, not commas"),
        (lambda text: "sep=,\n" + text, "it has no cost and no BillingCurrency and no charge date"),
        (lambda text: text.replace("BillingCurrency", "Money"), "it has no BillingCurrency"),
    ],
)
def test_another_form_of_csv_is_refused_with_its_reason(tmp_path: Path, lake: Lake, given: Any, told: str) -> None:
    path = file(tmp_path / "costs.csv", [focus(1, 1)])
    path.write_text(given(path.read_text(encoding="utf-8-sig")), encoding="utf-8")
    summary = take(lake, path)
    assert summary.new == summary.quarantined == 0
    assert f"the columns of costs.csv are not those of a cost export: {told}" in summary.problems[0]


def test_order_capitals_and_a_byte_order_mark_of_columns_make_no_difference(tmp_path: Path, lake: Lake) -> None:
    rows = [{name.upper(): row[name] for name in reversed(row)} for row in (focus(1, 1.25), focus(2, -0.5))]
    assert take(lake, file(tmp_path / "costs.csv", rows)).new == 2


def test_what_is_no_cost_export_is_named(tmp_path: Path, lake: Lake) -> None:
    summary = take(lake, file(tmp_path / "people.csv", [{"name": "a", "age": 3}]))
    assert "the columns of people.csv are not those of a cost export" in summary.problems[0]
    (tmp_path / "empty").mkdir()
    with pytest.raises(LogsError):
        take(lake, tmp_path / "empty")


def test_a_list_cost_of_nothing_is_unknown(tmp_path: Path, lake: Lake) -> None:
    take(lake, file(tmp_path / "costs.csv", [focus(1, 5, ListCost=0)]))
    (row,) = costs(lake)
    assert row["ListCost"] != row["ListCost"]


def test_copies_without_a_manifest_are_ordered_by_the_folders_of_their_runs(tmp_path: Path, lake: Lake) -> None:
    for when, cost in (("202610310412", 8), ("202610300412", 7)):
        file(tmp_path / f"x/costs/20261001-20261031/{when}/costs.csv", [focus(1, cost)])
    take(lake, tmp_path / "x")
    assert billed(lake) == {1: 8.0}


def test_actual_cost_details_have_dates_and_list_prices_of_their_agreement(tmp_path: Path, lake: Lake) -> None:
    take(lake, file(tmp_path / "ea.csv.gz", [details("10/31/2026", 1.8)]))
    (row,) = costs(lake)
    assert (row["TimeGenerated"].isoformat()[:10], row["Currency"], row["BilledCost"]) == ("2026-10-31", "EUR", 1.8)
    assert (row["ListCost"], row["Quantity"], row["Account"]) == (2.0, 1_000_000, "swedish")
    assert row["UsdRate"] != row["UsdRate"]  # the export does not say


def test_amortized_cost_is_told_by_its_manifest_its_name_or_its_unused_reservation(tmp_path: Path, lake: Lake) -> None:
    hours = {"MeterName": "Provisioned Managed Global Unit", "UnitOfMeasure": "1 Hour", "Quantity": 24}
    unused = details("10/31/2026", 12, ChargeType="UnusedReservation", ReservationId="r", SubscriptionId="", **hours)
    take(lake, file(tmp_path / "details.csv", [details("10/31/2026", 1.8), unused]))
    found = {row["Kind"]: row["Dataset"] for row in costs(lake)}
    assert found == {"tokens": "AmortizedCost", "provisioned, unused": "AmortizedCost"}


def test_of_several_exports_one_counts_for_a_day_and_subscription(tmp_path: Path, lake: Lake) -> None:
    october = "2026-10-0{}T00:00Z"
    take(lake, file(tmp_path / "actual.csv", [details("10/01/2026", 5), details("10/02/2026", 5)], 2_000_000_000))
    take(lake, file(tmp_path / "focus.csv", [focus(1, 7)], 1_900_000_000))
    take(lake, file(tmp_path / "copy/focus.csv", [focus(1, 8)], 1_900_000_100))
    other = focus(1, 1, SubAccountId="/subscriptions/other", ChargePeriodStart=october.format(1))
    take(lake, file(tmp_path / "other.csv", [other], 1_800_000_000))
    assert billed(lake) == {1: 9.0, 2: 5.0}


def test_each_meter_is_matched_or_says_why_not(tmp_path: Path, lake: Lake) -> None:
    meters = {
        "gpt 4.1 cached Inp glbl Tokens": ("tokens", "gpt-4.1", "cached-prompt", "default", "global"),
        "gpt 4o 0806 Batch Outp glbl Tokens": ("tokens", "gpt-4o", "completion", "batch", "global"),
        "gpt 4.1 mini ft trng glbl Tokens": ("fine-tuning", "", "", "", ""),
        "Provisioned Managed Data Zone Unit": ("provisioned", "", "", "", "data-zone"),
        "gpt-4o-rt-aud-1217 Inp glbl Tokens": ("realtime", "", "", "", ""),
        "gpt 9 preview Inp glbl Tokens": ("unmatched", "", "", "", ""),
    }
    rows = [focus(1, 1, x_SkuMeterName=name) for name in meters]
    gateway = ACCOUNT.replace("CognitiveServices/accounts", "ApiManagement/service")
    rows.append(focus(1, 1, x_SkuMeterName="Unit", x_SkuMeterCategory="API Management", ResourceId=gateway))
    take(lake, file(tmp_path / "costs.csv", rows))
    found = {row["SkuMeter"]: row for row in costs(lake, "CostDetails")}
    for name, expected in meters.items():
        row = found[name]
        kept = ("MeterKind", "MeterModel", "MeterDirection", "MeterTier")
        assert tuple(row[column] for column in kept) == expected[:4], row["MeterMatch"]
        assert expected[4] in ("", row["MeterScope"])
    assert found["Unit"]["MeterKind"] == "gateway"
    assert found["gpt 9 preview Inp glbl Tokens"]["MeterMatch"] == "no known model in its name"


def test_a_meter_per_million_is_not_read_as_one_per_thousand(tmp_path: Path, lake: Lake) -> None:
    million = {"x_SkuMeterName": "GPT 5 Inpt Glbl 1M Tokens", "PricingQuantity": 2}
    rows = [focus(1, 1, x_PricingUnitDescription="1M", **million), focus(2, 1, **million)]
    take(lake, file(tmp_path / "costs.csv", rows))
    first, second = costs(lake, "CostDetails")
    assert (first["MeterKind"], first["MeterQuantity"]) == ("tokens", 2_000_000)
    assert (second["MeterKind"], second["MeterMatch"]) == ("unmatched", "its name says 1M, its unit 1K")
