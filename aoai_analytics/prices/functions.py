"""The price book, the deployments' scopes and the model book as KQL functions, so that every engine has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from ..engines.kql.parameters import quote
from .book import PriceBook, plain
from .models import Model, shipped_models

#: A deployment that provisioned throughput units serve: its tokens are paid by the unit and hour.
PROVISIONED = "provisioned"

_PRICES = """\
// title: Prices
// question: What do 1M tokens cost, by model, scope and start date?
//
// Generated from aoai_analytics/prices/price-book.csv by 'aoai prices functions'; that file names each price's source.
// PricePerMillion is USD per 1M tokens. Version '' means every version, Regions '' every region. A price applies from
// From (UTC) until a later row of the same kind. Tier is the response's service tier. Above is the number of prompt
// tokens above which a price applies, to the whole request. What is not listed has no price: it is unpriced, not free.
datatable(
    Model: string, Version: string, Scope: string, Regions: string, Tier: string, Above: long, From: datetime,
    Prices: string
) [
"""
_ONE_BY_ONE = """\
| extend Price = split(Prices, " ")
| mv-expand Price to typeof(string)
| project Model, Version, Scope, Regions, Direction = extract("^(.+)=", 1, Price),
    PricePerMillion = todouble(extract("=(.+)$", 1, Price)), From, Tier, Above
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
_MODELS = """\
// title: Models
// question: When does each model version retire, what replaces it, and how large is it?
//
// Generated from aoai_analytics/prices/model-book.csv by 'aoai prices functions'; that file names each date's source.
// Version '' means every version. Stage is available, legacy or deprecated (existing deployments only). A model retires
// on Retires, or not before it; Standard deployments on StandardRetires. Size is large, mini or nano for chat models.
datatable(
    Model: string, Version: string, Stage: string, Retires: datetime, IsNotBefore: bool, StandardRetires: datetime,
    Replacement: string, Size: string
) [
"""


@dataclass(frozen=True)
class Placed:
    """How a deployment is billed: its scope, and its region ('' where prices do not ask for one)."""

    scope: str
    region: str = ""


def price_functions(book: PriceBook, deployments: Mapping[str, Placed] | None = None) -> dict[str, str]:
    """``AoaiPrices``, ``AoaiDeploymentScopes``, ``AoaiModels`` -> the text of ``kql/functions/NAME.kql`` for *book*."""
    prices = []
    for _, of_one_kind in groupby(book, key=lambda price: price.group):
        kind = list(of_one_kind)
        p = kind[0]
        texts = ", ".join(map(quote, (p.model, p.version, p.scope, " ".join(p.regions), p.tier)))
        amounts = quote(" ".join(f"{price.direction}={plain(price.per_million)}" for price in kind))
        prices.append(f"{texts}, {p.above}, datetime({p.start}), {amounts}")
    scopes = [
        ", ".join(map(quote, (name, placed.scope, placed.region)))
        for name, placed in sorted((deployments or {}).items())
    ]
    return {
        "AoaiPrices": _PRICES + _rows(prices) + _ONE_BY_ONE,
        "AoaiDeploymentScopes": _SCOPES + _rows(scopes),
        "AoaiModels": _MODELS + _rows([_model(model) for model in shipped_models()]),
    }


def _model(model: Model) -> str:
    name, version, stage, replacement, size = map(
        quote, (model.name, model.version, model.stage, model.replacement, model.size)
    )
    standard = model.standard_retires or "null"
    return (
        f"{name}, {version}, {stage}, datetime({model.retires}), {str(model.not_before).lower()}, "
        f"datetime({standard}), {replacement}, {size}"
    )


def _rows(rows: list[str]) -> str:
    return ",\n".join(f"    {row}" for row in rows) + ("\n]\n" if rows else "]\n")
