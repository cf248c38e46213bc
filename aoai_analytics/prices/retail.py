"""List prices of today, read from the Azure Retail Prices API.

Source: Microsoft Learn, "Azure Retail Prices overview" (GET, no key, OData filter, pages linked by NextPageLink).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from ..errors import SourceError
from .book import CURRENCY, TIERS, Price, PriceBook
from .meters import Matched, Unmatched, read_meter

ENDPOINT = "https://prices.azure.com/api/retail/prices"
#: The service's name of today, and the two it had before.
SERVICES = ("Foundry Models", "Azure OpenAI", "Cognitive Services")
_PRODUCT = "Azure OpenAI"
#: More pages than this are not the answer to our filter (a page has up to 1,000 meters).
_MOST_PAGES = 200


@dataclass(frozen=True)
class Reading:
    """A meter of the API, in all regions that charge the same for it, and what became of it."""

    meter: str
    product: str
    unit: str
    price: Decimal
    start: date
    regions: tuple[str, ...]
    result: Matched | Unmatched


@dataclass(frozen=True)
class Refreshed:
    """The price book made of the API's meters, how each was read, and what was left out of it and why."""

    book: PriceBook
    readings: tuple[Reading, ...]
    dropped: tuple[str, ...]

    @property
    def matched(self) -> list[Reading]:
        """The meters that became prices."""
        return [reading for reading in self.readings if isinstance(reading.result, Matched)]

    @property
    def unmatched(self) -> list[Reading]:
        """The meters that did not, each with its reason."""
        return [reading for reading in self.readings if isinstance(reading.result, Unmatched)]


def refresh(
    *, endpoint: str = ENDPOINT, regions: Iterable[str] = (), today: date, progress: Callable[[int], None] | None = None
) -> Refreshed:
    """The price book of today, of the public cloud (not Azure Government's).

    *regions* limits regional prices to these (none: all); *progress* is told how many meters were read.
    Raises SourceError where the API does not answer as documented.
    """
    wanted = {region.lower() for region in regions}
    readings = _readings(list(_items(endpoint, progress)))
    if not readings:
        raise SourceError(f"{endpoint} lists no meters for {_PRODUCT}: the service may have been renamed")
    book, dropped = _book(readings, wanted, today)
    return Refreshed(book, tuple(readings), tuple(dropped))


def _items(endpoint: str, progress: Callable[[int], None] | None) -> Iterator[dict[str, Any]]:
    """The meters of today's prices by consumption, of the first service name that has any."""
    from azure.core import PipelineClient
    from azure.core.pipeline.policies import RetryPolicy, UserAgentPolicy

    policies = [UserAgentPolicy("aoai-analytics"), RetryPolicy(retry_total=4, retry_backoff_factor=0.5)]
    client: PipelineClient[Any, Any] = PipelineClient(endpoint, policies=policies)
    with client:
        for service in SERVICES:
            query = f"serviceName eq '{service}' and contains(productName, '{_PRODUCT}') and priceType eq 'Consumption'"
            count = 0
            for item in _pages(client, endpoint, {"currencyCode": f"'{CURRENCY}'", "$filter": query}):
                count += 1
                if progress and count % 100 == 0:
                    progress(count)
                yield item
            if count:
                return


def _pages(client: Any, endpoint: str, parameters: dict[str, str]) -> Iterator[dict[str, Any]]:
    from azure.core.exceptions import AzureError
    from azure.core.rest import HttpRequest

    request = HttpRequest("GET", endpoint, params=parameters)
    for _ in range(_MOST_PAGES):
        try:
            response = client.send_request(request)
        except AzureError as error:
            raise SourceError(f"cannot read prices from {endpoint}: {error.message}") from error
        if response.status_code != 200:
            raise SourceError(f"{endpoint} returned {response.status_code} {response.reason or ''}".rstrip())
        try:
            page = response.json()
            items, following = page["Items"], page.get("NextPageLink")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceError(f"{endpoint} did not return a page of prices ('Items', 'NextPageLink')") from error
        yield from items
        if not following:
            return
        link = urljoin(endpoint, following)
        if urlsplit(link).netloc.split(":")[0] != urlsplit(endpoint).netloc.split(":")[0]:
            raise SourceError(f"{endpoint} links its next page to another host, {urlsplit(link).netloc}")
        request = HttpRequest("GET", link)
    raise SourceError(f"{endpoint} returned more than {_MOST_PAGES} pages for {_PRODUCT}: it ignored the filter")


