"""A report's few numbers that its index, the index of all reports and a summary name; the manifest's ``headline``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..format.numbers import Unit, human
from .pages import Page

#: The questions whose answers give what the head does not.
COST, SUCCESS = "cost/total", "reliability/success-rate"
#: Before a sum that leaves requests out.
AT_LEAST = "\N{GREATER-THAN OR EQUAL TO} "


def headline_numbers(pages: Sequence[Page]) -> dict[str, Any]:
    """The headline numbers of *pages* as JSON-ready data; null is unknown, or not asked by these pages.

    ``Requests``; ``Tokens``, with ``EstimatedTokens`` of them, and ``UnknownRequests``, whose tokens are in no sum;
    ``FirstRequest``, ``LastRequest`` in ISO 8601; ``Cost`` in USD, without ``UncostedRequests`` (no price, or
    unknown tokens); ``SuccessRate`` in %, of the requests that were not the caller's fault.
    """
    heads = [page.head["numbers"] for page in pages if page.head]
    answers: dict[str, Mapping[str, Any]] = {}
    for page in pages:
        for answer in page.answers:
            answers.setdefault(answer["name"], answer)
    return of_coverage(heads[0] if heads else {}) | _cost(answers.get(COST)) | _success(answers.get(SUCCESS))


def money_and_success(numbers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The cards, as ``pages.cards``, of what the head does not say: the cost and the success rate, where known."""
    shown = []
    if (cost := numbers.get("Cost")) is not None:
        partly = bool(numbers.get("UncostedRequests"))
        # A card has room for seven digits or so, and cents of thousands tell nothing.
        value = amount(cost) if abs(cost) < 999.995 else human(cost, Unit("", decimals=0))
        shown.append({"label": "Cost in USD", "value": AT_LEAST * partly + value, "marked": partly})
    if (rate := numbers.get("SuccessRate")) is not None:
        shown.append({"label": "Success rate", "value": percent(rate), "marked": False})
    return shown


def amount(usd: float) -> str:
    """An amount of money, without its unit."""
    return human(usd, Unit("", decimals=2))


def percent(share: float) -> str:
    """A share that never rounds to nothing or to all."""
    if 0 < share < 0.1:
        return "< 0.1%"
    if 99.9 < share < 100:
        return f"{share:.2f}%" if share < 99.995 else "> 99.99%"
    return f"{share:,.1f}".removesuffix(".0") + "%"


def of_coverage(found: Mapping[str, Any]) -> dict[str, Any]:
    """What of the headline numbers the head's row (kql/health/coverage-head.kql) tells; the others are null."""
    requests, unknown = found.get("Requests"), found.get("UnknownRequests")
    tokens = None
    # Where no request's tokens are known, a sum of 0 tells nothing.
    if requests and (not unknown or unknown + (found.get("NotBilledRequests") or 0) < requests):
        tokens = (found.get("KnownTokens") or 0) + (found.get("EstimatedTokens") or 0)
    return {
        "Requests": requests,
        "Tokens": tokens,
        "EstimatedTokens": None if tokens is None else found.get("EstimatedTokens") or 0,
        "UnknownRequests": unknown,
        "FirstRequest": found.get("FirstRequest"),
        "LastRequest": found.get("LastRequest"),
        "Cost": None,
        "UncostedRequests": None,
        "SuccessRate": None,
    }


def _cost(answer: Mapping[str, Any] | None) -> dict[str, Any]:
    rows = _rows(answer)
    if len(rows) != 1 or not rows[0].get("Cost"):
        return {}
    row = rows[0]
    return {
        "Cost": float(row["Cost"]),
        "UncostedRequests": int(row["UnpricedRequests"]) + int(row["UnknownRequests"]),
    }


def _success(answer: Mapping[str, Any] | None) -> dict[str, Any]:
    rows = _rows(answer)
    counted = _sum(row["CountedRequests"] for row in rows)
    if not counted:
        return {}
    return {"SuccessRate": 100 * (counted - _sum(row["FailedRequests"] for row in rows)) / counted}


def _rows(answer: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """All rows of an answer; none where it is missing, in doubt or carried only in part."""
    if answer is None or answer["problems"] or answer["csv_rows"] < answer["rows"]:
        return []
    return list(csv.DictReader(io.StringIO(answer["csv"], newline="")))


def _sum(values: Iterable[str]) -> int:
    return sum(int(value) for value in values)
