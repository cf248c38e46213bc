"""``planted.json``: the flaws and peculiarities in the sample's logs, for detection tests."""

from __future__ import annotations

from collections import Counter
from typing import Any

from aoai_analytics.sample.flaws import Flaws, Window, Windows
from aoai_analytics.sample.records import log_time
from aoai_analytics.sample.world import LEGAL, POOL, V1

_COUNTED = {
    "body-truncated": ("bodies-truncated", "requests with a body cut at 8,192 bytes"),
    "body-stripped": ("entries-over-limit", "gateway rows over 32 KB, which lost all bodies and traces"),
    "bodies-lost": ("bodies-missing", "gateway rows without bodies although the API logs them"),
    "llm-rows-lost": ("llm-rows-missing", "answered requests whose LLM rows never arrived"),
    "llm-rows-alone": ("llm-rows-without-gateway-row", "requests of which only the LLM rows arrived; not in truth.csv"),
    "llm-tokens-zero": ("llm-tokens-zero", "LLM rows that give 0 tokens for an answer that was billed"),
    "gateway-row-twice": ("gateway-rows-twice", "gateway rows delivered twice"),
    "llm-row-twice": ("llm-rows-twice", "LLM rows delivered twice"),
    "llm-rows-late": ("llm-rows-late", "LLM rows in the blob of a later hour"),
    "request-in-pieces": ("requests-in-pieces", "requests in several LLM rows, all with SequenceNumber 1"),
    "answer-in-pieces": ("answers-in-pieces", "answers in several LLM rows"),
    "stream-without-usage": ("streams-without-usage", "answered streams whose client did not ask for usage"),
    "requests-without-tokens": ("tokens-nowhere", "answered requests without logged tokens"),
    "unpriced": ("unpriced-model", "answered requests to a model without a price"),
    "hostile-text": ("hostile-text", "requests or answers with markup, formulas, control characters or quoted usage"),
    "tool-calls": ("tool-calls", "chat requests that offer a tool"),
    "image-inputs": ("image-inputs", "chat requests with an image"),
    "other-api": ("other-apis", "requests to APIs without a model, one of them under /training/completions"),
}


def findings(
    counts: Counter[str], flaws: Flaws, windows: Windows | None, unlogged: dict[str, int]
) -> list[dict[str, Any]]:
    """The findings, each ``kind``, ``what``, ``where`` and ``count``; those in a window have ``start`` and ``end``."""
    found = [
        {"kind": kind, "what": what, "where": {}, "count": counts[name]}
        for name, (kind, what) in _COUNTED.items()
        if counts[name]
    ]
    if flaws.body_logging_off and counts["bodies-off"]:
        what = "an API that logs no bodies"
        found.append(_finding("body-logging-off", what, {"ApiId": LEGAL.name}, counts["bodies-off"]))
    if flaws.llm_logging_partial:
        found.append(
            _finding(
                "llm-logging-off", "operations without LLM rows", {"Surface": ["completions", "images", "audio"]}, None
            )
        )
    if windows:
        found += [
            _finding(
                "llm-logging-off",
                "the API had no LLM logging yet",
                {"ApiId": V1.name},
                counts["llm-logging-off"],
                windows.llm_logging_off,
            ),
            _finding(
                "log-gap",
                "no record of any kind; about so many requests are missing",
                {},
                unlogged["log-gap"],
                windows.gap,
            ),
            _finding(
                "sampling-below-100",
                "the diagnostic kept half of the requests; about so many are missing",
                {"percentage": 50},
                unlogged["sampling-below-100"],
                windows.sampling,
            ),
            _finding(
                "backend-trouble",
                "the backend refused most requests",
                {"BackendHost": POOL[0]},
                None,
                windows.backend_trouble,
            ),
        ]
    return found


def _finding(
    kind: str, what: str, where: dict[str, Any], count: int | None, window: Window | None = None
) -> dict[str, Any]:
    finding = {"kind": kind, "what": what, "where": where, "count": count}
    if window:
        finding |= {"start": log_time(window.start), "end": log_time(window.end)}
    return finding