def _readings(items: list[dict[str, Any]]) -> list[Reading]:
    """Each meter at each price once, with the regions that have it."""
    places: defaultdict[tuple[str, str, str, Decimal, date], set[str]] = defaultdict(set)
    for item in items:
        try:
            if item["currencyCode"] != CURRENCY or item.get("type") != "Consumption":
                continue
            price = Decimal(str(item["retailPrice"]))
            start = date.fromisoformat(str(item["effectiveStartDate"])[:10])
            key = (str(item["meterName"]), str(item["productName"]), str(item["unitOfMeasure"]), price, start)
            region = str(item["armRegionName"]).lower()
        except (KeyError, ValueError, ArithmeticError) as error:
            raise SourceError(f"a Retail Prices API meter has a missing or invalid field: {error}") from error
        if Decimal(str(item.get("tierMinimumUnits") or 0)) == 0 and not region.startswith("usgov"):
            places[key].add(region)
    return [
        Reading(*key, tuple(sorted(regions)), read_meter(key[0], key[1], key[2]))
        for key, regions in sorted(places.items())
    ]


def _book(readings: list[Reading], wanted: set[str], today: date) -> tuple[PriceBook, list[str]]:
    """The prices that are without doubt; of the others, what is contradictory about them."""
    found: defaultdict[_Key, list[Reading]] = defaultdict(list)
    newest = _newest(readings, today)
    used = {reading for reading, _ in newest}
    dropped = [
        f"{reading.meter}, {reading.price} per {reading.unit}: {_why_unused(reading, today)}"
        for reading in readings
        if isinstance(reading.result, Matched) and reading not in used
    ]
    for (reading, region), m in newest.items():
        if m.scope != "regional" or not wanted or region in wanted:
            place = "" if m.scope == "global" else region
            found[_Key(m.model, m.version, m.scope, m.tier, m.above, m.direction, place)].append(reading)
    prices: dict[_Key, tuple[Decimal, date, str]] = {}
    for key, candidates in sorted(found.items()):
        amounts = {_per_million(reading) for reading in candidates}
        if len(amounts) > 1:
            meters = "; ".join(sorted({f"'{r.meter}' {r.price} per {r.unit}" for r in candidates}))
            dropped.append(f"{key}: {meters} contradict each other")
            continue
        first = min(candidates, key=lambda reading: (reading.start, reading.meter))
        prices[key] = (amounts.pop(), first.start, f"Azure Retail Prices API, {first.meter}, as of {today}")
    return PriceBook(_rows(prices)), dropped


class _Key(NamedTuple):
    """What a price is of; ``region`` is '' where it does not matter."""

    model: str
    version: str
    scope: str
    tier: str
    above: int
    direction: str
    region: str

    def __str__(self) -> str:
        name = f"{self.model} {self.version}".rstrip()
        return f"{name}, {self.direction}, {kind_of(self)}" + (f" in {self.region}" if self.region else "")


def kind_of(price: Matched | _Key) -> str:
    """A price's scope, with its tier and prompt length where they are not the usual, in words."""
    tier = f", {price.tier}" if price.tier != TIERS[0] else ""
    return price.scope + tier + (f", above {price.above:,} prompt tokens" if price.above else "")


def _per_million(reading: Reading) -> Decimal:
    assert isinstance(reading.result, Matched)
    return reading.price * reading.result.factor


def _why_unused(reading: Reading, today: date) -> str:
    if reading.price <= 0:
        return "a price of 0 may be a preview's or a mistake"
    return f"it begins on {reading.start}" if reading.start > today else "a later price took its place"


def _newest(readings: list[Reading], today: date) -> dict[tuple[Reading, str], Matched]:
    """In each region each meter's price that began last, of those that are prices and have begun."""
    newest: dict[tuple[str, str, str], Reading] = {}
    for reading in readings:
        if isinstance(reading.result, Matched) and reading.price > 0 and reading.start <= today:
            for region in reading.regions:
                place = (reading.meter, reading.product, region)
                if place not in newest or newest[place].start < reading.start:
                    newest[place] = reading
    return {
        (reading, place[2]): reading.result for place, reading in newest.items() if isinstance(reading.result, Matched)
    }


def _rows(prices: dict[_Key, tuple[Decimal, date, str]]) -> list[Price]:
    """Rows of the book: regions that have the same price together; none where a data zone's is the same in all."""
    zones: defaultdict[tuple[str, str], dict[_Key, set[Decimal]]] = defaultdict(lambda: defaultdict(set))
    for key, (amount, _, _) in prices.items():
        if key.scope == "data-zone":
            zones[key.model, key.version][key._replace(region="")].add(amount)
    alike = {zone for zone, amounts in zones.items() if all(len(different) == 1 for different in amounts.values())}
    grouped: defaultdict[tuple[_Key, Decimal, date | None], list[tuple[str, date, str]]] = defaultdict(list)
    for key, (amount, start, source) in prices.items():
        everywhere = key.scope == "data-zone" and (key.model, key.version) in alike
        group = (key._replace(region=""), amount, None if everywhere else start)
        grouped[group].append(("" if everywhere else key.region, start, source))
    return [
        Price(
            key.model,
            key.version,
            key.scope,
            tuple(sorted({region for region, _, _ in members} - {""})),
            key.direction,
            amount,
            min(start for _, start, _ in members),
            min(source for _, _, source in members),
            key.tier,
            key.above,
        )
        for (key, amount, _), members in grouped.items()
    ]
