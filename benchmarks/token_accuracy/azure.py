"""Azure's own count of a mix, as its metrics have it: what the gateway sent, and what others sent past it."""

from __future__ import annotations

import csv
import json
import shutil
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.delta import Lake

from .cases import Counted
from .measures import Measured, measure
from .methods import OURS, count

if TYPE_CHECKING:
    import pandas as pd

_ACCOUNTS = "/subscriptions/0/resourceGroups/ai/providers/Microsoft.CognitiveServices/accounts/"
_SENT = """
AoaiRequests
| where Attempts > 0
| project CorrelationId, Account = BackendHost, DeploymentName, Ended = TimeGenerated + TotalTime * 1ms
"""


def calibrated(counted: Counted, truth: Path, folder: Path, past: Sequence[float]) -> dict[float, Measured]:
    """Our count with metrics, for each share of the tokens that goes *past* the gateway. *truth* is the mix's file."""
    from aoai_analytics.lake.ingest import ingest
    from aoai_analytics.lake.recompute import recompute

    found = {}
    for share in past:
        lake = Lake(Path(shutil.copytree(counted.lake.path, folder / f"past-{share}")))
        metrics = folder / f"metrics-{share}.json"
        metrics.write_text("\n".join(map(json.dumps, _metrics(lake, truth, share))), encoding="utf-8")
        ingest([metrics], lake)
        recompute(lake)
        with_metrics = Counted(counted.truth, counted.delivered, lake)
        found[share] = measure(counted.truth, count(OURS, with_metrics))
    return found


def _metrics(lake: Lake, truth: Path, share: float) -> list[dict[str, Any]]:
    """Values per minute, account and deployment. Calls count when they end; others' are as ours or 5 times as large."""
    rng = Random(share)
    with truth.open(encoding="utf-8", newline="") as file:
        tokens = {
            row["CorrelationId"]: (int(row["PromptTokens"]), int(row["CompletionTokens"]))
            for row in csv.DictReader(file)
        }
    sent = [
        (row.Account, row.DeploymentName, row.Ended, *tokens[row.CorrelationId]) for row in _sent(lake).itertuples()
    ]
    missing = share * sum(prompt + completion for *_, prompt, completion in sent)
    others = []
    while missing > 0:
        account, deployment, ended, prompt, completion = rng.choice(sent)
        larger = rng.choice((1, 1, 5))
        ended += timedelta(seconds=rng.uniform(-7200, 7200))
        others.append((account, deployment, ended, larger * prompt, completion))
        missing -= larger * prompt + completion
    totals: dict[tuple[str, str, str, str], int] = defaultdict(int)
    for account, deployment, ended, prompt, completion in sent + others:
        for name, value in (
            ("ProcessedPromptTokens", prompt), ("GeneratedTokens", completion), ("AzureOpenAIRequests", 1)
        ):  # fmt: skip
            totals[account, deployment, f"{ended:%Y-%m-%dT%H:%M}:00Z", name] += value
    return [
        {
            "time": minute, "resourceId": _ACCOUNTS + account, "metricName": name, "timeGrain": "PT1M", "total": total,
            "dimensions": {"ModelDeploymentName": deployment, "ModelName": ""},
        }
        for (account, deployment, minute, name), total in totals.items()
    ]  # fmt: skip


def _sent(lake: Lake) -> pd.DataFrame:
    engine = LocalEngine(lake, str(lake.path))
    try:
        return engine.query(_SENT).frame
    finally:
        engine.close()
