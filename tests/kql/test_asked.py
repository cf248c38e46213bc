"""Limits and beginnings of requests: what the logs show of them, and what they cost where they are planted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.delta import Lake
from aoai_analytics.library import library
from aoai_analytics.schema.tables import TABLES
from tests.kql.cases import engine_over, plain

DAY = "2026-11-02"
GATEWAY, LLM = TABLES["ApiManagementGatewayLogs"], TABLES["ApiManagementGatewayLlmLog"]


def logged(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """Put *rows* (column -> value, the others empty) into a log table of the lake in *folder*."""
    table = TABLES[name]
    whole = [dict.fromkeys(table.arrow_schema().names) | {"date": DAY} | row for row in rows]
    Lake(folder).replace_dates(name, pa.Table.from_pylist(whole, schema=table.arrow_schema()), [DAY])


def at(minute: int) -> datetime:
    return datetime.fromisoformat(f"{DAY} 08:{minute:02}").replace(tzinfo=UTC)


def request(number: int, minute: int, **more: Any) -> dict[str, Any]:
    usual = {"TimeGenerated": f"{DAY} 08:{minute:02}", "CorrelationId": f"r{number}", "TokenSource": "usage"}
    return usual | {"PromptTokens": 100, "CachedTokens": 0, "CompletionTokens": 10} | more


def rows(engine: LocalEngine, query: str, *columns: str) -> list[tuple[Any, ...]]:
    frame = engine.query(library().get(query).text).frame
    return list(frame[list(columns)].itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        ({"messages": [], "max_tokens": 16_000}, 16_000),
        ({"max_completion_tokens": 500, "messages": []}, 500),
        ({"input": "hi", "max_output_tokens": 700}, 700),
        ({"messages": [{"role": "user", "content": 'Set {"max_tokens": 9} please'}]}, None),
        ({"messages": [], "max_tokens": None}, None),
    ],
    ids=str,
)
def test_the_output_limit_is_the_body_s_own_and_never_one_that_a_prompt_speaks_of(
    body: dict[str, Any], limit: int | None, tmp_path: Path
) -> None:
    engine = engine_over([], tmp_path / "lake")
    logged(
        tmp_path / "lake", GATEWAY.name,
        [{"CorrelationId": "r1", "TimeGenerated": at(0), "RequestBody": json.dumps(body)}],
    )  # fmt: skip
    found = engine.query("AoaiAsked | project MaxTokens").frame["MaxTokens"]
    assert [plain(value, "long") for value in found] == [limit]


def test_a_limit_far_above_the_responses_holds_back_quota(tmp_path: Path) -> None:
    """20 requests reserve 100 + 16,000 tokens each and use at most 400: 600 would do, or 95% of them with 40."""
    made = [request(n, n, CompletionTokens=400 if n == 0 else 40) for n in range(20)]
    made += [request(20, 30, Outcome="throttled-backend", TokenSource="not-billed")]
    made += [request(n, n, SubscriptionId="sub-b", CompletionTokens=90) for n in range(21, 25)]
    engine = engine_over(made, tmp_path / "lake")
    bodies = [json.dumps({"max_tokens": limit, "messages": []}) for limit in [16_000] * 21 + [100] * 4]
    logged(
        tmp_path / "lake", GATEWAY.name,
        [
            {"CorrelationId": f"r{n}", "TimeGenerated": at(n), "RequestBody": body}
            for n, body in enumerate(bodies)
        ],
    )  # fmt: skip
    columns = ("SubscriptionId", "Requests", "UsualLimit", "LargestResponse", "ThrottledRequests", "ReservedTokens")
    assert rows(engine, "prompts/max-tokens", *columns, "LowFreed", "HighFreed", "LowFreedShare") == [
        ("sub-a", 20, 16_000, 400, 1, 322_000, 308_000, 319_200, 95.7),
        ("sub-b", 4, 100, 90, 0, 800, 0, 40, 0.0),
    ]


BEGINNING = "You are the claims assistant. " * 600  # 18,000 characters


def prompt(beginning: str, question: str) -> str:
    return json.dumps([{"role": "system", "content": beginning}, {"role": "user", "content": question}])


def test_a_beginning_that_repeats_within_minutes_and_is_not_cached_could_save_its_discount(tmp_path: Path) -> None:
    """gpt-4.1: 2 USD a million prompt tokens, 0.5 cached."""
    sent = [
        # minute, tokens, cached, beginning
        (0, 8_000, 0, BEGINNING),  # the first one
        (1, 8_000, 0, BEGINNING),  # missed
        (2, 8_000, 7_168, BEGINNING),  # a hit
        (3, 8_000, None, BEGINNING),  # not logged
        (4, 8_000, 0, "Today is Monday. " + BEGINNING),  # another beginning
        (20, 8_000, 0, BEGINNING),  # too late for the cache
        (21, 900, 0, BEGINNING),  # too short to be cached
    ]
    made = [
        request(n, minute, ModelName="gpt-4.1", ModelVersion="2025-04-14", PromptTokens=tokens, CachedTokens=cached,
                BackendHost=f"aoai-{n % 2}")
        for n, (minute, tokens, cached, _) in enumerate(sent)
    ]  # fmt: skip
    engine = engine_over(made, tmp_path / "lake")
    texts = [prompt(beginning, f"Question {n}?") for n, (*_, beginning) in enumerate(sent)]
    logged(
        tmp_path / "lake", LLM.name,
        [
            {"CorrelationId": f"r{n}", "TimeGenerated": at(minute), "SequenceNumber": 1, "RequestMessages": text}
            for n, ((minute, *_), text) in enumerate(zip(sent, texts, strict=True))
        ],
    )  # fmt: skip
    # 16,384 of the text's characters are the same, in steps of 128 tokens.
    stable = 8_000 * 16_384 // len(texts[1]) // 128 * 128
    assert stable == 7_168
    (row,) = rows(
        engine, "prompts/cache-misses", "SubscriptionId", "ModelName", "Requests", "KnownRequests", "MissedRequests",
        "Accounts", "StableTokens", "MissedTokens", "LowSavings", "HighSavings",
    )  # fmt: skip
    assert row[:8] == ("sub-a", "gpt-4.1", 3, 2, 1, 2, 3 * stable, stable)
    assert row[8] == pytest.approx(stable * 1.5e-6)
    # Half of the prompt without a log is taken as cached already.
    assert row[9] == pytest.approx((stable + stable - 4_000) * 1.5e-6)


def test_prompts_that_begin_alike_for_less_than_the_cache_needs_are_no_miss(tmp_path: Path) -> None:
    made = [request(n, n, PromptTokens=2_000, CachedTokens=0) for n in range(3)]
    engine = engine_over(made, tmp_path / "lake")
    logged(
        tmp_path / "lake", LLM.name,
        [
            {
                "CorrelationId": f"r{n}", "TimeGenerated": at(n), "SequenceNumber": 1,
                "RequestMessages": prompt("Short and the same.", f"{n} " * 4_000),
            }
            for n in range(3)
        ],
    )  # fmt: skip
    assert rows(engine, "prompts/cache-misses", "SubscriptionId") == []
