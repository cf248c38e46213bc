"""The show-back file: the same amounts in CSV and Excel, adding up to the cent, with no formula from a name."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest

from aoai_analytics.cli import main
from tests.kql.cases import engine_over

NAMES = ["sub-a", "=1+1", "+49 30", "@sum(A1)", "-x", "\tb", "http://x.example", "", 'Ünï"c,ode']


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Subscriptions with names that a spreadsheet would run, a request of 0.0133 USD each; one without a price."""
    usual = {"TimeGenerated": "2026-11-02 08:00", "PromptTokens": "0", "CachedTokens": "0", "CompletionTokens": "1330"}
    requests = [usual | {"SubscriptionId": name} for name in NAMES]
    requests.append(usual | {"SubscriptionId": "sub-a", "ModelName": "gpt-9-preview", "ModelVersion": ""})
    engine_over(requests, tmp_path / "lake").close()
    return tmp_path / "lake"


def test_the_csv_adds_up_to_the_cent_and_runs_no_formula(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "november.csv"
    assert main(["prices", "showback", "-o", str(path), "-s", str(lake), "--period", "2026-11"]) == 0
    assert "0.12 USD for 9 subscriptions" in capsys.readouterr().err
    rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
    *parts, total = rows
    assert total["Subscription"] == "Total"
    assert total["Amount (USD)"] == "0.12"
    assert sum(Decimal(row["Amount (USD)"]) for row in parts) == Decimal("0.12")
    assert {row["Subscription"].lstrip()[0] for row in parts} & set("=+-@") == set()
    assert total["Requests without a price, in no amount"] == "1"


def test_the_workbook_has_numbers_as_numbers_and_names_as_text(lake: Path, tmp_path: Path) -> None:
    path = tmp_path / "november.xlsx"
    assert main(["prices", "showback", "-o", str(path), "-s", str(lake), "--start", "2026-11-01"]) == 0
    sheet = openpyxl.load_workbook(path).active
    assert sheet is not None
    rows = list(sheet.iter_rows(min_row=4))
    cells = {cell.value: cell for cell in (row[0] for row in rows)}
    assert set(cells) == {*(name or "(none)" for name in NAMES), "Total"}
    assert all(cell.data_type == "s" and cell.hyperlink is None for cell in cells.values())
    amounts = [row[1].value for row in rows]
    assert amounts[-1] == 0.12
    assert sum(Decimal(str(amount)) for amount in amounts[:-1]) == Decimal("0.12")
    assert rows[0][1].number_format == "#,##0.00"
    title = sheet["A1"].value
    assert isinstance(title, str) and str(lake) in title and "2026" in title


def test_a_commitment_is_in_the_amounts(lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.csv"
    assert main(["prices", "showback", "-o", str(path), "-s", str(lake), "--commitment", "aoai-1/chat-prod=90.05"]) == 0
    assert "90.05 USD for 9 subscriptions" in capsys.readouterr().err


def test_an_empty_period_gives_an_empty_table_with_a_total_of_nothing(lake: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    assert main(["prices", "showback", "-o", str(path), "-s", str(lake), "--period", "2020-01"]) == 0
    (total,) = csv.DictReader(path.read_text("utf-8-sig").splitlines())
    assert total["Amount (USD)"] == "0.00"


def test_an_unknown_amount_is_an_empty_cell_and_no_known_one_no_total(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = {"TimeGenerated": "2026-11-02 08:00", "TokenSource": "none", "SubscriptionId": "sub-a"}
    known = {"TimeGenerated": "2026-12-02 08:00", "PromptTokens": "0", "CachedTokens": "0", "CompletionTokens": "1330"}
    engine_over(
        [unknown, unknown | {"TimeGenerated": "2026-12-02 08:00"}, known | {"SubscriptionId": "b"}], tmp_path / "lake"
    ).close()
    path = tmp_path / "x.csv"
    amounts = {}
    for period in ("2026-11", "2026-12"):
        assert main(["prices", "showback", "-o", str(path), "-s", str(tmp_path / "lake"), "--period", period]) == 0
        rows = csv.DictReader(path.read_text("utf-8-sig").splitlines())
        amounts[period] = {row["Subscription"]: row["Amount (USD)"] for row in rows}
    assert amounts == {"2026-11": {"sub-a": "", "Total": ""}, "2026-12": {"b": "0.01", "sub-a": "", "Total": "0.01"}}
    assert "unknown USD for 1 subscriptions" in capsys.readouterr().err


def test_another_kind_of_file_is_refused(lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "showback", "-o", str(tmp_path / "x.pdf"), "-s", str(lake)]) == 2
    assert "must end in .csv or .xlsx" in capsys.readouterr().err
    assert main(["prices", "showback", "-o", str(tmp_path / "gone/x.csv"), "-s", str(lake)]) == 2
    assert "cannot write" in capsys.readouterr().err
