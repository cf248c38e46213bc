"""Estimates calibrated by Azure's count: least squares as in textbooks, and only in hours without others' calls."""

from __future__ import annotations

import json
import math
import shutil
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.recompute import recompute
from aoai_analytics.library.queries import library
from tests.kql.test_trust import FIRST, filled, metric

TYPES = {
    "TimeGenerated": "datetime", "CorrelationId": "string", "BackendHost": "string", "DeploymentName": "string",
    "SubscriptionId": "string", "User": "string", "TotalTime": "long", "Attempts": "int", "TokenSource": "string",
    "PromptTokens": "long", "CompletionTokens": "long", "TotalTokens": "long", "PromptTokensError": "real",
    "CompletionTokensError": "real", "PromptTokensSharedError": "real", "CompletionTokensSharedError": "real",
    "TokensOwnVariance": "real", "TokensSharedError": "real", "Calibrated": "bool", "UncalibratedTokens": "long",
    "UncalibratedOwnVariance": "real", "UncalibratedSharedError": "real", "PromptCallerVariance": "real",
    "CompletionCallerVariance": "real", "ApiId": "string", "IsStream": "bool", "CachedTokens": "long",
    "CachedTokenSource": "string", "CachedTokensError": "real",
}  # fmt: skip


def counted(hour: int, prompt: int, calls: int, completion: int | None = None) -> list[dict[str, Any]]:
    """What Azure counts in an hour; a call has 10 tokens of completion."""
    completion = 10 * calls if completion is None else completion
    values = {"ProcessedPromptTokens": prompt, "GeneratedTokens": completion, "AzureOpenAIRequests": calls}
    return [metric(hour, name, total) for name, total in values.items()]


def sent(
    name: str, hour: float, prompt: int, error: float = 0.0, *, common: float = 0.0, shared: float = 0.0, **more: Any
) -> dict[str, Any]:
    """A request of the user *name*[0]. Of the variance of its prompt, *common* is common to callers."""
    variance = error**2 + common
    return {
        "TimeGenerated": FIRST + timedelta(hours=hour), "CorrelationId": name, "BackendHost": "swedish",
        "DeploymentName": "Chat", "SubscriptionId": "s", "User": name[0], "TotalTime": 1000, "Attempts": 1,
        "TokenSource": "estimated" if variance or shared else "llm-log", "PromptTokens": prompt,
        "CompletionTokens": 10, "TotalTokens": prompt + 10, "PromptTokensError": math.sqrt(variance),
        "CompletionTokensError": 0.0, "PromptTokensSharedError": shared, "CompletionTokensSharedError": 0.0,
        "TokensOwnVariance": variance, "TokensSharedError": shared, "PromptCallerVariance": error**2,
        "CompletionCallerVariance": 0.0, "Calibrated": False,
    } | more  # fmt: skip


def literal(value: Any, kind: str) -> str:
    if value is None:
        return '""' if kind == "string" else f"{kind}(null)"
    if kind == "datetime":
        return f"datetime({value:%Y-%m-%dT%H:%M:%SZ})"
    return json.dumps(value) if kind == "string" else str(value).lower()


def calibrated(folder: Path, metrics: list[dict[str, Any]], requests: list[dict[str, Any]]) -> pd.DataFrame:
    """AoaiRequests by CorrelationId, where these requests were sent and Azure counts *metrics*."""
    cells = ", ".join(f"{name}: {kind}" for name, kind in TYPES.items())
    values = ",\n".join(literal(row.get(name), kind) for row in requests for name, kind in TYPES.items())
    given = f"let AoaiRequestsEstimated = datatable({cells}) [\n{values}\n];\n"
    engine = LocalEngine(filled(folder, (metrics, [], "")), "lake")
    try:
        frame = engine.query(given + library().functions()["AoaiRequests"].text).frame
    finally:
        engine.close()
    return frame.set_index("CorrelationId").sort_index()


