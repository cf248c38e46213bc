"""Your own prices and deployment scopes, from ``[prices]`` in ``aoai.toml``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..config import found, settings
from ..errors import WrongUse
from .book import CURRENCY, DIRECTIONS, SCOPES, Price, PriceBook, price_of, read_prices, shipped_book
from .functions import PROVISIONED, Placed, price_functions

_KEYS = ("file", "models", "deployments")
#: From when an own price holds that names no day.
_ALWAYS = "2000-01-01"


@dataclass(frozen=True)
class OwnPrices:
    """What ``[prices]`` says: rows that replace shipped ones, and deployments that are not billed globally."""

    prices: tuple[Price, ...] = ()
    deployments: dict[str, Placed] = field(default_factory=dict)

    @property
    def book(self) -> PriceBook:
        """The price book in force. Raises WrongUse where own rows contradict each other."""
        return shipped_book().with_own(self.prices)


def own_prices() -> OwnPrices:
    """``[prices]`` of ``aoai.toml``: ``file`` (a price book's CSV), ``models`` and ``deployments``.

        [prices]
        file = "prices.csv"

        [prices.models."gpt-4o"]          # USD for a million tokens
        version = "2024-08-06"            # optional, as scope, regions, tier, above and from are
        prompt = 2.25
        cached-prompt = 1.12
        completion = 9.00

        [prices.deployments]
        "chat-prod" = "data-zone"
        "aoai-eastus2/gpt-5" = "provisioned"
        "aoai-swedencentral/reason" = "regional swedencentral"

    Raises WrongUse where it is malformed.
    """
    given: dict[str, Any] = settings().prices
    unknown = [key for key in given if key not in _KEYS]
    if unknown:
        raise WrongUse(f"aoai.toml: unknown key '{unknown[0]}' in [prices]; use {', '.join(_KEYS)}")
    prices: list[Price] = []
    if "file" in given:
        if not isinstance(given["file"], str):
            raise WrongUse("aoai.toml: [prices] file must be the name of a CSV file")
        prices += read_prices(found(given["file"]))
    for model, entry in _table(given, "models").items():
        prices += _of_model(model, entry)
    return OwnPrices(tuple(prices), {name: _placed(name, text) for name, text in _table(given, "deployments").items()})


def own_functions() -> dict[str, str]:
    """The functions with which ``engines.connect`` computes cost at the prices in force; {} without own prices.

    Raises WrongUse where ``[prices]`` is malformed.
    """
    own = own_prices()
    return price_functions(own.book, own.deployments) if own.prices or own.deployments else {}


def _table(given: dict[str, Any], key: str) -> dict[str, Any]:
    table = given.get(key, {})
    if not isinstance(table, dict):
        raise WrongUse(f"aoai.toml: [prices.{key}] must be a table")
    return table


def _of_model(model: str, entry: Any) -> list[Price]:
    """A model's prices. One that names no direction has none, which its rows' absence cannot say: it is refused."""
    where = f'aoai.toml: [prices.models."{model}"]'
    optional = ("version", "scope", "regions", "tier", "above", "from")
    if not isinstance(entry, dict) or not set(entry) & set(DIRECTIONS):
        raise WrongUse(f"{where} needs at least one of {', '.join(DIRECTIONS)}, in {CURRENCY} per 1M tokens")
    unknown = [key for key in entry if key not in (*DIRECTIONS, *optional)]
    if unknown:
        raise WrongUse(f"{where}: unknown key '{unknown[0]}'; use {', '.join((*DIRECTIONS, *optional))}")
    cells = {
        "Model": model,
        "Version": str(entry.get("version", "")),
        "Scope": str(entry.get("scope", "global")),
        "Regions": str(entry.get("regions", "")),
        "Unit": "1M tokens",
        "Currency": CURRENCY,
        "From": str(entry.get("from", _ALWAYS)),
        "Source": "aoai.toml",
        "Tier": str(entry.get("tier", "")),
        "Above": str(entry.get("above", "")),
    }
    return [
        price_of(cells | {"Direction": direction, "Price": str(entry[direction])}, where)
        for direction in DIRECTIONS
        if direction in entry
    ]


def _placed(name: str, text: Any) -> Placed:
    scope, _, region = text.strip().partition(" ") if isinstance(text, str) else ("", "", "")
    region = region.strip().lower()
    if scope not in (*SCOPES, PROVISIONED) or (scope == "regional" and not region) or " " in region:
        raise WrongUse(
            f"aoai.toml: [prices.deployments] \"{name}\" must be one of global, data-zone, 'regional REGION', "
            "provisioned (data-zone can have a region too)"
        )
    return Placed(scope, region)
