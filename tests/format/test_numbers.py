"""Numbers and units as people read them."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aoai_analytics.format.numbers import UNITS, Unit, additive, decimals_for, exact, human, is_missing, span, unit_of


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0, "requests", "0 requests"),
        (1, "tokens", "1 token"),
        (9_999, "requests", "9,999 requests"),
        (10_000, "tokens", "10 k tokens"),
        (1_234_567, "tokens", "1.23 M tokens"),
        (999_960, "tokens", "1 M tokens"),
        (-1_200_000, "tokens", "-1.2 M tokens"),
        (2_500_000_000, "bytes", "2.5 B bytes"),
        (8_249.7, "tokens", "8,250 tokens"),
        (0.00001234, "ms", "0.0000123 ms"),
        (41.2, "%", "41%"),
        (4.1, "%", "4.1%"),
        (0.412, "share", "41%"),
        (3.5, "USD", "3.50 USD"),
        (None, "tokens", "unknown"),
        (float("nan"), "tokens", "unknown"),
        (pd.NA, "tokens", "unknown"),
    ],
)
def test_a_number_is_said_short_with_its_unit(value: object, unit: str, said: str) -> None:
    assert human(value, UNITS[unit]) == said


def test_no_more_digits_are_shown_than_a_real_number_has() -> None:
    assert exact(1e300, Unit("")) == "1e+300"
    assert exact(9_223_372_036_854_775_807, Unit("")) == "9,223,372,036,854,775,807"
    assert human(1e300, UNITS["tokens"]) == "1e+288 T tokens"


@given(
    st.integers(min_value=-(10**15), max_value=10**15)
    | st.floats(min_value=1e-6, max_value=1e15)
    | st.floats(min_value=-1e5, max_value=-1e-6)
)
@example(8249.7)
def test_a_short_number_is_within_half_a_percent_of_the_value(value: float) -> None:
    text = human(value).replace(",", "")
    assert "e" not in text
    number, _, letter = text.partition(" ")
    factor = {"": 1, "k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}[letter]
    assert float(number) * factor == pytest.approx(value, rel=0.005)


def test_null_is_never_shown_as_zero() -> None:
    assert exact(pd.NA, Unit("tokens")) == "unknown"
    assert exact(0, Unit("tokens")) == "0"
    assert is_missing(pd.NaT)
    assert not is_missing(0) and not is_missing("") and not is_missing(float("inf"))


@pytest.mark.parametrize(
    ("column", "unit", "may"),
    [
        ("TotalTokens", "tokens", True),
        ("Requests", "requests", True),
        ("AverageTokens", "tokens", False),
        ("P95Tokens", "tokens", False),
        ("TokensError", "tokens", False),
        ("Share", "%", False),
        ("BackendTime", "ms", False),
        ("Users", "callers", False),
        ("Total", "", False),
    ],
)
def test_only_counts_of_something_may_be_added_up(column: str, unit: str, may: bool) -> None:
    assert additive(column, {column: unit}) is may


def test_an_unknown_unit_is_shown_as_written() -> None:
    assert human(5, unit_of("Users", {"Users": "callers"})) == "5 callers"


def test_a_column_has_as_many_decimals_as_its_size_calls_for() -> None:
    assert decimals_for([1.0, 2.0], Unit("s")) == 0
    assert decimals_for([0.25, None], Unit("s")) == 2
    assert decimals_for([12.5], Unit("s")) == 1
    assert decimals_for([0.1, 0.2, None], UNITS["%"]) == 1 and decimals_for([0.1, 0.25], UNITS["%"]) == 2
    assert decimals_for([0.0007], Unit("s")) == 4
    assert decimals_for([12_345.5], Unit("tokens")) == 0
    assert decimals_for([1.0], UNITS["USD"]) == 2
    # Two digits of the rounded number: 0.0997 is shown as 0.10.
    assert [decimals_for([value], UNITS["USD"]) for value in (0.0997, 0.0994, 0.00996)] == [2, 3, 3]


@pytest.mark.parametrize(
    ("seconds", "said"), [(1.25, "1.25 s"), (125, "2 min 05 s"), (12_000, "3 h 20 min"), (-3600 * 30, "-1 d 6 h")]
)
def test_a_duration_is_said_in_the_two_units_that_matter(seconds: float, said: str) -> None:
    assert span(timedelta(seconds=seconds)) == said
