"""List prices from a Retail Prices API on loopback, in pages as its documentation shows them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from aoai_analytics.cli import main
from aoai_analytics.errors import SourceError
from aoai_analytics.prices import read_book
from aoai_analytics.prices.meters import Unmatched
from aoai_analytics.prices.retail import Refreshed, refresh

TODAY = date(2026, 11, 23)


def meter(name: str, price: float, unit: str = "1K", region: str = "eastus", **more: Any) -> dict[str, Any]:
    """A meter as the API's documentation shows one."""
    item: dict[str, Any] = {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": price,
        "unitPrice": price,
        "armRegionName": region,
        "location": "US East",
        "effectiveStartDate": "2025-04-01T00:00:00Z",
        "meterId": "00000000-0000-0000-0000-000000000000",
        "meterName": name,
        "productId": "DZH318Z0BQ4W",
        "skuId": "DZH318Z0BQ4W/0001",
        "productName": "Azure OpenAI GPT5" if "1M" in name else "Azure OpenAI",
        "skuName": name.removesuffix(" Tokens"),
        "serviceName": "Foundry Models",
        "serviceId": "DZH313Z7MMC8",
        "serviceFamily": "AI + Machine Learning",
        "unitOfMeasure": unit,
        "type": "Consumption",
        "isPrimaryMeterRegion": True,
        "armSkuName": name,
    }
    return item | more


METERS = [
    meter("gpt 4.1 Inp glbl Tokens", 0.002),
    meter("gpt 4.1 Inp glbl Tokens", 0.002, region="swedencentral"),
    meter("gpt 4.1 Inp glbl Tokens", 0.0025, region="usgovvirginia"),
    meter("gpt 4.1 cached Inp glbl Tokens", 0.0005),
    meter("gpt 4.1 Outp glbl Tokens", 0.008),
    meter("gpt 4.1 Inp regnl Tokens", 0.0022),
    meter("gpt 4.1 Inp regnl Tokens", 0.0022, region="westus"),
    meter("gpt 4.1 Inp regnl Tokens", 0.00242, region="swedencentral"),
    meter("gpt 4.1 Inp Data Zone Tokens", 0.0022),
    meter("gpt 4.1 Inp Data Zone Tokens", 0.0022, region="swedencentral", effectiveStartDate="2025-06-01T00:00:00Z"),
    meter("o4-mini 0416 Inp Data Zone Tokens", 0.00121),
    meter("o4-mini 0416 Inp Data Zone Tokens", 0.00132, region="japaneast"),
    meter("GPT 5 Inpt Glbl 1M Tokens", 1.25, "1M"),
    meter("GPT 5 outpt Glbl 1M Tokens", 10, "1M"),
    meter("GPT 5 Batch Inpt Glbl 1M Tokens", 0.625, "1M"),
    meter("gpt 4o 1120 Inp glbl Tokens", 0.003, effectiveStartDate="2024-12-01T00:00:00Z"),
    meter("gpt 4o 1120 Inp glbl Tokens", 0.0025, effectiveStartDate="2025-12-01T00:00:00Z"),
    meter("gpt 4o 1120 Inp glbl Tokens", 0.001, effectiveStartDate="2027-01-01T00:00:00Z"),
    meter("gpt 4o 0806 Inp glbl Tokens", 0.0025),
    meter("gpt-4o-0806-Inp-glbl Tokens", 0.0026),
    meter("Provisioned Managed Global Unit", 1.0, "1 Hour"),
    meter("mystery Inp glbl Tokens", 0.5),
    meter("text-embedding-3-small-glbl Tokens", 0.0),
]


class Api:
    """The API's pages, and what was asked of them."""

    def __init__(self, items: list[dict[str, Any]], page_size: int = 5, service: str = "Foundry Models"):
        self.items = items
        self.page_size = page_size
        self.service = service
        self.queries: list[dict[str, list[str]]] = []
        self.failures: list[tuple[int, dict[str, str]]] = []
        self.body: bytes | None = None
        self.next_link: str | None = None
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/retail/prices"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, query: dict[str, list[str]]) -> bytes:
        if self.body is not None:
            return self.body
        skip = int(query.get("$skip", ["0"])[0])
        items = self.items if f"serviceName eq '{self.service}'" in query["$filter"][0] else []
        page = items[skip : skip + self.page_size]
        more = None
        if skip + self.page_size < len(items):
            words = "&".join(f"{key}={values[0]}" for key, values in query.items() if key != "$skip")
            more = f"{self.url}?{words}&$skip={skip + self.page_size}".replace(" ", "%20")
        return json.dumps(
            {"BillingCurrency": "USD", "Items": page, "NextPageLink": self.next_link or more, "Count": len(page)}
        ).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                api.queries.append(query)
                code, headers = api.failures.pop(0) if api.failures else (200, {})
                data = api.answer(query) if code == 200 else b"{}"
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api(METERS)
    yield server
    server.server.shutdown()
    server.server.server_close()


def prices(done: Refreshed) -> dict[tuple[str, str, str, str], tuple[Decimal, str]]:
    usual = [p for p in done.book if p.tier == "default"]
    return {(p.model, p.scope, p.direction, " ".join(p.regions)): (p.per_million, str(p.start)) for p in usual}


