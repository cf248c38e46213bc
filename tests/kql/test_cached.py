"""Cached tokens that no log has, taken from the metrics that the gateway sends: only where these cover the hour."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.library.queries import library
from tests.kql.test_calibration import TYPES, literal, sent
from tests.kql.test_trust import FIRST

GROUP = {"API ID": "Models;rev=2", "Subscription ID": "S", "Deployment": "chat"}


def emitted(hour: int, prompt: float, cached: float | None, **dimensions: str) -> list[dict[str, Any]]:
    """What the gateway sends in an hour, in the shape of a Log Analytics export of AppMetrics."""
    values = {"Prompt Tokens": prompt, "Completion Tokens": 10.0, "Prompt Cached Tokens": cached}
    return [
        {
            "TimeGenerated": f"{FIRST + timedelta(hours=hour, minutes=59):%Y-%m-%dT%H:%M:%SZ}", "Type": "AppMetrics",
            "Name": name, "Sum": value, "ItemCount": 1, "Properties": GROUP | dimensions,
        }
        for name, value in values.items()
        if value is not None
    ]  # fmt: skip


def asked(name: str, hour: float, prompt: int, cached: int | None = None, **more: Any) -> dict[str, Any]:
    source = "" if cached is None else "log"
    error = None if cached is None else 0.0
    return sent(name, hour, prompt, ApiId="models", CachedTokens=cached, CachedTokenSource=source) | {
        "CachedTokensError": error, "IsStream": False, **more
    }  # fmt: skip


def with_metrics(folder: Path, metrics: list[dict[str, Any]], requests: list[dict[str, Any]]) -> dict[str, Any]:
    """CorrelationId -> row of AoaiRequests."""
    (folder / "app.json").write_text("\n".join(map(json.dumps, metrics)))
    lake = Lake.create(folder / "lake")
    ingest([folder / "app.json"], lake)
    cells = ", ".join(f"{name}: {kind}" for name, kind in TYPES.items())
    values = ",\n".join(literal(row.get(name), kind) for row in requests for name, kind in TYPES.items())
    given = f"let AoaiRequestsEstimated = datatable({cells}) [\n{values}\n];\n"
    engine = LocalEngine(lake, "lake")
    try:
        frame = engine.query(given + library().functions()["AoaiRequests"].text).frame
    finally:
        engine.close()
    return {str(row.CorrelationId): row for row in frame.itertuples()}


UNTOUCHED = {
    "the metrics count others' prompts too": (emitted(0, 5000, 1000), [asked("a", 0.1, 3000)]),
    "older gateways count no cached tokens": (emitted(0, 3000, None), [asked("a", 0.1, 3000)]),
    "a silent stream's cached tokens nobody counts": (
        emitted(0, 6000, 1000),
        [asked("a", 0.1, 3000), asked("b", 0.1, 3000, TokenSource="estimated", IsStream=True)],
    ),
    "more is cached than was asked": (emitted(0, 3000, 4000), [asked("a", 0.1, 3000)]),
    "the logs have more than the metrics": (
        emitted(0, 6000, 1000),
        [asked("a", 0.1, 3000), asked("b", 0.1, 3000, 2000)],
    ),
    "another subscription": (emitted(0, 3000, 1000, **{"Subscription ID": "other"}), [asked("a", 0.1, 3000)]),
    "a short prompt is never cached": (emitted(0, 1000, 0), [asked("a", 0.1, 1000)]),
}


def test_what_the_metrics_count_is_shared_out_among_long_prompts_without_a_count(tmp_path: Path) -> None:
    found = with_metrics(
        tmp_path,
        [
            *emitted(0, 8500, 3640),
            # The calls of one hour are of another deployment, which is not in the URL; the rest of a metric's names.
            *emitted(1, 4000, 0, Deployment="v1"), *emitted(1, 2000, 2000),
            # A response counts when it ends.
            *emitted(3, 2000, 512),
        ],
        [
            asked("a", 0.1, 3000), asked("b", 0.2, 4000), asked("c", 0.3, 1000, 640), asked("d", 0.4, 500),
            asked("e", 1.1, 4000, DeploymentName="gpt-5"), asked("f", 1.2, 2000),
            asked("g", 2.99, 2000, TotalTime=120_000),
        ],
    )  # fmt: skip
    cached = {
        name: None if row.CachedTokens is None else int(row.CachedTokens) for name, row in found.items() if name != "d"
    }
    # 3,000 more than the log's 640, by 3,000 and 4,000 of prompt.
    assert cached == {"a": 1286, "b": 1714, "c": 640, "e": 0, "f": 2000, "g": 512}
    assert [found[name].CachedTokenSource for name in "abcdefg"] == [
        "metrics", "metrics", "log", "", "metrics", "metrics", "metrics"
    ]  # fmt: skip
    # Each of two may differ from its share; one alone is known.
    assert found["a"].CachedTokensError > 300 and found["b"].CachedTokensError > 300
    assert [found[name].CachedTokensError for name in "cfg"] == [0, 0, 0]


def test_an_hour_that_the_metrics_do_not_cover_stays_unknown(tmp_path: Path) -> None:
    metrics, requests = [], []
    for number, (counts, rows) in enumerate(UNTOUCHED.values()):
        api = f"api{number}"
        metrics += [record | {"Properties": record["Properties"] | {"API ID": api}} for record in counts]
        requests += [row | {"ApiId": api, "CorrelationId": f"{row['CorrelationId']}{number}"} for row in rows]
    found = with_metrics(tmp_path, metrics, requests)
    assert [name for name, row in found.items() if row.CachedTokenSource == "metrics"] == []


def test_without_metrics_nothing_is_shared_out(tmp_path: Path) -> None:
    found = with_metrics(tmp_path, [], [asked("a", 0.1, 3000), asked("b", 0.1, 3000, 128)])
    assert [found[name].CachedTokenSource for name in "ab"] == ["", "log"]
    assert found["b"].CachedTokens == pytest.approx(128)
