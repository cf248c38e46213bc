"""A meter's name is read as a whole or not at all."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.prices import shipped_book
from aoai_analytics.prices.meters import Matched, Unmatched, read_meter

#: Meter, its unit -> model, version, scope, direction, and tier and prompt length where they are not the usual.
MATCHED = {
    ("gpt 4.1 Inp glbl Tokens", "1K"): ("gpt-4.1", "", "global", "prompt"),
    ("gpt 4.1 mini cached Inp DZone Tokens", "1K"): ("gpt-4.1-mini", "", "data-zone", "cached-prompt"),
    ("gpt-4o-mini-0718-Outp-regnl Tokens", "1K"): ("gpt-4o-mini", "2024-07-18", "regional", "completion"),
    ("GPT 5 Mini cchd Inpt Glbl 1M Tokens", "1M"): ("gpt-5-mini", "", "global", "cached-prompt"),
    ("5.1 cd inp Dz 1M Tokens", "1M"): ("gpt-5.1", "", "data-zone", "cached-prompt"),
    ("GPT 5.1 opt Dz 1M Tokens", "1M"): ("gpt-5.1", "", "data-zone", "completion"),
    ("gpt-5-codex-ccchd-inp-glbl Tokens", "1K"): ("gpt-5-codex", "", "global", "cached-prompt"),
    ("text embedding 3 small DZ Tokens", "1K"): ("text-embedding-3-small", "", "data-zone", "prompt"),
    ("o3 mini 0131 cached input Data Zone Tokens", "1K"): ("o3-mini", "2025-01-31", "data-zone", "cached-prompt"),
    ("gpt-35-turbo16K-0125 Outp-glbl Tokens", "1K"): ("gpt-35-turbo", "0125", "global", "completion"),
    ("gpt-35-turbo-Instruct-Inp-glbl Tokens", "1K"): ("gpt-35-turbo-instruct", "", "global", "prompt"),
    ("5.4 pp inp Gl 1M Tokens", "1M"): ("gpt-5.4", "", "global", "prompt", "priority"),
    ("4.1 pp cd inp Dz Tokens", "1K"): ("gpt-4.1", "", "data-zone", "cached-prompt", "priority"),
    ("gpt 4o 0806 Batch Inp Data Zone Tokens", "1K"): ("gpt-4o", "2024-08-06", "data-zone", "prompt", "batch"),
    ("gpt 4o mini0718 BatchOutp DataZone Tokens", "1K"):
        ("gpt-4o-mini", "2024-07-18", "data-zone", "completion", "batch"),
    ("5.4 longco batch cd inp Gl 1M Tokens", "1M"): ("gpt-5.4", "", "global", "cached-prompt", "batch", 272000),
    ("5.6 sol LongCo Cd Wr Std Gl 1M Tokens", "1M"): ("gpt-5.6-sol", "", "global", "cache-write", "default", 272000),
    ("5.6 luna ShortCo Cd Inp PP DZ 1M Tokens", "1M"): ("gpt-5.6-luna", "", "data-zone", "cached-prompt", "priority"),
    ("gpt-oss-120B Outp glbl Tokens", "1K"): ("gpt-oss-120b", "", "global", "completion"),
}  # fmt: skip
NO_DIRECTION = "no single direction in its name (prompt, cached prompt, cache write, completion)"
UNMATCHED = {
    ("Provisioned Managed Global Unit", "1 Hour"): "billed by something else than tokens",
    ("gpt-4o-rt-txt-1217 cchd Inp glbl Tokens", "1K"): "realtime",
    ("gpt4omini-aud1217 Inp glbl Tokens", "1K"): "audio, realtime or batch",
    ("gpt 4o dev ft cchd inpt glbl Tokens", "1K"): "fine-tuning",
    ("gpt-image-1-inp-txt-glbl Tokens", "1K"): "images",
    ("5.4 pp batch inp Gl 1M Tokens", "1M"): "no known model in its name",
    ("gpt-35-turbo4K-Inp-glbl Tokens", "1K"): "no known model in its name",
    ("gpt-35-turbo16K-Inp-glbl Tokens", "1K"): "no known gpt-35-turbo version in its name",
    ("gpt 4o 0999 Inp glbl Tokens", "1K"): "no known gpt-4o version in its name",
    ("gpt 4.1 Inp Tokens", "1K"): "no single scope in its name (global, data zone, regional)",
    ("gpt 4.1 glbl Tokens", "1K"): NO_DIRECTION,
    ("gpt 4.1 cached Outp glbl Tokens", "1K"): NO_DIRECTION,
    ("gpt 4.1 weird Inp glbl Tokens", "1K"): "no known model in its name",
    ("claude-sonnet-4-5 Inp glbl Tokens", "1K"): "no known model in its name",
    ("gpt 4.1 Inp glbl Tokens", "1 Hour"): "unknown unit '1 Hour'",
    ("GPT 5 Inpt Glbl 1M Tokens", "1K"): "its name says 1M, its unit 1K",
    ("", "1K"): "billed by something else than tokens",
}


def product(name: str) -> str:
    """The product that sells the meter."""
    return {"5": "Azure OpenAI GPT5", "G": "Azure OpenAI GPT5", "4": "Azure OpenAI PP FT GPT4s"}.get(
        name[:1], "Azure OpenAI"
    )


@pytest.mark.parametrize(("meter", "expected"), MATCHED.items(), ids=lambda value: str(value[0]))
def test_a_meter_is_read(meter: tuple[str, str], expected: tuple[str, str, str, str]) -> None:
    name, unit = meter
    factor = Decimal(1 if unit == "1M" else 1000)
    assert read_meter(name, product(name), unit) == Matched(*expected[:4], factor, *expected[4:])


@pytest.mark.parametrize(("meter", "reason"), UNMATCHED.items(), ids=str)
def test_a_meter_that_is_no_price_of_a_request_s_tokens_says_why(meter: tuple[str, str], reason: str) -> None:
    name, unit = meter
    assert read_meter(name, product(name), unit) == Unmatched(reason)


def test_every_meter_that_a_shipped_price_names_is_read_as_that_price() -> None:
    for price in shipped_book():
        origin, meter, *_ = price.source.split(", ")
        if origin == "Azure Retail Prices API":
            found = read_meter(meter, product(meter), "1M" if "1M" in meter else "1K")
            assert isinstance(found, Matched), (meter, found)
            assert (found.model, found.version, found.scope, found.direction) == (
                price.model, price.version, price.scope, price.direction
            ), meter  # fmt: skip


@given(st.text(max_size=60), st.sampled_from(["1K", "1M", "1", ""]))
def test_no_text_breaks_it(name: str, unit: str) -> None:
    assert isinstance(read_meter(name, "Azure OpenAI", unit), Matched | Unmatched)


@given(st.sampled_from(list(MATCHED)), st.from_regex(r"[a-z]{3,12}", fullmatch=True))
def test_a_word_that_is_not_known_keeps_a_meter_from_matching_the_same_price(meter: tuple[str, str], word: str) -> None:
    name, unit = meter
    plain = read_meter(name, "Azure OpenAI GPT5", unit)
    more = read_meter(f"{word} {name}", "Azure OpenAI GPT5", unit)
    assert isinstance(more, Unmatched) or more != plain or word == "gpt"