def test_pages_are_read_to_the_last_and_become_prices_for_a_million_tokens(api: Api) -> None:
    assert prices(refresh(endpoint=api.url, today=TODAY)) == {
        ("gpt-4.1", "global", "prompt", ""): (2, "2025-04-01"),
        ("gpt-4.1", "global", "cached-prompt", ""): (Decimal("0.5"), "2025-04-01"),
        ("gpt-4.1", "global", "completion", ""): (8, "2025-04-01"),
        ("gpt-4.1", "data-zone", "prompt", ""): (Decimal("2.2"), "2025-04-01"),
        ("gpt-4.1", "regional", "prompt", "eastus westus"): (Decimal("2.2"), "2025-04-01"),
        ("gpt-4.1", "regional", "prompt", "swedencentral"): (Decimal("2.42"), "2025-04-01"),
        ("o4-mini", "data-zone", "prompt", "eastus"): (Decimal("1.21"), "2025-04-01"),
        ("o4-mini", "data-zone", "prompt", "japaneast"): (Decimal("1.32"), "2025-04-01"),
        ("gpt-5", "global", "prompt", ""): (Decimal("1.25"), "2025-04-01"),
        ("gpt-5", "global", "completion", ""): (10, "2025-04-01"),
        ("gpt-4o", "global", "prompt", ""): (Decimal("2.5"), "2025-12-01"),
    }
    assert len(api.queries) == -(-len(METERS) // 5)
    assert "priceType eq 'Consumption'" in api.queries[0]["$filter"][0]


def test_a_meter_per_thousand_and_one_per_million_come_to_the_same_scale(api: Api) -> None:
    api.items = [meter("gpt 4.1 Inp glbl Tokens", 0.002, "1K"), meter("GPT 5 Inpt Glbl 1M Tokens", 2.0, "1M")]
    assert {p.per_million for p in refresh(endpoint=api.url, today=TODAY).book} == {2}


def test_every_meter_is_accounted_for(api: Api) -> None:
    done = refresh(endpoint=api.url, today=TODAY)
    reasons = {r.meter: r.result.reason for r in done.unmatched if isinstance(r.result, Unmatched)}
    assert reasons == {
        "Provisioned Managed Global Unit": "billed by something else than tokens",
        "mystery Inp glbl Tokens": "no known model in its name",
    }
    assert {r.meter for r in done.readings} == {item["meterName"] for item in METERS}


def test_two_meters_that_contradict_each_other_are_left_out_and_said(api: Api) -> None:
    done = refresh(endpoint=api.url, today=TODAY)
    assert done.dropped == (
        "gpt 4o 1120 Inp glbl Tokens, 0.001 per 1K: it begins on 2027-01-01",
        "gpt 4o 1120 Inp glbl Tokens, 0.003 per 1K: a later price took its place",
        "text-embedding-3-small-glbl Tokens, 0.0 per 1K: a price of 0 may be a preview's or a mistake",
        "gpt-4o 2024-08-06, prompt, global: 'gpt 4o 0806 Inp glbl Tokens' 0.0025 per 1K; "
        "'gpt-4o-0806-Inp-glbl Tokens' 0.0026 per 1K contradict each other",
    )


def test_regional_prices_can_be_limited_to_a_region(api: Api) -> None:
    found = prices(refresh(endpoint=api.url, regions=["SwedenCentral"], today=TODAY))
    assert [key[3] for key in found if key[1] == "regional"] == ["swedencentral"]
    assert ("gpt-4.1", "global", "prompt", "") in found


@pytest.mark.parametrize("service", ["Azure OpenAI", "Cognitive Services"])
def test_the_service_s_earlier_names_are_tried(api: Api, service: str) -> None:
    api.service = service
    assert len(refresh(endpoint=api.url, today=TODAY).book) == 12


def test_a_busy_api_is_asked_again(api: Api) -> None:
    api.failures = [(429, {"Retry-After": "0"}), (503, {"Retry-After": "0"})]
    assert len(refresh(endpoint=api.url, today=TODAY).book) == 12


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>", "did not return a page of prices"),
        (b"[]", "did not return a page of prices"),
        (b'{"Items": []}', "lists no meters for Azure OpenAI"),
        (b'{"Items": [{"currencyCode": "USD", "type": "Consumption"}]}', "has a missing or invalid field"),
    ],
)
def test_an_answer_that_is_no_price_list_is_refused(api: Api, body: bytes, why: str) -> None:
    api.body = body
    with pytest.raises(SourceError, match=why):
        refresh(endpoint=api.url, today=TODAY)


def test_an_answer_of_not_found_is_said(api: Api) -> None:
    api.failures = [(404, {})]
    with pytest.raises(SourceError, match="returned 404"):
        refresh(endpoint=api.url, today=TODAY)


def test_a_page_that_links_to_another_host_is_not_followed(api: Api) -> None:
    api.next_link = "http://attacker.example/prices"
    with pytest.raises(SourceError, match=r"another host, attacker\.example"):
        refresh(endpoint=api.url, today=TODAY)


def test_pages_without_an_end_are_given_up(api: Api) -> None:
    api.next_link = api.url + "?$filter=serviceName%20eq%20'Foundry%20Models'"
    with pytest.raises(SourceError, match="more than 200 pages"):
        refresh(endpoint=api.url, today=TODAY)


def test_the_command_writes_a_price_book_and_explains_each_meter(
    api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.csv"
    assert main(["prices", "refresh", "-o", str(path), "--endpoint", api.url]) == 0
    out, err = capsys.readouterr()
    explained = "gpt 4.1 Inp glbl Tokens: 0.002 per 1K -> gpt-4.1 (all versions), global, prompt: 2 USD per 1M tokens"
    assert f"\nmatched: {explained}\n" in f"\n{out}"
    assert "unmatched: mystery Inp glbl Tokens: 0.5 per 1K: no known model in its name" in out
    assert "skipped: gpt-4o 2024-08-06" in out
    assert "12 prices of 4 models" in err and f'file = "{path}"' in err
    assert len(read_book(path)) == 12
    api.body = b"<html>"
    assert main(["prices", "refresh", "-o", str(path), "--endpoint", api.url]) == 1
    assert len(read_book(path)) == 12
