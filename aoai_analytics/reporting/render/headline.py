"""A report's few headline numbers, as data and as cards: the manifest's ``headline``, the indexes, the summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...charts.cards import AT_LEAST, cards, cards_of, label_of
from ...format.numbers import Unit, human, percent
from ...library import library

#: The queries whose totals give what the coverage lacks.
COST, SUCCESS = "cost/total", "reliability/success-rate"
#: The headline numbers, all unknown.
NOTHING: dict[str, Any] = dict.fromkeys(
    (
        "Requests", "Tokens", "EstimatedTokens", "UnknownRequests", "FirstRequest", "LastRequest", "Cost",
        "UncostedRequests", "SuccessRate",
    )
)  # fmt: skip


def headline_numbers(coverage: Mapping[str, Any] | None, answers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The headline numbers of a page as JSON-ready data, from its *coverage* and its *answers* (``blocks.Answer``).

    Null is unknown, or not queried by this page. ``Requests``; ``Tokens``, with ``EstimatedTokens`` of them, and
    ``UnknownRequests``, whose tokens are in no sum; ``FirstRequest``, ``LastRequest`` in ISO 8601; ``Cost`` in USD,
    without ``UncostedRequests`` (no price, or unknown tokens); ``SuccessRate`` in %, of the requests that did not fail
    through the caller's fault.
    """
    totals = {answer["name"]: answer.get("totals") or {} for answer in answers}
    found = of_coverage(coverage or {})
    cost, success = totals.get(COST, {}), totals.get(SUCCESS, {})
    if cost.get("Cost") is not None:
        found["Cost"] = cost["Cost"]
        found["UncostedRequests"] = int(cost["UnpricedRequests"] + cost["UnknownRequests"])
    if counted := success.get("CountedRequests"):
        found["SuccessRate"] = 100 * (counted - success["FailedRequests"]) / counted
    return found


def of_coverage(found: Mapping[str, Any]) -> dict[str, Any]:
    """The headline numbers that the row of kql/health/coverage-head.kql gives; the others are null."""
    requests, unknown = found.get("Requests"), found.get("UnknownRequests")
    numbers = NOTHING | {name: found.get(name) for name in ("FirstRequest", "LastRequest")}
    numbers |= {"Requests": requests, "UnknownRequests": unknown}
    # Where the tokens of no request are known, a sum of 0 would be wrong.
    if requests and (not unknown or unknown + (found.get("NotBilledRequests") or 0) < requests):
        numbers["EstimatedTokens"] = found.get("EstimatedTokens") or 0
        numbers["Tokens"] = (found.get("KnownTokens") or 0) + numbers["EstimatedTokens"]
    return numbers


def coverage_cards(numbers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The cards (label, value, more, marked) of a coverage's *numbers*; those that call for care are marked."""
    care = {"Tokens": numbers["EstimatedRequests"], "UnknownShare": numbers["UnknownRequests"]}
    query = library().get("health/coverage-head")
    made = zip(cards_of(query), cards(query, numbers), strict=True)
    return [shown | {"marked": bool(care.get(card.column))} for card, shown in made]


def money_and_success(numbers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The cards of the cost and the success rate, where known."""
    shown = []
    if (cost := numbers.get("Cost")) is not None:
        partly = bool(numbers.get("UncostedRequests"))
        # A card has room for some seven digits, and cents of thousands do not matter.
        value = amount(cost) if abs(cost) < 999.995 else human(cost, Unit("", decimals=0))
        shown.append(_card(label_of(library().get(COST), "Cost"), AT_LEAST * partly + value, marked=partly))
    if (rate := numbers.get("SuccessRate")) is not None:
        shown.append(_card(label_of(library().get("reliability/success"), "SuccessRate"), percent(rate)))
    return shown


def users_in(concentration: Iterable[Mapping[str, Any]]) -> int:
    """How many users there are, by the rows of kql/users/concentration.kql: each is in one of them."""
    return sum(int(row["Users"]) for row in concentration)


def amount(usd: float) -> str:
    """An amount of money, without its unit."""
    return human(usd, Unit("", decimals=2))


def _card(label: str, value: str, *, marked: bool = False) -> dict[str, Any]:
    return {"label": label, "value": value, "marked": marked}
