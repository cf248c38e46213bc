"""A written sample, read back for tests."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from aoai_analytics.sample import SampleSummary


@dataclass
class Sample:
    """A written sample, read back: gateway records and LLM records each with the blob they came from."""

    folder: Path
    summary: SampleSummary
    truth: list[dict[str, str]]
    gateway: list[tuple[str, dict]]
    llm: list[tuple[str, dict]]
    planted: list[dict]

    def requests(self) -> Iterator[tuple[dict[str, str], dict]]:
        """Each truth row with its gateway record."""
        records = {record["correlationId"]: record for _, record in self.gateway}
        return ((row, records[row["CorrelationId"]]) for row in self.truth)

    @cached_property
    def llm_rows(self) -> dict[str, list[dict]]:
        """Each request's LLM rows by its correlation id: each once, in order, the rows 1 as they were written."""
        rows: dict[str, dict[str, dict]] = defaultdict(dict)
        for _, record in self.llm:
            rows[record["correlationId"]].setdefault(json.dumps(record), record["properties"])
        return {key: sorted(of.values(), key=lambda row: row["sequenceNumber"]) for key, of in rows.items()}

    def count(self, kind: str) -> int:
        return sum(finding["count"] or 0 for finding in self.planted if finding["kind"] == kind)


def read(folder: Path, summary: SampleSummary) -> Sample:
    records: dict[str, list] = {"insights-logs-gatewaylogs": [], "insights-logs-gatewayllmlogs": []}
    for blob in sorted(folder.glob("logs/*/**/PT1H.json")):
        container = blob.relative_to(folder / "logs").parts[0]
        text = blob.read_bytes()
        assert text.endswith(b"\n")
        records[container] += [(str(blob), json.loads(line)) for line in text.split(b"\n")[:-1]]
    with (folder / "truth.csv").open(encoding="utf-8", newline="") as file:
        truth = list(csv.DictReader(file))
    planted = json.loads((folder / "planted.json").read_text(encoding="utf-8"))["findings"]
    return Sample(folder, summary, truth, *records.values(), planted)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