def test_a_difference_is_shared_out_by_variances_where_calls_agree(tmp_path: Path) -> None:
    hours = [
        # 40 more than estimated, of variances 100 and 300, beside 50 that are known.
        (counted(0, 290, 3), [sent("a0", 0.1, 100, 10), sent("b0", 0.2, 100, 300**0.5), sent("c0", 0.3, 50)]),
        # One estimate alone in its hour is known then.
        (counted(1, 120, 1), [sent("a1", 1.1, 100, 10)]),
        # Their fit is wrong for both: by 1 standard error of its own, and that is then known.
        (counted(2, 220, 2), [sent("a2", 2.1, 100, common=200), sent("b2", 2.2, 100, common=200)]),
        # An error that is common to all.
        (counted(3, 330, 2), [sent("a3", 3.1, 100, shared=10), sent("b3", 3.2, 200, shared=20)]),
        # Nothing else would be left of it.
        (counted(4, 0, 1), [sent("a4", 4.1, 5, 10)]),
    ]
    found = calibrated(tmp_path, [m for metrics, _ in hours for m in metrics], [r for _, rows in hours for r in rows])
    assert found["PromptTokens"].to_dict() == {
        "a0": 110, "b0": 130, "c0": 50, "a1": 120, "a2": 110, "b2": 110, "a3": 110, "b3": 220, "a4": 0
    }  # fmt: skip
    assert (found["TotalTokens"] == found["PromptTokens"] + 10).all()
    # Of a sum of two, v1 v2 / (v1 + v2) is left of the variance of either.
    left = found["PromptTokensError"].to_dict()
    assert left == pytest.approx(dict.fromkeys(left, 0.0) | {"a0": 75**0.5, "b0": 75**0.5}, abs=1e-6)
    assert found["TokensOwnVariance"].sum() == pytest.approx(150) and found["TokensSharedError"].sum() == 0
    assert found["Calibrated"].to_dict() == {name: name != "c0" for name in found.index}
    assert found["UncalibratedTokens"].dropna().to_dict() == {
        "a0": 110, "b0": 110, "a1": 110, "a2": 110, "b2": 110, "a3": 110, "b3": 210, "a4": 15
    }  # fmt: skip
    assert found["UncalibratedSharedError"].sum() == 30


UNFIT = {
    "others call too": (counted(0, 120, 2), [sent("a", 0.1, 100, 10)]),
    "Azure counts less calls": (counted(0, 220, 2), [sent(f"a{n}", 0.1, 100, 10) for n in range(3)]),
    "no count of calls": (counted(0, 120, 1)[:2], [sent("a", 0.1, 100, 10)]),
    "more than the errors explain": (counted(0, 150, 1), [sent("a", 0.1, 100, 10)]),
    "completions that the errors do not explain": (counted(0, 110, 1, 90), [sent("a", 0.1, 100, 10)]),
    "tokens of another request are unknown": (
        counted(0, 120, 2),
        [sent("a", 0.1, 100, 10), sent("b", 0.2, 0, TokenSource="none", PromptTokens=None, CompletionTokens=None)],
    ),
    "hours without estimates disagree": (
        [*counted(0, 120, 1), *counted(1, 130, 1), *counted(2, 100, 1)],
        [sent("a", 0.1, 100, 10), sent("b", 1.1, 100), sent("c", 2.1, 100)],
    ),
    "no metrics of that account": (counted(0, 120, 1), [sent("a", 0.1, 100, 10, BackendHost="other")]),
    "less than the known ones alone": (counted(0, 90, 2), [sent("a", 0.1, 5, 10), sent("b", 0.2, 100)]),
}


