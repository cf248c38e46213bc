"""The closed chain: what clients were told is what the logs say of each call, call by call.

``SANDBOX_CALLS=5000`` makes it that many calls.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aoai_analytics.engines import connect
from aoai_analytics.sandbox.log import FLAWS_OF_SANDBOX
from aoai_analytics.sandbox.serve import make, running
from tests.clients.conftest import needs
from tests.lakes import lake_of

CALLS = int(os.environ.get("SANDBOX_CALLS", "200"))

#: What a client can see of how a call ended -> the outcome in the logs.
OUTCOMES = {
    (200, False): "success",
    (400, False): "client-error",
    (401, False): "unauthorized",
    (403, False): "throttled-gateway",
    (404, False): "not-found",
    (503, False): "server-error",
}


def outcome(told: Any) -> set[str]:
    """The outcomes that fit what the client saw."""
    if told.code == "content_filter":
        return {"content-filter"}
    if told.status == 429:
        return {"throttled-gateway" if told.message.startswith("Token limit") else "throttled-backend"}
    if told.left_early:
        # The gateway may have sent everything before the client was gone.
        return {"client-closed", "success"}
    return {OUTCOMES[told.status, told.left_early]}


def differences(told: list[Any], rows: pd.DataFrame) -> list[str]:
    """Where the logs say something else than the clients were told; unknown where they need not know is none."""
    found: list[str] = []
    by_id = rows.set_index("CorrelationId")
    for each in told:
        row = by_id.loc[each.correlation_id]

        def differs(
            column: str, wanted: Any, *, may_be_unknown: bool = False, row: Any = row, each: Any = each
        ) -> None:
            value = row[column]
            unknown = bool(pd.isna(value)) or (value == "" and wanted != "")
            if not (may_be_unknown if unknown else value == wanted):
                found.append(f"{each}: {column} is {value}")

        differs("SubscriptionId", each.subscription)
        differs("Surface", each.surface)
        if row["Outcome"] not in outcome(each):
            found.append(f"{each}: Outcome is {row['Outcome']}")
        if each.status != 401:
            # Where the LLM row is lost, the end of the request's body names it.
            unsaid = each.status != 200 or row["TokenSource"] != "llm-log"
            differs("DeploymentName", each.deployment, may_be_unknown=unsaid)
            differs("IsStream", each.stream, may_be_unknown=each.status != 200)
        if not each.left_early:
            differs("ResponseCode", each.status)
        if each.prompt is None:
            continue
        differs("PromptTokens", each.prompt)
        differs("CompletionTokens", each.completion)
        differs("TotalTokens", each.prompt + (each.completion or 0))
        # A stream's last event is not read by the policies; an embedding has no such numbers.
        silent = each.stream or each.surface == "embeddings"
        differs("CachedTokens", each.cached, may_be_unknown=silent)
        differs("CacheWriteTokens", each.written, may_be_unknown=silent or not each.written)
        differs("ReasoningTokens", each.reasoning, may_be_unknown=silent or each.surface == "messages")
        differs("ServiceTier", each.tier, may_be_unknown=silent)
        differs("FinishReason", each.finish, may_be_unknown=silent)
    return found


@pytest.fixture(scope="module", autouse=True)
def _libraries() -> None:
    for name in ("openai", "anthropic"):
        needs(name)


def test_what_clients_were_told_is_what_the_logs_say(tmp_path: Path) -> None:
    from tests.sandbox.mixed import KINDS, drive

    sandbox = make(tmp_path / "logs", per_token=0.0005)
    backends = list(sandbox.deciding.pools.backends.values())
    told = []
    with running(sandbox) as url:
        for part, broken in enumerate((None, 503, 429, 0, None)):
            backends[0].broken = broken
            told += drive(url, CALLS // 5, seed=part)
            backends[0].out_until = 0.0
        for backend in backends:
            backend.broken = 503
        told += drive(url, 12, seed=99)

    rows = connect(lake_of(tmp_path / "lake", tmp_path / "logs")).query("AoaiRequests").frame
    assert sorted(rows["CorrelationId"]) == sorted(each.correlation_id for each in told)
    assert differences(told, rows) == []

    seen = Counter(rows["Outcome"])
    wanted = {"success", "content-filter", "not-found", "throttled-gateway", "unauthorized", "server-error"}
    assert wanted <= set(seen), seen
    assert {(KINDS[kind][0], KINDS[kind][2]) for kind in KINDS} <= {(t.surface, t.stream) for t in told if t.prompt}
    over = rows[rows["FailedOver"].eq(True) & rows["Outcome"].eq("success")]
    assert len(over) and set(over["Attempts"]) <= {2, 3} and "aoai-swedencentral" not in set(over["BackendHost"])
    known = rows[rows["TokenSource"].eq("llm-log")]
    assert known["CachedTokens"].gt(0).any() and known["CacheWriteTokens"].gt(0).any()
    assert known["ReasoningTokens"].gt(0).any() and set(known["ServiceTier"]) >= {"default", "flex", "priority"}


def test_where_rows_are_lost_and_bodies_cut_the_stated_errors_hold(tmp_path: Path) -> None:
    from tests.sandbox.mixed import drive

    flaws = replace(FLAWS_OF_SANDBOX, llm_rows_lost=0.35, bodies_lost=0.35)
    with running(make(tmp_path / "logs", body_bytes=8192, flaws=flaws, seed=3)) as url:
        # One at a time: so the same calls lose their rows in each run.
        told = {each.correlation_id: each for each in drive(url, CALLS, seed=5, workers=1)}

    rows = connect(lake_of(tmp_path / "lake", tmp_path / "logs")).query("AoaiRequests").frame
    known = rows[rows["TokenSource"].isin(["llm-log", "usage", "usage-fragment"])]
    assert set(known["TokenSource"]) >= {"llm-log", "usage"}
    assert differences([told[name] for name in known["CorrelationId"]], known) == []

    guessed = rows[rows["TokenSource"].eq("estimated") & rows["Outcome"].eq("success")]
    guessed = guessed[[told[name].prompt is not None for name in guessed["CorrelationId"]]]
    assert len(guessed) >= CALLS / 30
    truth = [told[name].prompt + told[name].completion for name in guessed["CorrelationId"]]
    off = guessed["TotalTokens"] - pd.Series(truth, index=guessed.index)
    error = math.sqrt(guessed["TokensOwnVariance"].sum() + guessed["TokensSharedError"].sum() ** 2)
    assert abs(off.sum()) <= 3 * error
    alone = (guessed["TokensOwnVariance"] + guessed["TokensSharedError"] ** 2) ** 0.5
    assert (off.abs() <= 3 * alone.clip(lower=1)).mean() >= 0.9
