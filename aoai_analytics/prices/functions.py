"""The price book and the deployments' scopes as KQL functions, so that cost is a query on every engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..engines.kql.parameters import quote
from .book import PriceBook, plain

#: A deployment that provisioned throughput units serve: its tokens are paid by the unit and hour.
PROVISIONED = "provisioned"

_PRICES = """\
// title: Prices
// question: What do 1M tokens cost, by model, scope and start date?
//
// Generated from aoai_analytics/prices/price-book.csv by 'aoai prices functions'; that file names each price's source.
// PricePerMillion is USD per 1M tokens. Version '' means every version, Regions '' every region. A price applies from
// From (UTC) until a later row for the same model, version, scope, regions and direction. Models not listed have no
// price: their requests are unpriced, not free.
datatable(
    Model: string, Version: string, Scope: string, Regions: string,
    Direction: string, PricePerMillion: real, From: datetime
) [
"""
_SCOPES = """\
// title: Deployment scopes
// question: Which price scope and region does each deployment have?
//
// One row per deployment that is not billed at global prices, as DEPLOYMENT or ACCOUNT/DEPLOYMENT. Scope is global,
// data-zone, regional (with its Region, e.g. swedencentral) or provisioned (paid per unit and hour, not per token).
// Rows come from [prices.deployments] in aoai.toml; in a workspace, add them between the brackets.
datatable(Deployment: string, Scope: string, Region: string) [
"""


@dataclass(frozen=True)
class Placed:
    """How a deployment is billed: its scope, and its region ('' where prices do not ask for one)."""

    scope: str
    region: str = ""


def price_functions(book: PriceBook, deployments: Mapping[str, Placed] | None = None) -> dict[str, str]:
    """``AoaiPrices`` and ``AoaiDeploymentScopes`` -> the text of ``kql/functions/NAME.kql`` for *book*."""
    prices = [
        ", ".join(
            (
                *map(quote, (p.model, p.version, p.scope, " ".join(p.regions), p.direction)),
                f"real({plain(p.per_million)})",
                f"datetime({p.start})",
            )
        )
        for p in book
    ]
    scopes = [
        ", ".join(map(quote, (name, placed.scope, placed.region)))
        for name, placed in sorted((deployments or {}).items())
    ]
    return {"AoaiPrices": _PRICES + _rows(prices), "AoaiDeploymentScopes": _SCOPES + _rows(scopes)}


def _rows(rows: list[str]) -> str:
    return ",\n".join(f"    {row}" for row in rows) + ("\n]\n" if rows else "]\n")