def test_an_hour_that_others_may_be_in_stays_as_it_was(tmp_path: Path) -> None:
    metrics, requests = [], []
    for number, (counts, rows) in enumerate(UNFIT.values()):
        at = f"account{number}"
        metrics += [record | {"resourceId": record["resourceId"].replace("Swedish", at)} for record in counts]
        requests += [{**row, "BackendHost": row["BackendHost"].replace("swedish", at)} for row in rows]
    for number, row in enumerate(requests):
        row["CorrelationId"] += str(number)
    found = calibrated(tmp_path, metrics, requests)
    assert found.loc[found["Calibrated"], "BackendHost"].tolist() == []
    assert found["UncalibratedTokens"].isna().all()
    for name in ("PromptTokens", "TokensOwnVariance"):
        assert found[name].fillna(0).to_dict() == {row["CorrelationId"]: row[name] or 0 for row in requests}


@pytest.mark.parametrize("when", ["begin", "end"])
def test_a_call_over_the_hour_counts_where_azure_counts_calls(tmp_path: Path, when: str) -> None:
    late = sent("b", 0.999, 1000, TotalTime=30_000)
    shift = 1000 if when == "begin" else 0
    metrics = counted(0, 120 + shift, 1 + (shift > 0)) + counted(1, 1130 - shift, 2 - (shift > 0))
    found = calibrated(tmp_path, metrics, [sent("a", 0.5, 100, 10), late, sent("c", 1.5, 100, 10)])
    assert found["PromptTokens"].to_dict() == {"a": 120, "b": 1000, "c": 130}


def test_metrics_without_deployments_calibrate_an_account(tmp_path: Path) -> None:
    metrics = [record | {"dimensions": {}} for record in counted(0, 220, 2)]
    requests = [sent("a", 0.1, 100, 10), sent("b", 0.2, 100, 10, DeploymentName="mini")]
    assert calibrated(tmp_path, metrics, requests)["PromptTokens"].tolist() == [110, 110]


def test_metrics_that_come_after_the_logs_calibrate_what_is_there_once(sample_lake: Path, tmp_path: Path) -> None:
    """Azure counts what the truth says: estimates that share an hour are nearer to it, one alone is as it is."""
    lake = Lake(Path(shutil.copytree(sample_lake, tmp_path / "lake")))
    before = requests_of(lake)
    truth = pd.read_csv(
        sample_lake.parent / "sample/truth.csv", usecols=["CorrelationId", "PromptTokens", "CompletionTokens"]
    )
    rows = before[["CorrelationId", "BackendHost", "DeploymentName", "TimeGenerated", "Attempts"]].merge(truth)
    records = [
        metric(0, name, float(total), deployment=row.DeploymentName)
        | {"resourceId": metric(0, "", 0)["resourceId"].replace("Swedish", row.BackendHost)}
        | {"time": f"{row.TimeGenerated.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", "timeGrain": "PT1M"}
        for row in rows.itertuples()
        if row.Attempts
        for name, total in (
            ("ProcessedPromptTokens", row.PromptTokens), ("GeneratedTokens", row.CompletionTokens),
            ("AzureOpenAIRequests", row.Attempts),
        )
    ]  # fmt: skip
    (tmp_path / "metrics.json").write_text("\n".join(map(json.dumps, records)))
    ingest([tmp_path / "metrics.json"], lake)
    assert recompute(lake) and recompute(lake) == []
    after = requests_of(lake).merge(truth, on="CorrelationId", suffixes=("", "True"))
    assert after["Calibrated"].sum() > 20
    assert (after["Calibrated"] <= (after["TokenSource"] == "estimated")).all()
    both = after.merge(before[["CorrelationId", "TotalTokens"]], on="CorrelationId", suffixes=("", "Before"))
    true = both["PromptTokensTrue"] + both["CompletionTokensTrue"]
    was, now = (
        (both[column] - true)[both["Calibrated"]].abs().sum() for column in ("TotalTokensBefore", "TotalTokens")
    )
    assert now < 0.5 * was


def requests_of(lake: Lake) -> pd.DataFrame:
    engine = LocalEngine(lake, "lake")
    try:
        return engine.query("AoaiRequests | sort by CorrelationId asc").frame
    finally:
        engine.close()
