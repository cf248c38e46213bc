"""Hostile values anywhere in a logged request or answer cost that record its numbers, and no other record anything.

One lake of published shapes, altered, by default; ``make faults`` makes more for as long as ``FAULTS_MINUTES`` says.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.recompute import recompute
from tests.functions.raw_logs import lake_of_rows, llm, request
from tests.functions.test_shapes import CASES

MINUTES = float(os.environ.get("FAULTS_MINUTES", "0"))
RECORDS = 300
#: Of these, records whose numbers are known, and must come out as they went in.
SOUND = 20
Json = Any

TEXTS = [
    "", "\0", "😀", "9" * 400, "null", "1e400", "-0", "NaN", "Infinity", "0x10", "1,5", " 12 ", '"', "\\", "%%", "$.a",
    "{", "[", "2026-13-45T00:00:00Z", "9999-12-31T23:59:59.9999999Z", "0001-01-01", "1.23:45:67", "\u2028", "a'b",
    "\n\ndata: x\n\n", "\r", "\ufeff", "x" * 9000,
]  # fmt: skip
NUMBERS = [2**63 - 1, -(2**63), 2**64, 10**30, 1e308, -1e308, 1e-320, 2**53 + 1]
VALUES: list[Json] = [*TEXTS, *NUMBERS, True, False, None, [], {}, [[]], [None], {"a": None}]
PIECES = ["{", "}", "[", "]", '"', "\\", "\0", ",", ":", "e", "-", "9" * 20, "\n", "\r\n", "data: ", "NaN"]
BODIES = ("RequestBody", "ResponseBody", "BackendRequestBody", "BackendResponseBody", "RequestHeaders", "TraceRecords")
NAMES = ("Url", "BackendUrl", "CallerIpAddress", "ApimSubscriptionId", "BackendId", "ApiId", "Method")


def altered(value: Json, chance: random.Random, part: float) -> Json:
    """*value* with about *part* of its leaves, and a few of its names, made hostile."""
    if isinstance(value, dict):
        return {
            chance.choice(TEXTS) if chance.random() < part / 6 else name: altered(inner, chance, part)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        times = chance.choice([0, 2, 50]) if chance.random() < part / 4 else 1
        return [altered(inner, chance, part) for inner in value] * times
    return chance.choice(VALUES) if chance.random() < part else value


def altered_text(text: str, chance: random.Random, part: float) -> str:
    """The same of JSON or server-sent events, some of them broken as texts too."""
    lines = [text] if text.lstrip()[:1] in ("{", "[") else text.split("\n")
    for number, line in enumerate(lines):
        label = "data: " if line.startswith("data: ") else ""
        try:
            lines[number] = label + json.dumps(altered(json.loads(line[len(label) :]), chance, part))
        except ValueError:
            continue
    text = "\n".join(lines)
    for _ in range(chance.randint(1, 4) if chance.random() < 0.2 else 0):
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chance.choice(PIECES) + text[at + chance.randint(0, 5) :]
    return text


def records(seed: object) -> tuple[list[Json], list[Json]]:
    """Gateway and LLM rows: sound ones, and those of published shapes, altered."""
    chance = random.Random(str(seed))
    gateway = [request(f"sound-{number}") for number in range(SOUND)]
    of_llm = [llm(f"sound-{number}", PromptTokens=100 + number, TotalTokens=120 + number) for number in range(SOUND)]
    for number in range(RECORDS):
        case, part = chance.choice(list(CASES.values())), chance.choice([0.03, 0.1, 0.3, 0.8])
        row = dict(case["gateway"])
        for name in BODIES:
            if isinstance(row.get(name), str):
                row[name] = altered_text(row[name], chance, part)
        row |= {name: chance.choice(TEXTS) for name in NAMES if chance.random() < 0.05}
        gateway.append(request(f"altered-{number}", **row))
        for columns in case["llm"]:
            columns = columns | {
                name: chance.choice([2**31 - 1, -(2**31), 0, -1, None])
                for name in ("PromptTokens", "CompletionTokens", "TotalTokens", "PromptCachedTokens")
                if chance.random() < 0.1
            }
            of_llm.append(llm(f"altered-{number}", columns.get("SequenceNumber", 0), **columns))
    return gateway, of_llm


def held(folder: Path, seed: object) -> None:
    """Everything is computed, the sound records exactly, and no altered one has an impossible count."""
    lake = lake_of_rows(folder, *records(seed))
    recompute(lake)
    engine = LocalEngine(lake, str(folder))
    try:
        rows = engine.query("AoaiRequests | project CorrelationId, TotalTokens, CachedTokens, TokenSource").frame
        texts = engine.query("AoaiMessages | count").frame
    finally:
        engine.close()
    known = rows.set_index("CorrelationId")
    for number in range(SOUND):
        row = known.loc[f"sound-{number}"]
        assert (row["TotalTokens"], row["TokenSource"]) == (120 + number, "llm-log")
    counts = rows[["TotalTokens", "CachedTokens"]].stack().dropna()
    assert counts.between(0, 10**8).all(), f"seed {seed}"
    assert len(rows) > RECORDS / 2 and texts.iloc[0, 0] > 0


@pytest.mark.parametrize("seed", [1])
def test_a_hostile_value_costs_its_own_record_only(tmp_path: Path, seed: int) -> None:
    held(tmp_path, seed)


@pytest.mark.skipif(not MINUTES, reason="make faults")
def test_new_hostile_values_cost_their_own_records_only(tmp_path: Path) -> None:
    end = time.monotonic() + 60 * MINUTES / 6
    number = 0
    while time.monotonic() < end:
        held(tmp_path / str(number), f"{time.time_ns()}")
        number += 1
    print(f"{number} lakes of {RECORDS} altered records")
