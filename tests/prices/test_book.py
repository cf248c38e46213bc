"""The price book: what ships is sound and each price names its source; what is not sound is refused in one line."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.errors import WrongUse
from aoai_analytics.prices import Price, PriceBook, read_book, shipped_book
from aoai_analytics.prices.book import COLUMNS, DIRECTIONS, SCOPES, plain
from aoai_analytics.sample.world import PRICES

HEAD = ",".join(COLUMNS)
ROW = "gpt-4o,2024-08-06,global,,prompt,1M tokens,USD,2.50,2024-10-01,our contract"


SOURCES = ("Azure Retail Prices API, ", "BerriAI/litellm ", "Microsoft Learn, ", "Azure blog, ", "Anthropic, Pricing ")


def book(tmp_path: Path, *rows: str) -> PriceBook:
    path = tmp_path / "book.csv"
    path.write_text("\n".join([HEAD, *rows]), "utf-8")
    return read_book(path)


def test_every_shipped_price_names_its_source() -> None:
    for price in shipped_book():
        assert price.source.startswith(SOURCES)
        assert price.per_million > 0
        assert date(2023, 1, 1) < price.start <= date(2026, 11, 23)


def test_the_sample_s_models_have_their_prices_and_the_invented_one_has_none() -> None:
    usual = [p for p in shipped_book() if (p.scope, p.tier, p.above) == ("global", "default", 0)]
    rows = {(p.model, p.version, p.direction): float(p.per_million) for p in usual}
    for name, (prompt, cached, completion) in PRICES.items():
        model, version = (name[:-11], name[-10:]) if name[-10:-6].isdigit() else (name, "")
        version = version if (model, version, "prompt") in rows else ""
        assert rows[model, version, "prompt"] == prompt
        assert rows.get((model, version, "cached-prompt"), prompt) == cached
        assert rows.get((model, version, "completion"), 0.0) == completion
    assert "gpt-9-preview" not in shipped_book().models


def test_a_cached_token_is_never_dearer_than_a_fresh_one() -> None:
    rows = {(p.group, p.direction): p.per_million for p in shipped_book()}
    for (group, direction), amount in rows.items():
        if direction == "cached-prompt" and (group, "prompt") in rows:
            assert amount < rows[group, "prompt"]
        if direction.startswith("cache-write"):
            assert rows[group, "prompt"] < amount <= 2 * rows[group, "prompt"]


def test_a_tier_or_a_long_prompt_has_the_price_that_is_published() -> None:
    def price(model: str, direction: str, tier: str, above: int = 0, day: str = "2026-11-01") -> float:
        of = (model, "global", direction, tier, above)
        rows = [p for p in shipped_book() if (p.model, p.scope, p.direction, p.tier, p.above) == of]
        return float(max((p for p in rows if str(p.start) <= day), key=lambda p: p.start).per_million)

    # OpenAI, "Priority processing"; Microsoft Learn, "Flex processing"; Azure's GPT-5.6 page of 2026-09-28.
    assert [price("gpt-4.1", d, "priority") for d in ("prompt", "cached-prompt", "completion")] == [3.5, 0.875, 14]
    assert [price("gpt-5.4", d, "priority") for d in ("prompt", "cached-prompt", "completion")] == [5, 0.5, 30]
    assert [price("gpt-5", d, "flex") for d in ("prompt", "completion")] == [0.625, 5]
    assert [price("gpt-5.4", d, "default", 272000) for d in ("prompt", "cached-prompt", "completion")] == [5, 0.5, 22.5]
    luna = [price("gpt-5.6-luna", d, "default") for d in ("prompt", "cached-prompt", "cache-write", "completion")]
    assert luna == [0.2, 0.02, 0.25, 1.2]
    assert price("gpt-5.6-luna", "prompt", "default", day="2026-07-31") == 1


def test_a_data_zone_costs_a_little_more_than_global_and_nothing_is_off_by_a_thousand() -> None:
    book = shipped_book()
    rows = defaultdict(list)
    for p in book:
        if p.scope == "global":
            rows[p.model, p.version, p.direction, p.tier, p.above].append(p)
    for p in book:
        # Some models have no global deployment of that tier.
        if p.scope != "global" and (found := rows[p.model, p.version, p.direction, p.tier, p.above]):
            beside = max((g for g in found if g.start <= p.start), default=found[0], key=lambda g: g.start)
            assert 1 <= p.per_million / beside.per_million < Decimal("1.4"), p


def test_a_price_for_a_thousand_tokens_is_made_one_for_a_million(tmp_path: Path) -> None:
    (price,) = book(tmp_path, ROW.replace("1M tokens", "1K tokens").replace("2.50", "0.0025"))
    assert price.per_million == Decimal("2.5")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (ROW.replace("gpt-4o", ""), "Model is empty"),
        (ROW.replace("our contract", ""), "Source is empty"),
        (ROW.replace("global", "galaxy"), "Scope must be one of global, data-zone, regional, not 'galaxy'"),
        (ROW.replace("prompt", "thought"), "Direction must be one of"),
        (ROW.replace("1M tokens", "each"), "Unit must be one of 1K tokens, 1M tokens"),
        (ROW.replace("USD", "EUR"), "convert the price"),
        (ROW.replace("2.50", "cheap"), "Price must be a number"),
        (ROW.replace("2.50", "-1"), "Price must be 0 or more"),
        (ROW.replace("2.50", "NaN"), "Price must be 0 or more"),
        (ROW.replace("2024-10-01", "soon"), "From must be a date"),
        (ROW.replace("global,", "global,eastus"), "a global price cannot have Regions"),
    ],
)
def test_a_row_that_is_none_is_refused_with_its_line(tmp_path: Path, row: str, why: str) -> None:
    with pytest.raises(WrongUse, match=r"book\.csv, line 3: ") as error:
        book(tmp_path, ROW.replace("prompt", "completion"), row)
    assert why in str(error.value)


def test_prices_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="two prices for gpt-4o 2024-08-06, prompt, global start on 2024-10-01"):
        book(tmp_path, ROW, ROW.replace("2.50", "3"))
    with pytest.raises(WrongUse, match="have a Version, some do not"):
        book(tmp_path, ROW, ROW.replace("2024-08-06", "").replace("prompt", "completion"))
    regional = ROW.replace("global,", "regional,eastus westus")
    with pytest.raises(WrongUse, match=r"two prices for .* in westus westus2 start on"):
        book(tmp_path, regional, regional.replace("eastus westus", "westus westus2"))
    with pytest.raises(WrongUse, match="have Regions, some do not"):
        book(tmp_path, regional, regional.replace("eastus westus", "").replace("2024-10-01", "2025-10-01"))


def test_a_price_that_changes_has_a_row_for_each_day_it_did(tmp_path: Path) -> None:
    found = book(tmp_path, ROW, ROW.replace("2024-10-01", "2026-01-01").replace("2.50", "2"))
    assert [price.per_million for price in found] == [Decimal("2.50"), 2]


def test_a_file_that_is_no_price_book_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    with pytest.raises(WrongUse, match="cannot read the price book"):
        read_book(path)
    path.write_text("Model,Price\ngpt-4o,1\n")
    with pytest.raises(WrongUse, match="has no column Version, Scope"):
        read_book(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(WrongUse, match="is not valid UTF-8"):
        read_book(path)


def test_own_prices_stand_in_for_all_of_the_model_and_scope_and_leave_the_rest() -> None:
    own = Price("gpt-4o", "", "global", (), "prompt", Decimal(1), date(2026, 1, 1), "mine")
    found = shipped_book().with_own([own])
    assert [p for p in found if (p.model, p.scope) == ("gpt-4o", "global")] == [own]
    rest = [p for p in shipped_book() if (p.model, p.scope) != ("gpt-4o", "global")]
    assert len(found) == len(rest) + 1


words = st.from_regex(r"[a-z][a-z0-9.-]{0,8}", fullmatch=True)
prices = st.builds(
    Price,
    model=words,
    version=st.sampled_from(["2024-08-06", "2025-01-01"]),
    scope=st.sampled_from(SCOPES[:1]),
    regions=st.just(()),
    direction=st.sampled_from(DIRECTIONS),
    per_million=st.decimals("0", "1000", places=6),
    start=st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    source=st.text("abc,\"' =é", min_size=1).map(lambda text: f"x{text}x"),
)


@given(st.lists(prices, unique_by=lambda p: (p.model, p.version, p.direction, p.start), max_size=8))
def test_a_book_written_and_read_again_is_the_same(tmp_path_factory: pytest.TempPathFactory, rows: list[Price]) -> None:
    path = tmp_path_factory.mktemp("book") / "book.csv"
    path.write_text(PriceBook(rows).csv(), "utf-8")
    assert read_book(path).prices == PriceBook(rows).prices


def test_a_price_is_written_without_exponent_or_idle_zeros() -> None:
    assert [plain(Decimal(text)) for text in ("10.00", "1E+1", "0.0750", "0")] == ["10", "10", "0.075", "0"]
