"""The shared fixtures give what they say, also to several workers at once."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path


def test_the_shared_data_has_logs_and_their_truth(shared_data: Path) -> None:
    with (shared_data / "truth.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) > 1_000
    assert {path.name for path in (shared_data / "logs").rglob("*.json")} == {"PT1H.json"}


def test_chromium_runs(chromium: str) -> None:
    run = subprocess.run([chromium, "--version"], capture_output=True, text=True, check=True)
    assert "Chrom" in run.stdout


def test_the_repository_s_root_holds_the_package(repo: Path) -> None:
    assert (repo / "aoai_analytics/errors.py").is_file()
