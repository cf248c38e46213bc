"""Saved answers of Azure Monitor's metrics API become rows of AzureMetrics, as documented for the API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest

RESOURCE = "/subscriptions/0a1b/resourceGroups/ai/providers/Microsoft.CognitiveServices/accounts/Swedish"


def series(deployment: str, *totals: float | None) -> dict[str, Any]:
    points = [{"timeStamp": f"2026-11-02T08:{n:02}:00Z", "total": total} for n, total in enumerate(totals)]
    names = {"modeldeploymentname": deployment, "modelname": "gpt-4o"}
    return {
        "metadatavalues": [{"name": {"value": k, "localizedValue": k}, "value": v} for k, v in names.items()],
        "data": [{k: v for k, v in point.items() if v is not None} for point in points],
    }


def metric(name: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"{RESOURCE}/providers/Microsoft.Insights/metrics/{name}",
        "type": "Microsoft.Insights/metrics",
        "name": {"value": name, "localizedValue": "Tokens"},
        "displayDescription": "Number of tokens.",
        "unit": "Count",
        "timeseries": list(parts),
        "errorCode": "Success",
    }


ONE = {
    "cost": 59,
    "timespan": "2026-11-02T08:00:00Z/2026-11-02T09:00:00Z",
    "interval": "PT1M",
    "value": [
        metric("ProcessedPromptTokens", series("chat", 10, None, 30), series("Mini", 5)),
        metric("GeneratedTokens", series("chat", 2)),
    ],
    "namespace": "Microsoft.CognitiveServices/accounts",
    "resourceregion": "swedencentral",
}
BATCH = {"values": [{**ONE, "resourceid": RESOURCE, "starttime": "2026-11-02T08:00:00Z"}]}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("answer", [ONE, BATCH], ids=["resource", "batch"])
def test_a_saved_answer_has_a_row_for_each_value_with_its_dimensions(tmp_path, answer, indent):
    (tmp_path / "metrics.json").write_text(json.dumps(answer, indent=indent))
    lake = Lake.create(tmp_path / "lake")
    assert (ingest([tmp_path / "metrics.json"], lake).new, ingest([tmp_path / "metrics.json"], lake).new) == (4, 0)
    engine = LocalEngine(lake, "lake")
    try:
        rows = engine.query("AzureMetrics | sort by MetricName asc, Total asc").frame
        assert rows[["MetricName", "Total", "TimeGrain"]].values.tolist() == [
            ["GeneratedTokens", 2, "PT1M"],
            ["ProcessedPromptTokens", 5, "PT1M"],
            ["ProcessedPromptTokens", 10, "PT1M"],
            ["ProcessedPromptTokens", 30, "PT1M"],
        ]
        found = engine.query("AoaiAccountMetrics | sort by DeploymentName asc").frame
        columns = ["Account", "DeploymentName", "ModelName", "PromptTokens", "TotalTokens"]
        assert found[columns].values.tolist() == [
            ["swedish", "chat", "gpt-4o", 40, 42],
            ["swedish", "mini", "gpt-4o", 5, 5],
        ]
    finally:
        engine.close()


def test_a_grain_that_the_azure_cli_prints_as_a_clock_is_the_same_grain(tmp_path):
    (tmp_path / "metrics.json").write_text(json.dumps(ONE | {"interval": "0:01:00"}))
    lake = Lake.create(tmp_path / "lake")
    ingest([tmp_path / "metrics.json"], lake)
    engine = LocalEngine(lake, "lake")
    try:
        assert engine.query("AzureMetrics | distinct TimeGrain").frame["TimeGrain"].tolist() == ["PT1M"]
    finally:
        engine.close()
