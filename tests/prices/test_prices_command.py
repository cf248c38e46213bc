"""``aoai prices list`` and ``functions``."""

from __future__ import annotations

from pathlib import Path

import pytest

from aoai_analytics.cli import main
from aoai_analytics.prices import read_book, shipped_book
from tests.conftest import REPO


@pytest.fixture(autouse=True)
def _no_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_list_names_each_price(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "list", "--model", "gpt-4.1", "--scope", "global"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["Model", "Version", "Scope", "Tier", "Direction", "USD", "per", "1M", "From", "Above", "Regions"],
        ["gpt-4.1", "global", "default", "prompt", "2", "2025-04-01"],
        ["gpt-4.1", "global", "default", "cached-prompt", "0.5", "2025-04-01"],
        ["gpt-4.1", "global", "default", "completion", "8", "2025-04-01"],
        ["gpt-4.1", "global", "priority", "prompt", "3.5", "2026-03-01"],
        ["gpt-4.1", "global", "priority", "cached-prompt", "0.875", "2026-03-01"],
        ["gpt-4.1", "global", "priority", "completion", "14", "2026-03-01"],
        ["gpt-4.1", "global", "batch", "prompt", "1", "2025-04-01"],
        ["gpt-4.1", "global", "batch", "completion", "4", "2025-04-01"],
    ]


def test_the_list_as_csv_is_a_price_book(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "list", "--csv"]) == 0
    path = tmp_path / "all.csv"
    path.write_text(capsys.readouterr().out, "utf-8")
    assert read_book(path).prices == shipped_book().prices


def test_a_model_without_a_price_is_said_to_be_unpriced(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "list", "--model", "gpt-9-preview"]) == 2
    assert "its requests are unpriced" in capsys.readouterr().err
    assert main(["prices", "list", "--scope", "galaxy"]) == 2


def test_the_functions_are_written_as_they_ship(tmp_path: Path) -> None:
    assert main(["prices", "functions", "-o", str(tmp_path / "kql")]) == 0
    for name in ("AoaiPrices", "AoaiDeploymentScopes", "AoaiModels"):
        shipped = REPO / f"kql/functions/{name}.kql"
        assert (tmp_path / f"kql/{name}.kql").read_text("utf-8") == shipped.read_text("utf-8")


def test_the_coverage_says_what_is_priced_and_what_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "coverage"]) == 0
    listed = capsys.readouterr()
    lines = listed.out.splitlines()
    rows = {line.split("  ")[0]: [cell.strip() for cell in line.split("  ") if cell] for line in lines}
    assert rows["gpt-4.1"][1:] == [*["prompt, cached-prompt, completion"] * 2, "unpriced", "prompt, completion"]
    assert rows["claude-haiku-5-5"][1].endswith("completion, long")
    assert "realtime" in listed.err
    assert main(["prices", "coverage", "--scope", "moon"]) == 2
