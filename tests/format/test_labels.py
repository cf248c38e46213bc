"""Text made safe and short."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.format.labels import heading, html_text, humanised, named, plain, plotly_text, shortened

_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&#36;": "$", "&#37;": "%"}


@given(st.text())
def test_what_plotly_would_read_as_markup_is_gone_and_can_be_read_back(text: str) -> None:
    escaped = plotly_text(text)
    assert not re.search(r"[<>$%]", escaped)
    assert re.sub("|".join(_ENTITIES), lambda match: _ENTITIES[match[0]], escaped) == text


@given(st.text())
def test_a_label_has_no_character_that_is_unseen_or_turns_the_text(text: str) -> None:
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200f]", plain(text))


@given(st.text())
def test_html_text_holds_no_markup_of_the_callers(text: str) -> None:
    inner = html_text(text).removeprefix("<bdi>").removesuffix("</bdi>")
    assert not re.search(r"[<>\"']", inner)


def test_a_text_that_turns_direction_shows_that_something_is_there() -> None:
    assert plain("user\u202egnp.exe") == "user\ufffdgnp.exe"


def test_an_empty_name_and_an_unknown_one_differ() -> None:
    assert named("") == "(none)"
    assert named(None) == "unknown"
    assert named(float("nan")) == "unknown"


@given(st.text(min_size=29))
def test_a_long_name_keeps_its_start_and_end(text: str) -> None:
    cut = shortened(text)
    assert len(cut) == 28
    assert text.startswith(cut.split("…")[0]) and text.endswith(cut[-9:])


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("CallerIpAddress", "Caller IP address"),
        ("SubscriptionId", "Subscription ID"),
        ("TotalTokens", "Total tokens"),
        ("P95Latency", "P95 latency"),
        ("PTUHours", "PTU hours"),
        ("x", "X"),
        ("_", "_"),
    ],
)
def test_a_columns_name_is_said_in_words(column: str, said: str) -> None:
    assert humanised(column) == said


def test_a_heading_says_the_unit_once() -> None:
    assert heading("TotalTokens", "tokens") == "Total tokens"
    assert heading("BackendTime", "ms") == "Backend time (ms)"
